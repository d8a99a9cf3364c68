"""Agents in quarantine, and what has happened to each. None is in quarantine so far."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("agent", sa.Column("cloned_ms", sa.BigInteger(), nullable=True))
    op.create_table(
        "agent_event",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
        sa.Column("agent_id", sa.String(), sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
    )
    op.create_index("ix_agent_event_agent_id", "agent_event", ["agent_id"])
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _shield() -> None:
    """As the other tables."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE agent_event ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE agent_event FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON agent_event USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
