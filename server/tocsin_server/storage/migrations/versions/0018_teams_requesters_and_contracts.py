"""Teams with their people, to which supplier a ticket is given, who asks for it, and contracts in the database.

No ticket was with a supplier so far, and none has a requester; teams are made by commands.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _teams()
    _requesters()
    _contracts()
    op.add_column("ticket", sa.Column("supplier", sa.String(), nullable=False, server_default=""))
    is_open = sa.text("state NOT IN ('solved', 'closed')")
    op.create_index(
        "ticket_open_team",
        "ticket",
        ["team", "priority", "opened_ms", "id"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    if op.get_bind().dialect.name == "postgresql":
        _shield("requester")
        _shield("contract_document")


def _teams() -> None:
    op.create_table(
        "team",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("slug", sa.String(), nullable=False, unique=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mail", sa.String(), nullable=False),
        sa.Column("assign", sa.Enum("none", "load", native_enum=False, length=16), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "team_member",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("team_id", _Id, sa.ForeignKey("team.id"), nullable=False),
        sa.Column("person_id", _Id, sa.ForeignKey("person.id"), nullable=False),
        sa.Column("lead", sa.Boolean(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("away_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("most_open", sa.Integer(), nullable=True),
        sa.Column("given_ms", sa.BigInteger(), nullable=True),
    )
    goes_on = sa.text("until_ms IS NULL")
    op.create_index(
        "team_member_now",
        "team_member",
        ["team_id", "person_id"],
        unique=True,
        sqlite_where=goes_on,
        postgresql_where=goes_on,
    )
    op.create_index("ix_team_member_person_id", "team_member", ["person_id"])


def _requesters() -> None:
    op.create_table(
        "requester",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
        sa.Column("site_id", _Id, sa.ForeignKey("site.id"), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mail", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
    )
    is_there = sa.text("left_ms IS NULL")
    op.create_index(
        "requester_mail",
        "requester",
        ["client_id", "mail"],
        unique=True,
        sqlite_where=is_there,
        postgresql_where=is_there,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("ticket", sa.Column("requester_id", _Id, sa.ForeignKey("requester.id"), nullable=True))
    else:  # Alembic would make the table anew for it
        op.execute("ALTER TABLE ticket ADD COLUMN requester_id INTEGER REFERENCES requester (id)")


def _contracts() -> None:
    op.create_table(
        "contract_document",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("contract", "version"),
    )


def _shield(table: str) -> None:
    """As the other tables with rows of clients."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON {table} USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
