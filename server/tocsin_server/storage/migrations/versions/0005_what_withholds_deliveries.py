"""Silences, why an alert's delivery is withheld, and who has acknowledged it. Nothing is withheld so far."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "silence",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=True),
        sa.Column("matchers", sa.String(), nullable=False),
        sa.Column("starts_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
    )
    op.create_index("ix_silence_client_id", "silence", ["client_id"])
    op.create_index("ix_silence_ends_ms", "silence", ["ends_ms"])
    for column in (
        sa.Column("suppressed", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("suppressed_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
    ):
        op.add_column("alert", column)
    for column in (
        sa.Column("withheld", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("redelivers", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("transition", column)
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _shield() -> None:
    """As the other tables; a silence of all clients is shown to who works for all."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE silence ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE silence FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON silence USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
