"""The data folder: one server at a time has it, and commands may change its database beside that server."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, SQLModel

import tocsin_server.access.store
import tocsin_server.alerts.store
import tocsin_server.desk.store
import tocsin_server.estate.store  # noqa: F401 - all four: their tables
from tocsin_server.errors import Misconfigured
from tocsin_server.storage.address import VARIABLE, Address, address, engine
from tocsin_server.storage.limits import first_line
from tocsin_server.storage.migrate import known, migrate, newest, of_later_version, revision

T = TypeVar("T")

TABLES = SQLModel.metadata


def database(data: Path) -> Address:
    """Where the database is that goes with a data folder: in it, or where TOCSIN_DATABASE says."""
    return address(data, os.environ)


def make_folder(data: Path) -> None:
    """The folder, for its owner only; raises `Misconfigured` where it cannot be."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unusable(data, error) from error


def make_database(data: Path) -> bool:
    """Folder and database as this version needs them; whether anything had to be done."""
    make_folder(data)
    with _usable(database(data)):
        return migrate(database(data), TABLES)


def administer(data: Path, act: Callable[[Session], T]) -> T:
    """One change by a command, beside a running server or without one; committed when this returns."""
    where = database(data)
    with _usable(where):
        if revision(where) is None:
            raise _without_tables(where, data)
        migrate(where, TABLES)
        writer = engine(where, read_only=False)
        try:
            with Session(writer, expire_on_commit=False) as session, session.begin():
                return act(session)
        finally:
            writer.dispose()


def look(data: Path, ask: Callable[[Session], T]) -> T:
    """One question by a command; nothing is changed. The tables have to be as this version needs them."""
    where = database(data)
    with _usable(where):
        _require_tables(where, data)
        reader = engine(where, read_only=True)
        try:
            with Session(reader) as session:
                return ask(session)
        finally:
            reader.dispose()


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the folder: two servers on one folder would each believe to be the only writer."""
    make_folder(data)
    try:
        lock: IO[str] = (data / "lock").open("a+")
    except OSError as error:
        raise _unusable(data, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise Misconfigured(
                f"the data folder {data} is in use by process {lock.read().strip() or 'unknown'}",
                remedy="stop that server, or choose another folder with --data",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _require_tables(where: Address, data: Path) -> None:
    had = revision(where)
    if had == newest():
        return
    if had is None:
        raise _without_tables(where, data)
    if had not in known():
        raise of_later_version(where, had)
    raise Misconfigured(
        f"the database {where.shown} is of an earlier version (revision {had}, and {newest()} is needed)",
        remedy=f"tocsin-server migrate --data {data}",
    )


def _without_tables(where: Address, data: Path) -> Misconfigured:
    return Misconfigured(f"there are no tables in {where.shown}", remedy=f"tocsin-server migrate --data {data}")


@contextlib.contextmanager
def _usable(where: Address) -> Iterator[None]:
    """What a database says, such as that it is none, is held by somebody or cannot be reached, in a line."""
    try:
        yield
    except DatabaseError as error:
        raise Misconfigured(
            f"the database {where.shown} cannot be used ({first_line(error)})",
            remedy="look at the file and the disk, and stop whatever else holds it"
            if where.is_sqlite
            else f"look at the database server, at the role and at {VARIABLE}",
        ) from error


def _unusable(data: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"the data folder {data} cannot be used ({error.strerror})", remedy="choose another with --data"
    )
