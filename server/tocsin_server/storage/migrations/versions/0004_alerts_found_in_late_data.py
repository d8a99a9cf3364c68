"""Alerts and transitions that were found in late data say so. All that there are were found in time."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for table in ("alert", "transition"):
        op.add_column(table, sa.Column("late", sa.Boolean(), nullable=False, server_default=sa.false()))
