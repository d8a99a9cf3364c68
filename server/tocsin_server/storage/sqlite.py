"""SQLite: how its connections are made, and what its errors mean.

WAL with `synchronous=FULL`, because a result is given back only once it is durable: NORMAL was measured to
lose acknowledged commits on power loss, FULL none. Checkpoints are the writer's (`storage/engine.py`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import create_engine

from tocsin_server.durable import sync
from tocsin_server.errors import TocsinError, Unavailable
from tocsin_server.storage.limits import BUSY_MS, READERS


def sqlite_engine(path: Path, *, read_only: bool, busy_ms: int = BUSY_MS) -> Engine:
    """An engine over the file; `read_only` connections refuse every write in SQLite itself."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=READERS if read_only else 1,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": busy_ms / 1000},
    )
    event.listen(engine, "connect", _on_connect(read_only=read_only))
    event.listen(engine, "begin", _begin_deferred if read_only else _begin_immediate)
    return engine


def keep_what_is_left(path: Path) -> None:
    """Make durable what a process has left that was killed between a commit and its sync.

    SQLite reads such commits from memory as if they were on the disk, and whoever asks again is told that it is
    done. Of SQLite's files only this one has no locks, which would be lost with any descriptor of its file.
    """
    try:
        sync(path.with_name(f"{path.name}-wal"))
        sync(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unavailable(
            f"the database {path} cannot be made durable ({error.strerror})", remedy="look at the disk"
        ) from error


def meaning(error: DBAPIError) -> TocsinError | None:
    """What an error of the database says to the one who asked; nothing where it is a mistake of ours."""
    if not isinstance(error, OperationalError):
        return None
    if "full" in str(error.orig):
        return Unavailable(
            "the disk with the database is full", remedy="free space; the server goes on by itself"
        )
    if "locked" in str(error.orig):
        return Unavailable(f"the database cannot be written now ({error.orig})")
    return None


def ends_transaction(error: DBAPIError) -> bool:
    """Whether more is lost than the savepoint in which it came: SQLite may have rolled back by itself."""
    return isinstance(error, OperationalError)


def _on_connect(*, read_only: bool) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own object
        connection.isolation_level = None  # we say BEGIN; the driver's guess breaks savepoints
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    return prepare


def _begin_immediate(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Any) -> None:  # noqa: ANN401
    connection.exec_driver_sql("BEGIN")
