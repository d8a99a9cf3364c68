"""The key that an agent had before, and until when it is accepted. No agent has changed its key so far."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("former_key", sa.LargeBinary(), nullable=True))
    op.add_column("agent", sa.Column("former_until_ms", sa.BigInteger(), nullable=True))
