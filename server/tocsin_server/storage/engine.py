"""One writer and several readers of the desk's database, SQLite or PostgreSQL.

One thread owns the only connection that writes. It batches commits: acts that wait together share one. On
SQLite it also makes all checkpoints: that alone removes SQLite's WAL-reset race
(sqlite.org/wal.html#walresetbug, fixed in 3.51.3). A result is given back only once it is durable.

    write(act)   runs `act(session)` in the writer thread, in a savepoint of its own if it is not alone; the
                 future is done after the commit, with the act's result or its exception (then nothing of it
                 is kept)
    read(ask)    runs `ask(session)` on a reader that cannot write

What has to be written with whatever is written, `before_commit` is told: it runs in each transaction, last,
but for one whose only act has failed.

Where the database cannot be reached, both raise `Unavailable`, and the next one tries anew.
"""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from tocsin_server.errors import Overloaded, Unavailable
from tocsin_server.storage.address import Address, ends_transaction, engine, meaning
from tocsin_server.storage.limits import BUSY_MS, READERS
from tocsin_server.storage.sqlite import keep_what_is_left

T = TypeVar("T")

_log = structlog.get_logger()

MAX_BATCH = 256
MAX_WAITING = 10_000
CHECKPOINT_PAGES = 4000
CHECKPOINT_BUSY_MS = 50
"""How long a checkpoint waits for who still reads, and all changes with it: a backup reads for minutes."""
CHECKPOINT_AGAIN_S = 1.0


@dataclass(slots=True)
class _Act:
    run: Callable[[Session], Any]
    done: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None

    def do(self, session: Session) -> None:
        self.result = self.run(session)
        session.flush()

    def tell(self) -> None:
        """Whoever waits for it how it went."""
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class _Last(NamedTuple):
    run: Callable[[Session], Any]
    hear: Callable[[Future[Any]], object]


