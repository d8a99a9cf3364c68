"""A dump's rows, put into an empty database: all of them, in one transaction, or none.

    1. tables as the dump's revision has them
    2. its rows, parents first; then every key is checked, and every count
    3. the migrations to this version's tables
    4. commit

Keys are checked once all is there: of two hosts the first may be probed by the second. SQLite looks when it is
asked; PostgreSQL is told so of each key that points into its own table, and the reverse afterwards.
"""

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from tocsin_server.errors import Misconfigured
from tocsin_server.storage.address import VARIABLE, Address, engine
from tocsin_server.storage.dump import Scalar, rows, tables_of
from tocsin_server.storage.limits import first_line
from tocsin_server.storage.migrate import check_keys_later, require_keys, upgrade

_ROWS = 500
"""How many rows go to the database at a time."""


@contextlib.contextmanager
def loading(where: Address, metadata: MetaData, revision: str) -> Iterator["Loading"]:
    """Load an empty database; what was loaded is committed where the context ends well.

    Raises `Misconfigured` where the database cannot be used, or is not empty.
    """
    loaded = engine(where, read_only=False)
    if where.is_sqlite:
        check_keys_later(loaded)
    try:
        with loaded.connect() as connection, connection.begin():
            _require_empty(connection, where)
            upgrade(connection, metadata, to=revision)
            yield Loading(connection, metadata)
    except SQLAlchemyError as error:
        raise Misconfigured(
            f"the database {where.shown} cannot be used ({_said(error)})",
            remedy=f"look at the disk, or at the database server, the role and {VARIABLE}",
        ) from error
    finally:
        loaded.dispose()


class Loading:
    """A load under way. What does not fit is a `ValueError`."""

    def __init__(self, connection: Connection, metadata: MetaData) -> None:
        self._connection = connection
        self._metadata = metadata
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._tables = {str(table.name): table for table in tables_of(connection)}
        if not self._is_sqlite:
            # Whoever fetches the rows, and an index of many, may take their time.
            self._say("SET LOCAL statement_timeout = 0")
            self._say("SET LOCAL idle_in_transaction_session_timeout = 0")
            self._let_keys_wait("DEFERRABLE INITIALLY DEFERRED")

    def take(self, name: str, columns: Sequence[str], lines: bytes) -> None:
        """Put the rows of a piece into a table."""
        table = self._table(name, columns)
        readers = [_reader(table.columns[column]) for column in columns]
        statement = table.insert().values(
            {column: _bound(self._connection, table.columns[column]) for column in columns}
        )
        batch: list[dict[str, Any]] = []
        for row in rows(lines):
            values = zip(columns, readers, row, strict=True)
            batch.append({column: read(value) for column, read, value in values})
            if len(batch) == _ROWS:
                self._insert(table, statement, batch)
                batch = []
        if batch:
            self._insert(table, statement, batch)

    def finish(self, expected: Mapping[str, tuple[Sequence[str], int]]) -> None:
        """Check keys and counts, of exactly these tables, and bring them to this version."""
        for name, (columns, number) in expected.items():
            there = self._count(self._table(name, columns))
            if there != number:
                raise ValueError(f"{name} has {there} rows instead of {number}")
        if missing := self._tables.keys() - expected.keys():
            raise ValueError(f"it has no table {min(missing)}")
        self._check_keys()
        self._set_sequences()
        upgrade(self._connection, self._metadata)
        self._require_sound()

    def _table(self, name: str, columns: Sequence[str]) -> Table:
        table = self._tables.get(name)
        if table is None:
            raise ValueError(f"its revision has no table {name!r}")
        if sorted(columns) != sorted(table.columns.keys()):
            raise ValueError(f"the columns of {name} are not those of its revision")
        return table

    def _insert(self, table: Table, statement: Any, batch: list[dict[str, Any]]) -> None:  # noqa: ANN401
        try:
            self._connection.execute(statement, batch)
        except OperationalError:  # a disk or a connection: no fault of the rows
            raise
        except (SQLAlchemyError, OverflowError) as error:
            raise ValueError(f"rows of {table.name} do not fit: {_said(error)}") from error

    def _count(self, table: Table) -> int:
        return self._connection.execute(select(func.count()).select_from(table)).scalar_one()

    def _check_keys(self) -> None:
        if self._is_sqlite:
            require_keys(self._connection)
            return
        try:
            self._say("SET CONSTRAINTS ALL IMMEDIATE")
        except IntegrityError as error:
            raise ValueError(f"a row points at one that is not there: {_said(error)}") from error
        self._let_keys_wait("NOT DEFERRABLE")

    def _let_keys_wait(self, how: str) -> None:
        """PostgreSQL's keys that point into their own table."""
        for table in self._tables.values():
            for key in table.foreign_key_constraints:
                if key.referred_table is table:
                    name = self._quoted(str(key.name))
                    self._say(f"ALTER TABLE {self._quoted(table.name)} ALTER CONSTRAINT {name} {how}")

    def _set_sequences(self) -> None:
        """New rows get numbers behind those that were loaded; SQLite looks for itself."""
        if self._is_sqlite:
            return
        for table in self._tables.values():
            for column in table.primary_key.columns:
                sequence = func.pg_get_serial_sequence(self._quoted(table.name), column.name)
                last = select(func.max(column)).scalar_subquery()
                if isinstance(column.type, Integer):
                    self._connection.execute(select(func.setval(sequence, last)).where(last.is_not(None)))

    def _require_sound(self) -> None:
        """SQLite's own checks, of what is about to be committed."""
        if not self._is_sqlite:
            return
        require_keys(self._connection)
        said = self._connection.execute(text("PRAGMA integrity_check")).scalars().first()
        if said != "ok":
            raise Misconfigured(f"the restored database is damaged ({said})", remedy="look at the disk")

    def _say(self, statement: str) -> None:
        self._connection.execute(text(statement))

    def _quoted(self, name: str) -> str:
        return self._connection.dialect.identifier_preparer.quote(name)


def _require_empty(connection: Connection, where: Address) -> None:
    if inspect(connection).get_table_names():
        raise Misconfigured(
            f"the database {where.shown} is not empty: nothing is overwritten",
            remedy=f"make a new one, and name it in {VARIABLE}",
        )


def _reader(column: Column[Any]) -> Callable[[Scalar], Any]:
    if isinstance(column.type, LargeBinary):
        return _bytes
    if isinstance(column.type, Float):
        return _float
    return _as_it_is


def _as_it_is(value: Scalar) -> Scalar:
    return value


def _bytes(value: Scalar) -> bytes | None:
    if value is None:
        return None
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as error:
        raise ValueError(f"bytes are not base64 ({error})") from error


def _float(value: Scalar) -> float | None:
    return None if value is None else float(value)


def _bound(connection: Connection, column: Column[Any]) -> Any:  # noqa: ANN401 - a parameter, or one in a cast
    """A JSON column takes its text untouched; SQLite keeps text in it, PostgreSQL wants to be told."""
    if not isinstance(column.type, JSON):
        return bindparam(column.name)
    said = bindparam(column.name, type_=Text())
    return said if connection.dialect.name == "sqlite" else cast(said, column.type)


def _said(error: SQLAlchemyError | OverflowError) -> str:
    return first_line(error) if isinstance(error, DBAPIError) else str(error).split("\n", 1)[0]
