"""When a solved ticket closes by itself, and which comments are public.

Those that are solved already stay as they are, and what was said so far was said among technicians.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("closes_ms", sa.BigInteger(), nullable=True))
    is_closing = sa.text("closes_ms IS NOT NULL")
    op.create_index(
        "ticket_closing", "ticket", ["closes_ms"], sqlite_where=is_closing, postgresql_where=is_closing
    )
    op.add_column("ticket_event", sa.Column("public", sa.Boolean(), nullable=False, server_default=sa.false()))
