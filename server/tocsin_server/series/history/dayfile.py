"""One UTC day in one SQLite file: the chunks and roll-ups of all hosts, and the names of their series.

    chunks    grain, client, host, hour → hash of names, instants, bytes    (grain 0: samples; else the bucket)
    entries   hash of names → names

WAL, so that readers never wait, and `synchronous=FULL`: what a transaction has committed outlives a power cut.
`auto_vacuum=INCREMENTAL` gives space back to the system as chunks go, while roll-ups stay for a year.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, Self

from tocsin_server.durable import sync
from tocsin_server.errors import Unavailable
from tocsin_server.series.history.errors import Damaged, Newer

DAY_MS = 86_400_000
BUSY_S = 5.0
_VERSION = 1
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (digest BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
    grain INTEGER NOT NULL, client_id INTEGER NOT NULL, host_id INTEGER NOT NULL, hour_ms INTEGER NOT NULL,
    digest BLOB NOT NULL, instants INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (grain, client_id, host_id, hour_ms)
);
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_PUT = "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)"
_GET = """SELECT digest, instants, content FROM chunks
    WHERE grain = ? AND client_id = ? AND host_id = ? AND hour_ms = ?"""
_ROWS = """SELECT hour_ms, digest, instants FROM chunks
    WHERE grain = ? AND client_id = ? AND host_id = ? AND hour_ms BETWEEN ? AND ? ORDER BY hour_ms"""
_ORPHANS = "DELETE FROM entries WHERE digest NOT IN (SELECT digest FROM chunks)"


class Grain(IntEnum):
    """What a row holds: samples, or buckets of so many milliseconds."""

    SAMPLES = 0
    ROLLUP = 300_000


class Key(NamedTuple):
    """Whose hour, and what of it."""

    grain: Grain
    client_id: int
    host_id: int
    hour_ms: int


class Row(NamedTuple):
    """What is stored of an hour."""

    digest: bytes
    instants: int
    content: bytes


class Listed(NamedTuple):
    """What is known of a row before it is read."""

    key: Key
    digest: bytes
    instants: int


class DayFile:
    """A connection; close it, or use it as a context.

    A reader's cannot write, and sees the day as it was when it first looked, whatever is written meanwhile.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        with explained(path):
            self._connection = _opened(path, read_only=read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable at the end."""
        with explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:  # whatever it was goes on up; nothing is left half done
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def put(self, key: Key, row: Row) -> None:
        """Store an hour, in the place of what was there."""
        self._connection.execute(_PUT, (*key, *row))

    def put_entries(self, digest: bytes, content: bytes) -> None:
        """Store names that may be there already."""
        self._connection.execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", (digest, content))

    def get(self, key: Key) -> Row | None:
        """What is stored of an hour."""
        with explained(self.path):
            found = self._connection.execute(_GET, key).fetchone()
        return None if found is None else Row(*found)

    def has(self, key: Key) -> bool:
        """Whether anything is stored of an hour."""
        return bool(self.listed(*key[:3], key.hour_ms, key.hour_ms))

    def get_entries(self, digest: bytes) -> bytes:
        """The names of that hash."""
        with explained(self.path):
            found = self._connection.execute(
                "SELECT content FROM entries WHERE digest = ?", (digest,)
            ).fetchone()
        if found is None:
            raise Damaged(f"{self.path.name} lacks the names of a chunk's series")
        return bytes(found[0])

    def listed(self, grain: Grain, client_id: int, host_id: int, first_ms: int, last_ms: int) -> list[Listed]:
        """The hours of a host that begin in this time, ascending."""
        with explained(self.path):
            found = self._connection.execute(_ROWS, (grain, client_id, host_id, first_ms, last_ms)).fetchall()
        return [Listed(Key(grain, client_id, host_id, hour), digest, count) for hour, digest, count in found]

    def holders(self) -> list[tuple[Grain, int]]:
        """Which clients have what in this file."""
        with explained(self.path):
            found = self._connection.execute("SELECT DISTINCT grain, client_id FROM chunks").fetchall()
        return [(Grain(grain), client_id) for grain, client_id in found]

    def counts(self) -> dict[Grain, int]:
        """How many hours of hosts there are, by what is kept of them."""
        with explained(self.path):
            found = dict(
                self._connection.execute("SELECT grain, COUNT(*) FROM chunks GROUP BY grain").fetchall()
            )
        return {grain: found.get(grain, 0) for grain in Grain}

    def copy(self, path: Path) -> None:
        """Write the day as it is now into a file that is not there yet."""
        with explained(self.path), closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)

    def forget(self, grain: Grain, client_id: int) -> int:
        """Delete what a client has of this grain; how many hours."""
        delete = "DELETE FROM chunks WHERE grain = ? AND client_id = ?"
        return self._connection.execute(delete, (grain, client_id)).rowcount

    def tidy(self) -> None:
        """Delete names that no hour has any longer, and give free space back to the system."""
        with self.transaction():
            self._connection.execute(_ORPHANS)
        with explained(self.path):
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite's errors mean to whoever asked: try again, or not to be believed."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_FULL"):
            raise Unavailable(f"the disk with {path.name} is full", remedy="free space") from error
        if isinstance(error, sqlite3.OperationalError):
            raise Unavailable(f"{path.name} cannot be used now ({error})") from error
        raise Damaged(f"{path.name} is damaged ({error})", remedy="move it away") from error


def remove(path: Path) -> None:
    """Delete a day."""
    for part in _parts(path):
        part.unlink(missing_ok=True)


def put_aside(path: Path) -> Path:
    """Let a day that is damaged make way for a new one; where it is now."""
    aside = path.with_name(f"{path.name}.damaged")
    for part, there in zip(_parts(path), _parts(aside), strict=True):
        if part.exists():
            os.replace(part, there)  # noqa: PTH105 - pathlib's own says nothing of being atomic
    return aside


def _parts(path: Path) -> list[Path]:
    """The log first: one that is left behind could be taken for that of a new file."""
    return [path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm", "")]


def _opened(path: Path, *, read_only: bool) -> sqlite3.Connection:
    if not read_only:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _prepare(connection, path, read_only=read_only)
    except BaseException:  # whatever it was goes on up; the file is not left open
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, _VERSION):
        raise Newer(
            f"{path.name} has version {version}, this server knows {_VERSION}",
            remedy="let the newer server run, or move the file away",
        )
    if read_only:
        if version == 0:
            raise Damaged(f"{path.name} holds nothing yet")
        connection.execute("BEGIN")
        return
    if version == 0:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    if version == 0:
        connection.executescript(_TABLES)
        for folder in (path.parent, path.absolute().parent.parent):
            sync(folder)
