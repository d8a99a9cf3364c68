"""What people were answered under their idempotency keys. So far no answer was kept."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "kept_answer",
        sa.Column("person_id", _Id, sa.ForeignKey("person.id"), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("kept_answer_latest", "kept_answer", ["person_id", "at_ms", "key"])
    op.create_index("ix_kept_answer_at_ms", "kept_answer", ["at_ms"])
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _shield() -> None:
    """As the other tables; what is no client's alone is shown to who works for all."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE kept_answer ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE kept_answer FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON kept_answer USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
