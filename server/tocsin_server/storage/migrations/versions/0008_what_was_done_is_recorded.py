"""The audit log. Where there is something already, its first entry says that of that it knows nothing.

The databases refuse to change and to remove what is in it: that is against mistakes, since who owns the tables
can drop the triggers. A migration that makes one of these tables anew has to make its triggers anew, too. The
first entry is written here as that version of the log did it (`access/audit.py`).
"""

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from tocsin_server.clock import SystemClock

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSAL = "the audit log is only added to"
_TABLES = ("audit", "audit_checkpoint")


def upgrade() -> None:
    log = op.create_table(
        "audit",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=True),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("entry_id", _Id, sa.ForeignKey("audit.id"), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _refuse_in_postgresql()
        _shield()
    else:
        _refuse_in_sqlite()
    if _is_in_use():
        op.bulk_insert(log, [_first_entry(SystemClock().now_ms())])


def _refuse_in_sqlite() -> None:
    for table in _TABLES:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )


def _refuse_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_refusal() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_refusal BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_refusal()"
        )


def _shield() -> None:
    """As the other tables; what is no client's is shown to who works for all."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE audit ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON audit USING ({is_asked_for}) WITH CHECK ({is_asked_for})")


def _is_in_use() -> bool:
    there = sa.text("SELECT EXISTS (SELECT 1 FROM client) OR EXISTS (SELECT 1 FROM person)")
    return bool(op.get_bind().execute(there).scalar_one())


def _first_entry(now_ms: int) -> dict[str, str | int | None]:
    previous = "0" * 64
    details = '{"revision":"0008"}'
    fields = ["1", str(now_ms), "server", "migrate", None, "log.begun", "1", details, "", previous]
    framed = "".join("-," if field is None else f"{len(field)}:{field}," for field in fields)
    return {
        "id": 1,
        "at_ms": now_ms,
        "party": "server",
        "actor": "migrate",
        "client_id": None,
        "act": "log.begun",
        "subject": "1",
        "details": details,
        "source": "",
        "previous": previous,
        "digest": hashlib.sha256(f"tocsin-audit-v1\n{framed}".encode()).hexdigest(),
    }
