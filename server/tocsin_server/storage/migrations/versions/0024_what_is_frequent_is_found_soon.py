"""PostgreSQL finds the newest of a frequent word without all others, and reckons with the rows that it shows.

The index of words has the block of each ticket's number, small and large (`desk/texts.py`). The condition of
row-level security says the same as before. But PostgreSQL took `= 'all'` for what hardly ever holds, reckoned
with a twentieth of all rows, and so sorted what it should have walked; and it parted the setting for each row.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SHIELDED = sa.text(
    "SELECT tablename FROM pg_policies WHERE schemaname = current_schema AND policyname = 'of_clients'"
)
_BLOCK, _LARGE_BLOCK = "\ue004", "\ue005"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP INDEX ticket_text_words")
    op.execute(
        "CREATE INDEX ticket_text_words ON ticket_text USING gin (array_to_tsvector("
        f"string_to_array(words, ' ') || ARRAY['{_BLOCK}' || (ticket_id >> 11)::text,"
        f" '{_LARGE_BLOCK}' || (ticket_id >> 16)::text])) WITH (fastupdate = off)"
    )
    for table in op.get_bind().execute(_SHIELDED).scalars().all():
        _shield(table, "id" if table == "client" else "client_id")


def _shield(table: str, client: str) -> None:
    # In subqueries, so that the setting is looked at once a statement and not once a row. What is not equal
    # is taken for nearly all that there is: so it is while all clients are shown.
    setting = "current_setting('tocsin.clients', true)"
    is_all = f"(SELECT array_position(ARRAY['all'], {setting})) <> 0"
    named = f"(SELECT string_to_array({setting}, ','))::text[]"
    is_asked_for = f"{is_all} OR {client}::text = ANY ({named})"
    op.execute(f"ALTER POLICY of_clients ON {table} USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
