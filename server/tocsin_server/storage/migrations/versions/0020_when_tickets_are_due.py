"""When a ticket is due, to order the queue by: far off, until somebody has looked at its clocks."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FAR_MS = (1 << 53) - 1


def upgrade() -> None:
    far = sa.Column("due_ms", sa.BigInteger(), nullable=False, server_default=str(_FAR_MS))
    op.add_column("ticket", far)
    is_open = sa.text("state NOT IN ('solved', 'closed')")
    order = ["due_ms", "priority", "opened_ms", "id"]
    for name, columns in (("ticket_open_due", order), ("ticket_open_client_due", ["client_id", *order])):
        op.create_index(name, "ticket", columns, sqlite_where=is_open, postgresql_where=is_open)
