"""Links between tickets, parents, merging, alerts of hosts that are cut off, and open maintenance windows.

No ticket had to do with another so far, but for the one that it reopens.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KINDS = ("relates", "caused_by", "duplicate_of", "parent")


def upgrade() -> None:
    _ticket_column("ticket", "merged_into")
    _ticket_column("ticket", "parent_id")
    _ticket_column("ticket_alert", "via_id")
    op.add_column("ticket", sa.Column("windows", sa.String(), nullable=False, server_default=""))
    op.add_column("ticket_alert", sa.Column("cut_off", sa.Boolean(), nullable=False, server_default=sa.false()))
    _partial_index("ticket_merged", "merged_into", "merged_into IS NOT NULL")
    _partial_index("ticket_child", "parent_id", "parent_id IS NOT NULL")
    _partial_index("ticket_reopening", "reopens", "reopens IS NOT NULL")
    _partial_index("ticket_in_maintenance", "id", "windows <> ''")
    op.create_table(
        "ticket_link",
        sa.Column("ticket_id", _Id, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Enum(*_KINDS, native_enum=False, length=16), primary_key=True),
        sa.Column("other_id", _Id, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
    )
    op.create_index("ticket_link_other", "ticket_link", ["other_id"])
    if op.get_bind().dialect.name == "postgresql":
        _shield("ticket_link")


def _ticket_column(table: str, name: str) -> None:
    """A column that names a ticket."""
    if op.get_bind().dialect.name == "postgresql":
        op.add_column(table, sa.Column(name, _Id, sa.ForeignKey("ticket.id"), nullable=True))
    else:  # Alembic would make the table anew for it
        op.execute(f"ALTER TABLE {table} ADD COLUMN {name} INTEGER REFERENCES ticket (id)")


def _partial_index(name: str, column: str, condition: str) -> None:
    holds = sa.text(condition)
    op.create_index(name, "ticket", [column], sqlite_where=holds, postgresql_where=holds)


def _shield(table: str) -> None:
    """As the other tables with rows of clients."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON {table} USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
