"""Alerts that have joined the ticket of a storm, and which tickets alerts have opened lately.

No alert is on such a ticket yet.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("ticket_alert", sa.Column("trouble", sa.String(), nullable=True))
    op.add_column("ticket_alert", sa.Column("heard_id", _Id, nullable=True))
    _partial_index("ticket_alert_gathered", "ticket_alert", ["trouble"], "trouble IS NOT NULL")
    _partial_index("ticket_lately", "ticket", ["opened_ms", "client_id"], "key IS NOT NULL")


def _partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    holds = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=holds, postgresql_where=holds)
