"""Databases for tests: each kind is migrated once and filled once, and every test gets a copy of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, Dialect, Engine, MetaData, NullPool, event, func, select
from sqlmodel import Session, SQLModel, create_engine
from tests.postgres import SUPERUSER, Cluster, trusted

from tocsin_server.storage import migrate as migrations
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


@cache
def compile_once() -> None:
    """Let all engines of a kind share the statements that this process has compiled: a sixth of the time."""
    first = create_engine("sqlite://")
    first.connect().close()  # the dialect asks SQLite what it can do
    sqlite.create_engine = _sharing(first)


@cache
def migrate_once() -> None:
    """Let each new file of SQLite's be as the first that was migrated here: a tenth of a second each."""
    upgrade, made = migrations._upgrade, list[bytes]()

    def upgrade_or_copy(where: Address, metadata: MetaData) -> None:
        is_new = where.is_sqlite and not (where.path.exists() and where.path.stat().st_size)
        if is_new and made:
            where.path.write_bytes(made[0])
            return
        upgrade(where, metadata)
        if is_new:
            made.append(where.path.read_bytes())

    migrations._upgrade = upgrade_or_copy


class Connections:
    """PostgreSQL's, which are lent to one engine after the other: a new one has each table to look up first."""

    def __init__(self) -> None:
        self._spare: dict[str, list[psycopg.Connection[Any]]] = {}

    def lend(
        self, _dialect: Dialect, _record: object, _words: object, wanted: dict[str, Any]
    ) -> psycopg.Connection[Any] | None:
        """One that was used before, if there is one that answers."""
        spare = self._spare.get(wanted["dbname"], [])
        while spare:
            connection = spare.pop()
            if connection.info.user == wanted.get("user") and as_new(connection):
                return connection
            connection.close()
        return None

    def take_back(self, connection: psycopg.Connection[Any]) -> None:
        if as_new(connection):
            self._spare.setdefault(connection.info.dbname, []).append(connection)
        else:
            connection.close()

    def pids(self, database: str) -> list[int]:
        """Of the connections to this database that nobody has."""
        return [connection.info.backend_pid for connection in self._spare.get(database, ())]

    def leave(self, database: str) -> None:
        """For it will be dropped, or copied."""
        for connection in self._spare.pop(database, ()):
            connection.close()


def as_new(connection: psycopg.Connection[Any]) -> bool:
    """Whether it could be made as it was when it was opened."""
    try:
        connection.rollback()
        connection.autocommit = True
        connection.execute("RESET ALL; RESET ROLE; SELECT pg_advisory_unlock_all()")
    except psycopg.Error:
        return False
    connection.read_only = connection.isolation_level = None
    return True


def compile_once_for(cluster: Cluster) -> Connections:
    """The same for PostgreSQL's engines from now on, whose connections are lent from one to the next."""
    first = create_engine(Address.of(cluster.url("postgres", SUPERUSER)).url, poolclass=NullPool)
    first.connect().close()
    connections = Connections()
    first.dialect.do_close = connections.take_back  # type: ignore[method-assign]
    postgres.create_engine = _sharing(first, connections)
    return connections


def _sharing(first: Engine, connections: Connections | None = None) -> Callable[..., Engine]:
    """What makes engines that know what the first one has found out about its kind of database."""
    compiled: dict[Any, Any] = {}

    def create(url: str | URL, **given: Any) -> Engine:
        engine = create_engine(url, **given)
        if connections is not None:
            event.listen(engine, "do_connect", connections.lend)
        engine.dialect.initialize = _is_known  # type: ignore[method-assign]
        engine.dialect = engine.pool._dialect = first.dialect
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    return create


def _is_known(connection: Connection) -> None:
    """Ask the database nothing."""


class Mould(Protocol):
    """What copies are made of. A copy, and a mould that is filled further, last as long as their contexts.

    What is on its rack lasts as long as itself.
    """

    rack: "Rack"

    def copied(self, folder: Path) -> AbstractContextManager[Address]: ...

    def filled(self, folder: Path, fill: Fill) -> "AbstractContextManager[Mould]": ...