class Storage:
    """The database of one server process. Close it, or use it as a context.

    `busy_ms` is how long the writer waits for another program's lock before it gives up. With `alone`, which a
    server says, it is refused as `Unavailable` while another server works with the same PostgreSQL database.
    """

    def __init__(self, where: Address | Path, *, busy_ms: int = BUSY_MS, alone: bool = False) -> None:
        self.address = where if isinstance(where, Address) else Address.of_file(where)
        self._wal = ""
        if self.address.is_sqlite:
            keep_what_is_left(self.path)
            self._wal = f"{self.path}-wal"
        self._busy_ms = busy_ms
        self._checkpoint_after_s = 0.0
        self._last: _Last | None = None
        self._acts: queue.Queue[_Act | None] = queue.Queue(MAX_WAITING)
        self._reader = engine(self.address, read_only=True)
        self._writer = engine(self.address, read_only=False, busy_ms=busy_ms, alone=alone)
        if alone:
            self._connect()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="tocsin-read")
        self._thread = threading.Thread(target=self._write_for_ever, name="tocsin-write", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what waits, checkpoint, and let go of the file."""
        if self._thread.is_alive():
            self._acts.put(None)
            self._thread.join()
        self._pool.shutdown()
        self._reader.dispose()
        self._writer.dispose()

    @property
    def path(self) -> Path:
        """SQLite's file."""
        return self.address.path

    def waiting(self) -> int:
        """How many acts wait for the writer."""
        return self._acts.qsize()

    def before_commit(self, act: Callable[[Session], T], hear: Callable[[Future[T]], object]) -> None:
        """From now on this comes after the acts of each transaction, in a savepoint of its own.

        It sees what they have written, which is kept though it fails. How it went is heard before the commit.
        """
        self._last = _Last(act, hear)

    def submit(self, act: Callable[[Session], T]) -> "Future[T]":
        """Queue an act for the writer; the future is done once it is durable.

        Raises `Overloaded` where too many wait already.
        """
        waiting = _Act(act)
        try:
            self._acts.put_nowait(waiting)
        except queue.Full:
            raise Overloaded(f"{MAX_WAITING} changes are waiting for the database") from None
        return waiting.done

    def write(self, act: Callable[[Session], T]) -> T:
        """Run an act and wait until it is durable."""
        return self.submit(act).result()

    async def write_soon(self, act: Callable[[Session], T]) -> T:
        """`write` for the event loop, which goes on meanwhile."""
        return await asyncio.wrap_future(self.submit(act))

    def read(self, ask: Callable[[Session], T]) -> T:
        """Answer a question from one consistent snapshot."""
        try:
            with Session(self._reader) as session:
                _begin(session)
                return ask(session)
        except DBAPIError as error:
            told = meaning(self.address, error)
            if told is None:
                raise
            raise told from error

    async def read_soon(self, ask: Callable[[Session], T]) -> T:
        """`read` for the event loop, on a bounded pool of threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read, ask)

    def _write_for_ever(self) -> None:
        with Session(self._writer, expire_on_commit=False) as session:
            while True:
                batch, ended = self._next_batch()
                if batch:
                    self._commit(session, batch)
                if ended:
                    return

    def _next_batch(self) -> tuple[list[_Act], bool]:
        batch: list[_Act] = []
        act = self._acts.get()
        while act is not None:
            # From here on nobody can cancel it: a future that is done already would end this thread.
            if act.done.set_running_or_notify_cancel():
                batch.append(act)
            if len(batch) >= MAX_BATCH:
                return batch, False
            try:
                act = self._acts.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, session: Session, batch: list[_Act]) -> None:
        try:
            _begin(session)  # if that fails, it fails for all
            if len(batch) == 1:
                batch[0].do(session)  # no savepoint: with its failure the transaction has failed
            else:
                for act in batch:
                    self._run(session, act)
            if self._last is not None:
                self._run_last(session, self._last)
            session.commit()
        except Exception as error:  # noqa: BLE001 - the writer outlives any failure: each waiter gets it
            session.rollback()
            refusal = self._explain(error)
            for act in batch:
                act.error = act.error or refusal
        finally:
            session.expunge_all()
        for act in batch:
            act.tell()
        self._checkpoint()

    def _checkpoint(self) -> None:
        if not self._wal or time.monotonic() < self._checkpoint_after_s:
            return
        try:
            if _size_of(self._wal) < CHECKPOINT_PAGES * 4096:
                return
            if not self._fold_in():
                self._checkpoint_after_s = time.monotonic() + CHECKPOINT_AGAIN_S
        except (OSError, DBAPIError, sqlite3.Error):
            self._checkpoint_after_s = time.monotonic() + CHECKPOINT_AGAIN_S
            _log.warning("the database's journal could not be folded in", action="checkpoint_failed")

    def _fold_in(self) -> bool:
        """Whether all of SQLite's journal is in the database now; a reader may hold a part of it off."""
        connection = self._writer.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={CHECKPOINT_BUSY_MS}")
            try:
                return bool(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
            finally:
                cursor.execute(f"PRAGMA busy_timeout={self._busy_ms}")
        finally:
            connection.close()

    def _run(self, session: Session, act: _Act) -> None:
        """One act in a savepoint: its failure is its own and leaves the others of the batch alone."""
        try:
            with session.begin_nested():
                act.do(session)
        except DBAPIError as error:
            if ends_transaction(self.address, error):
                raise
            act.error = self._explain(error)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked, in its own thread
            act.error = error

    def _run_last(self, session: Session, last: _Last) -> None:
        act = _Act(last.run)
        act.done.add_done_callback(last.hear)
        self._run(session, act)
        act.tell()

    def _explain(self, error: BaseException) -> BaseException:
        told = meaning(self.address, error) if isinstance(error, DBAPIError) else None
        if told is None and isinstance(error, OperationalError):
            return Unavailable(f"the database cannot be written now ({error.orig})")
        return told or error

    def _connect(self) -> None:
        try:
            self._writer.connect().close()
        except DBAPIError as error:
            raise self._explain(error) from error


def _begin(session: Session) -> None:
    """Begin; on a new connection, where the one that was kept has ended since. Nothing was asked of it yet."""
    try:
        session.connection()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        session.rollback()
        session.connection()


def _size_of(path: str) -> int:
    """Asked after each commit: a `Path` would take longer than the question."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0
