"""Who watches which ticket. So far nobody watched any."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ticket_watcher",
        sa.Column("ticket_id", _Id, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("person_id", _Id, sa.ForeignKey("person.id"), primary_key=True, autoincrement=False),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _shield() -> None:
    """As the other tables."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE ticket_watcher ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE ticket_watcher FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON ticket_watcher USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
