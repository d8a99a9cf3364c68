"""Databases for tests: each kind is migrated once and filled once, and every test gets a copy of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, NullPool, func, select
from sqlmodel import Session, SQLModel, create_engine
from tests.postgres import SUPERUSER, Cluster

from tocsin_server.storage import postgres, sqlite
from tocsin_server.storage.address import Address
from tocsin_server.storage.engine import Storage

Fill = Callable[[Storage], object]


def compile_once() -> None:
    """Let all engines of a kind share the statements that this process has compiled: a sixth of the time."""
    first = create_engine("sqlite://")
    first.connect().close()  # the dialect asks SQLite what it can do
    sqlite.create_engine = _sharing(first)


def compile_once_for(cluster: Cluster) -> None:
    """The same for PostgreSQL's engines, from now on."""
    first = create_engine(Address.of(cluster.url("postgres", SUPERUSER)).url, poolclass=NullPool)
    first.connect().close()
    postgres.create_engine = _sharing(first)


def _sharing(first: Engine) -> Callable[..., Engine]:
    """What makes engines that know what the first one has found out about its kind of database."""
    compiled: dict[Any, Any] = {}

    def create(url: str | URL, **given: Any) -> Engine:
        engine = create_engine(url, **given)
        engine.dialect.initialize = _is_known  # type: ignore[method-assign]
        engine.dialect = engine.pool._dialect = first.dialect
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    return create


def _is_known(connection: Connection) -> None:
    """Ask the database nothing."""


class Mould(Protocol):
    """What copies are made of. A copy, and a mould that is filled further, last as long as their contexts."""

    def copied(self, folder: Path) -> AbstractContextManager[Address]: ...

    def filled(self, folder: Path, fill: Fill) -> "AbstractContextManager[Mould]": ...


class FileMould:
    """A file of SQLite's."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Address]:
        path = folder / "tocsin.db"
        path.write_bytes(self._content)
        yield Address.of_file(path)

    @contextmanager
    def filled(self, folder: Path, fill: Fill) -> Iterator[Mould]:
        with self.copied(folder) as where:
            with Storage(where) as storage:
                fill(storage)
            yield FileMould(where.path.read_bytes())


class TemplateMould:
    """A database of PostgreSQL's that others are made from; it takes 15 ms."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Address]:
        with self._copy() as name:
            yield Address.of(self._cluster.url(name))

    @contextmanager
    def filled(self, folder: Path, fill: Fill) -> Iterator[Mould]:
        with self._copy() as name:
            with Storage(Address.of(self._cluster.url(name))) as storage:
                fill(storage)
                storage.write(count_on)
            yield TemplateMould(self._cluster, name)

    @contextmanager
    def _copy(self) -> Iterator[str]:
        name = self._cluster.copy_of(self._name)
        try:
            yield name
        finally:
            self._cluster.drop(name)


def count_on(session: Session) -> None:
    """Go on from rows that got their numbers from a test, as SQLite does by itself."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in SQLModel.metadata.sorted_tables:
        if table.c.get("id") is not None and table.c.id.autoincrement and table.c.id.type.python_type is int:
            last = select(func.max(table.c.id)).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, "id")
            session.execute(select(func.setval(sequence, last)).where(last.is_not(None)))
