"""PostgreSQL shows a transaction the rows of those clients only that its setting `tocsin.clients` names.

The setting is `all`, or clients' ids with commas between; where there is none, no row is there. FORCE,
because the role that owns the tables is the one that works with them. SQLite has nothing of the kind.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLES = {
    "client": "id",
    "site": "client_id",
    "enrol_token": "client_id",
    "host": "client_id",
    "host_parent": "client_id",
    "agent": "client_id",
    "alert": "client_id",
    "transition": "client_id",
    "ticket": "client_id",
    "ticket_alert": "client_id",
    "ticket_event": "client_id",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, client in _TABLES.items():
            _shield(table, client)


def _shield(table: str, client: str) -> None:
    # In a subquery, so that the setting is looked at once a statement and not once a row.
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR {client}::text = ANY (string_to_array({setting}, ','))"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON {table} USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