class Rack:
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

    def close(self) -> None:
        self._until.close()


class FileMould:
    """A file of SQLite's."""

    def __init__(self, content: bytes) -> None:
        self.rack = Rack()
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

    def __init__(self, cluster: Cluster, name: str, connections: Connections) -> None:
        self.rack = Rack()
        self._cluster = cluster
        self._name = name
        self._connections = connections
        self._spare: list[_Copy] = []

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Address]:
        copy = self._spare.pop() if self._spare else _Copy(self._cluster, self._cluster.copy_of(self._name))
        try:
            yield Address.of(self._cluster.url(copy.name))
        finally:
            if copy.put_back(self._connections.pids(copy.name)):
                self._spare.append(copy)
            else:
                self._drop(copy)

    @contextmanager
    def filled(self, folder: Path, fill: Fill) -> Iterator[Mould]:
        name = self._cluster.copy_of(self._name)
        with Storage(Address.of(self._cluster.url(name))) as storage:
            fill(storage)
            storage.write(count_on)
        self._connections.leave(name)
        mould = TemplateMould(self._cluster, name, self._connections)
        try:
            yield mould
        finally:
            mould.drop()

    def drop(self) -> None:
        """It, what is on its rack, and the copies that nobody has."""
        self.rack.close()
        for copy in self._spare:
            self._drop(copy)
        self._cluster.drop(self._name)

    def _drop(self, copy: "_Copy") -> None:
        self._connections.leave(copy.name)
        copy.drop()


def empty_mould(request: pytest.FixtureRequest) -> Mould:
    """Of the kind that a fixture's parameter says; SQLite's, where it has none."""
    mould: Mould = request.getfixturevalue(f"empty_{getattr(request, 'param', 'sqlite')}")
    return mould


@contextmanager
def migrated_on(cluster: Cluster) -> Iterator[Mould]:
    """A database without rows, of PostgreSQL's."""
    connections = compile_once_for(cluster)
    name = cluster.copy_of()
    migrate(Address.of(cluster.url(name)), SQLModel.metadata)
    connections.leave(name)
    mould = TemplateMould(cluster, name, connections)
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
        restore = ";".join(
            [
                *(f"DELETE FROM {table}" for table in tables),  # noqa: S608 - as PostgreSQL quotes it
                *(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept.{table}" for table in held),
                *(f"PERFORM setval('{name}', {last or 1}, {last is not None})" for name, last in numbers),
            ]
        )
        # A procedure's statements are planned once.
        self._do(f"CREATE PROCEDURE kept.put_back() LANGUAGE plpgsql AS $$ BEGIN {restore}; END $$")
        self._shape = self._ask(_SHAPE)

    def put_back(self, lent: list[int]) -> bool:
        """Make it as it was, ending connections but those with these pids; whether that could be."""
        try:
            self._operator.execute(_LEAVE, [lent])
            if self._ask(_SHAPE) != self._shape:
                return False
            self._do("CALL kept.put_back()")
        except psycopg.Error:  # the test has ended the server, or made it another one
            return False
        return True

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
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)"""
_SHAPE = """\
SELECT count(*), sum(hashtext(row::text)::bigint) FROM (
  SELECT xmin, oid FROM pg_class WHERE oid >= 16384
  UNION ALL SELECT xmin, attrelid FROM pg_attribute WHERE attrelid >= 16384
  UNION ALL SELECT xmin, oid FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT xmin, oid FROM pg_constraint UNION ALL SELECT xmin, oid FROM pg_policy
  UNION ALL SELECT xmin, oid FROM pg_trigger
  UNION ALL SELECT xmin, setrole FROM pg_db_role_setting UNION ALL SELECT xmin, oid FROM pg_authid
) AS row"""
"""Whatever changes a table, a right or a role writes one of these rows anew.

Numbers below 16384 are what each database is made with
(postgresql.org/docs/current/system-catalog-initial-data.html).
"""


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
