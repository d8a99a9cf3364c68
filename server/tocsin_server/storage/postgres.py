"""PostgreSQL: how its connections are made, and what its errors mean.

The writer's transactions take an advisory lock first, so that of all programs on one database one writes at a
time, as SQLite's BEGIN IMMEDIATE has it; it reads what is committed then, so its isolation is READ COMMITTED.
Readers see one snapshot each. Row-level security shows a transaction the rows of the clients that its setting
`tocsin.clients` names: every transaction of an engine from here says `all`, for itself only.
"""

from collections.abc import Callable
from typing import Any

from psycopg import IsolationLevel
from sqlalchemy import URL, Engine, event
from sqlalchemy.pool import QueuePool
from sqlmodel import create_engine

READERS = 4
BUSY_MS = 10_000
STATEMENT_MS = 60_000
"""How long one statement may take; a migration's may take longer."""

_OURS = int.from_bytes(b"tocsin", "big") << 8
WRITING = _OURS | 1
"""The advisory lock of whoever writes, for a transaction."""

# A server that has vanished without a word is noticed within half a minute.
_LIBPQ: dict[str, str | int] = {
    "fallback_application_name": "tocsin",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def postgres_engine(url: URL, *, read_only: bool, busy_ms: int = BUSY_MS) -> Engine:
    """An engine on the database; `read_only` transactions refuse every write in PostgreSQL itself."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=READERS if read_only else 1,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args=_LIBPQ,
    )
    event.listen(engine, "connect", _on_connect(read_only=read_only, busy_ms=busy_ms))
    event.listen(engine, "begin", _begin_reading if read_only else _begin_writing)
    return engine


def _on_connect(*, read_only: bool, busy_ms: int) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own object
        connection.autocommit = True
        connection.execute(
            f"SET synchronous_commit = on; SET lock_timeout = {busy_ms};"
            f"SET statement_timeout = {STATEMENT_MS}; SET idle_in_transaction_session_timeout = {STATEMENT_MS}"
        )
        connection.autocommit = False
        connection.read_only = read_only
        connection.isolation_level = (
            IsolationLevel.REPEATABLE_READ if read_only else IsolationLevel.READ_COMMITTED
        )

    return prepare


def _begin_writing(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql(
        f"SELECT set_config('tocsin.clients', 'all', true), pg_advisory_xact_lock({WRITING})"
    )


def _begin_reading(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql("SELECT set_config('tocsin.clients', 'all', true)")
