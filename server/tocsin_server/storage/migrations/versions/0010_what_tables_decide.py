"""What decision tables say of a ticket: impact, urgency and team. Those that there are were opened without."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for name in ("impact", "urgency", "team"):
        op.add_column("ticket", sa.Column(name, sa.String(), nullable=False, server_default=""))
