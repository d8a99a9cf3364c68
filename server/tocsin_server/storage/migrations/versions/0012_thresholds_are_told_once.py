"""When the clocks of a ticket are looked at next, and which of their thresholds have been told of.

Tickets that are there are looked at by the server once it runs: what they have passed so far is told as it is
then.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("ticket", sa.Column("tells_ms", sa.BigInteger(), nullable=True))
    is_telling = sa.text("tells_ms IS NOT NULL")
    op.create_index(
        "ticket_telling", "ticket", ["tells_ms"], sqlite_where=is_telling, postgresql_where=is_telling
    )
    op.create_table(
        "told_threshold",
        sa.Column("ticket_id", _Id, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("agreement", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("assigned_by", _Id, primary_key=True, autoincrement=False),
        sa.Column("round", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("threshold", sa.String(), primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
        sa.Column("passed_ms", sa.BigInteger(), nullable=False),
        sa.Column("told_ms", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _shield() -> None:
    """As the other tables of clients."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE told_threshold ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE told_threshold FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON told_threshold USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
