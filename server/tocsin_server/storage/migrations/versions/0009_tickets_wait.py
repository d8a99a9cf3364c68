"""What a pending ticket waits for, and until when at most. No ticket was pending so far."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("waits_for", sa.String(), nullable=False, server_default=""))
    op.add_column("ticket", sa.Column("wakes_ms", sa.BigInteger(), nullable=True))
    is_waking = sa.text("wakes_ms IS NOT NULL")
    op.create_index("ticket_waking", "ticket", ["wakes_ms"], sqlite_where=is_waking, postgresql_where=is_waking)
