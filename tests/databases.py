"""Databases for tests: each kind is migrated once and filled once, and every test gets a copy of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, Engine, NullPool, func, select
from sqlmodel import Session, SQLModel, create_engine
from tests.postgres import SUPERUSER, Cluster, trusted

from tocsin_server.storage import postgres, sqlite
from tocsin_server.storage.address import Address
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

Fill = Callable[[Storage], object]
Made = TypeVar("Made")

ON_BOTH = pytest.mark.parametrize(
    "empty", ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)], indirect=True
)
"""For a test of a room in which most are on SQLite alone."""


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
    """What copies are made of. A copy, and a mould that is filled further, last as long as their contexts.

    What is on its shelf lasts as long as itself.
    """

    shelf: "Shelf"

    def copied(self, folder: Path) -> AbstractContextManager[Address]: ...

    def filled(self, folder: Path, fill: Fill) -> "AbstractContextManager[Mould]": ...


class Shelf:
    """Moulds that are made once, however often who wants them is made anew.

    pytest ends a fixture, and all that is made of it, whenever the next test wants another kind of database
    than the last one: in an order that is drawn, and by several processes, that is at every second test.
    """

    def __init__(self) -> None:
        self._until = ExitStack()
        self._made: dict[object, Any] = {}

    def once(self, what: object, make: Callable[[], AbstractContextManager[Made]]) -> Made:
        if what not in self._made:
            self._made[what] = self._until.enter_context(make())
        made: Made = self._made[what]
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until.close()


class FileMould:
    """A file of SQLite's."""

    def __init__(self, content: bytes) -> None:
        self.shelf = Shelf()
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
    """A database of PostgreSQL's that others are made from.

    That takes 15 ms, and the first look at a new one as long again; so a copy that a test has let go of is put
    back as it was and lent to the next, unless its tables themselves have changed.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.shelf = Shelf()
        self._cluster = cluster
        self._name = name
        self._spare: list[_Copy] = []

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Address]:
        copy = self._spare.pop() if self._spare else _Copy(self._cluster, self._cluster.copy_of(self._name))
        try:
            yield Address.of(self._cluster.url(copy.name))
        finally:
            if copy.put_back():
                self._spare.append(copy)

    @contextmanager
    def filled(self, folder: Path, fill: Fill) -> Iterator[Mould]:
        name = self._cluster.copy_of(self._name)
        with Storage(Address.of(self._cluster.url(name))) as storage:
            fill(storage)
            storage.write(count_on)
        mould = TemplateMould(self._cluster, name)
        try:
            yield mould
        finally:
            mould.drop()

    def drop(self) -> None:
        """It, what is on its shelf, and the copies that nobody has."""
        with self.shelf:
            pass
        for copy in self._spare:
            copy.drop()
        self._cluster.drop(self._name)


@contextmanager
def migrated_on(cluster: Cluster) -> Iterator[Mould]:
    """A database without rows, of PostgreSQL's."""
    compile_once_for(cluster)
    name = cluster.copy_of()
    migrate(Address.of(cluster.url(name)), SQLModel.metadata)
    mould = TemplateMould(cluster, name)
    yield mould
    mould.drop()


class _Copy:
    """A database as it was made: what it held at first is kept beside its tables."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self._cluster = cluster
        self._operator = psycopg.connect(cluster.conninfo(name, SUPERUSER), autocommit=True)
        self._do("SET session_replication_role = replica")  # rows may go in any order
        tables = [row[0] for row in self._ask(_TABLES)]
        held = [table for table in tables if self._ask(f"SELECT EXISTS (TABLE public.{table})")[0][0]]
        self._do(
            ";".join(["CREATE SCHEMA kept", *(f"CREATE TABLE kept.{table} AS TABLE {table}" for table in held)])
        )
        numbers = self._ask(_NUMBERS)
        self._restore = ";".join(
            [
                *(f"DELETE FROM {table}" for table in tables),  # noqa: S608 - as PostgreSQL quotes it
                *(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept.{table}" for table in held),
                *(f"SELECT setval('{name}', {last or 1}, {last is not None})" for name, last in numbers),
            ]
        )
        self._shape = self._ask(_SHAPE)

    def put_back(self) -> bool:
        """Make it as it was; whether that could be. If not, it is dropped."""
        try:
            self._do(_LEAVE)
            if self._ask(_SHAPE) == self._shape:
                self._do(self._restore)
                return True
        except psycopg.Error:  # the test has ended the server, or made it another one
            pass
        self.drop()
        return False

    def drop(self) -> None:
        self._operator.close()
        self._cluster.drop(self.name)

    def _do(self, statements: str) -> None:
        self._operator.execute(trusted(statements))

    def _ask(self, statement: str) -> list[Any]:
        return self._operator.execute(trusted(statement)).fetchall()


_TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
_NUMBERS = "SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE schemaname = 'public'"
_LEAVE = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_SHAPE = """\
SELECT count(*), sum(hashtext(row::text)::bigint) FROM (
  SELECT xmin, oid FROM pg_class UNION ALL SELECT xmin, attrelid FROM pg_attribute
  UNION ALL SELECT xmin, oid FROM pg_constraint UNION ALL SELECT xmin, oid FROM pg_policy
  UNION ALL SELECT xmin, oid FROM pg_trigger UNION ALL SELECT xmin, oid FROM pg_proc
  UNION ALL SELECT xmin, setrole FROM pg_db_role_setting UNION ALL SELECT xmin, oid FROM pg_authid
) AS row"""
"""Whatever changes a table, a right or a role writes one of these rows anew."""


def differences(connection: Connection) -> list[Any]:
    """What the tables lack of the code's, or have beside; but for the index of words, each database's own."""

    def is_common(name: str | None, _kind: str, _parents: object) -> bool:
        return not (name or "").startswith(("ticket_index", "ticket_text_words"))

    context = MigrationContext.configure(connection, opts={"include_name": is_common})
    return compare_metadata(context, SQLModel.metadata)


def count_on(session: Session) -> None:
    """Go on from rows that got their numbers from a test, as SQLite does by itself."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in SQLModel.metadata.sorted_tables:
        if table.c.get("id") is not None and table.c.id.autoincrement and table.c.id.type.python_type is int:
            last = select(func.max(table.c.id)).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, "id")
            session.execute(select(func.setval(sequence, last)).where(last.is_not(None)))
