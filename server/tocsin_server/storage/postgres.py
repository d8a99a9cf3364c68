"""PostgreSQL: how its connections are made, and what its errors mean.

The writer's transactions take an advisory lock first, so that of all programs on one database one writes at a
time, as SQLite's BEGIN IMMEDIATE has it; it reads what is committed then, so its isolation is READ COMMITTED.
Readers see one snapshot each. Row-level security shows a transaction the rows of the clients that its setting
`tocsin.clients` names: every transaction of an engine from here says `all`, for itself only.

A server holds a second lock for as long as the connection lasts that it writes by. So whoever writes has it,
after a lost connection as well, and of two servers on one database one is refused.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import create_engine

from tocsin_server.errors import TocsinError, Unavailable, Unprocessable
from tocsin_server.storage.limits import BUSY_MS, READERS, first_line

STATEMENT_MS = 60_000
"""How long one statement may take, and how long a transaction may stand still."""
SERVING_MS = 2_000
"""How long the other server is waited for: it may be a lost connection of our own."""

_OURS = int.from_bytes(b"tocsin", "big") << 8
WRITING = _OURS | 1
"""The advisory lock of whoever writes, for a transaction."""
SERVING = _OURS | 2
"""The advisory lock of a server, and of whoever needs the database without one."""

# A server that has vanished without a word is noticed within half a minute.
_LIBPQ: dict[str, str | int] = {
    "fallback_application_name": "tocsin",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

_GOES_ON = "the server goes on by itself once it is mended; look before you repeat a change"


def postgres_engine(url: URL, *, read_only: bool, busy_ms: int = BUSY_MS, alone: bool = False) -> Engine:
    """An engine on the database; `read_only` transactions refuse every write in PostgreSQL itself."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=READERS if read_only else 1,
        max_overflow=0,
        connect_args=_LIBPQ,
    )
    # Not imported above: whoever keeps a file should not wait for it.
    psycopg: Any = engine.dialect.loaded_dbapi
    event.listen(engine, "connect", _on_connect(psycopg, read_only=read_only, busy_ms=busy_ms, alone=alone))
    event.listen(engine, "begin", _begin_reading if read_only else _begin_writing)
    return engine


def meaning(error: DBAPIError) -> TocsinError | None:
    """What an error of the database says to the one who asked; nothing where it is a mistake of ours."""
    state: str = getattr(error.orig, "sqlstate", None) or ""
    line = first_line(error)
    if isinstance(error, DataError):
        return Unprocessable(f"the database cannot hold such a value ({line})")
    if state == "53100":
        return Unavailable("the disk with the database is full", remedy=_GOES_ON)
    if state == "25006":
        return Unavailable("the database can only be read here", remedy="write to the primary, not a standby")
    if state == "57014":
        return Unavailable(f"the database took longer than {STATEMENT_MS / 1000:.0f} s")
    if state == "55P03":
        return Unavailable("another program writes to the database and does not end", remedy=_GOES_ON)
    if error.connection_invalidated or (isinstance(error, OperationalError) and not state):
        return Unavailable(f"the database cannot be reached ({line})", remedy=_GOES_ON)
    return None


def ends_transaction(error: DBAPIError) -> bool:
    """Whether more is lost than the savepoint in which it came."""
    return error.connection_invalidated


def _on_connect(
    psycopg: Any,  # noqa: ANN401 - the module
    *,
    read_only: bool,
    busy_ms: int,
    alone: bool,
) -> Callable[[Any, Any], None]:
    level = psycopg.IsolationLevel.REPEATABLE_READ if read_only else psycopg.IsolationLevel.READ_COMMITTED

    def prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own object
        connection.autocommit = True
        try:
            if alone:
                _be_alone(connection, psycopg.errors.LockNotAvailable)
            # What is acked is durable; a default that asks for more than `on` stays.
            connection.execute(
                f"SET lock_timeout = {busy_ms}; SET statement_timeout = {STATEMENT_MS};"
                f"SET idle_in_transaction_session_timeout = {STATEMENT_MS};"
                # No statement of ours is long enough for being compiled, which takes a fraction of a second.
                "SET jit = off;"
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        except Exception:  # whatever it was goes on up; the connection is not left behind
            connection.close()
            raise
        connection.autocommit = False
        connection.read_only = read_only
        connection.isolation_level = level

    return prepare


def _be_alone(connection: Any, locked: type[Exception]) -> None:  # noqa: ANN401
    try:
        connection.execute(f"SET lock_timeout = {SERVING_MS}; SELECT pg_advisory_lock({SERVING})")
    except locked as error:
        raise Unavailable(
            f"another server works with the database {connection.info.dbname}",
            remedy="stop that server, or give this one a database of its own",
        ) from error


def _begin_writing(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql(
        f"SELECT set_config('tocsin.clients', 'all', true), pg_advisory_xact_lock({WRITING})"
    )


def _begin_reading(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql("SELECT set_config('tocsin.clients', 'all', true)")
