"""Which clients somebody sees. Who is there already has seen them all, and goes on so."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("person", sa.Column("all_clients", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.text("UPDATE person SET all_clients = :yes").bindparams(yes=True))
    op.create_table(
        "person_client",
        sa.Column("person_id", _Id, sa.ForeignKey("person.id"), primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), primary_key=True),
    )
    op.create_index("ix_person_client_client_id", "person_client", ["client_id"])
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _shield() -> None:
    """As the other tables."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE person_client ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE person_client FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON person_client USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
