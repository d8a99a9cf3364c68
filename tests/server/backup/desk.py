"""A database with something in every column of every table, whatever its revision, and what it holds."""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import JSON, Boolean, Column, Connection, Float, Integer, LargeBinary, text
from sqlmodel import SQLModel

from tocsin_server.datafolder import TABLES
from tocsin_server.storage.address import Address, engine
from tocsin_server.storage.dump import dump, tables_of
from tocsin_server.storage.migrate import upgrade

ROWS = 3
_WORDS = ["Größe ≥ 3 \x1b[31m", "'; DROP TABLE client; --", 'tab\t line\n quote" back\\slash']
_FLOATS = [0.1 + 0.2, math.inf, None]


def make_desk(where: Address, revision: str = "head") -> None:
    """An empty database, filled at that revision."""
    if where.is_sqlite:
        where.path.write_bytes(_file(revision))
    else:
        _make(where, revision)


@cache
def _file(revision: str) -> bytes:
    """What is made once a process."""
    with TemporaryDirectory() as folder:
        where = file_in(Path(folder))
        _make(where, revision)
        return where.path.read_bytes()


def _make(where: Address, revision: str) -> None:
    made = engine(where, read_only=False)
    with made.connect() as connection, connection.begin():
        upgrade(connection, TABLES, to=revision)
        if where.is_sqlite:
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        fill(connection)
    made.dispose()


def fill(connection: Connection) -> None:
    for table in tables_of(connection):
        rows = [{c.name: _value(c, n) for c in table.columns} for n in range(1, ROWS + 1)]
        # Self-references point forwards too; PostgreSQL looks at them once the statement is done.
        connection.execute(table.insert().values(rows))


def _value(column: Column, n: int):
    for key in column.foreign_keys:
        return ROWS + 1 - n if key.column.table is column.table else _value(key.column, n)
    if enums := getattr(SQLModel.metadata.tables[column.table.name].columns[column.name].type, "enums", None):
        return enums[n % len(enums)]
    if isinstance(column.type, Boolean):
        return n % 2 == 0
    if isinstance(column.type, Integer):
        return n if column.primary_key else 1_700_000_000_000 + n if column.name.endswith("_ms") else n
    if isinstance(column.type, Float):
        return _FLOATS[n - 1]
    if isinstance(column.type, JSON):
        return {"n": n, "words": _WORDS, "deep": [{"a": None, "b": 1.5, "c": True}]}
    if isinstance(column.type, LargeBinary):
        return bytes(range(256)) * n
    return f"{_WORDS[n - 1]} {n}"


def rows_of(where: Address) -> Mapping[str, list[tuple]]:
    """Every row of every table, as the code reads them."""
    read = engine(where, read_only=True)
    with read.connect() as connection:
        held = {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }
    read.dispose()
    return held


def lines_of(where: Address) -> Mapping[str, bytes]:
    """Every row of every table, as a dump has them."""
    read = engine(where, read_only=True)
    with read.connect() as connection, connection.begin():
        lines = {t.name: b"".join(piece.lines for piece in dump(connection, t)) for t in tables_of(connection)}
    read.dispose()
    return lines


def file_in(folder: Path) -> Address:
    folder.mkdir(parents=True, exist_ok=True)
    return Address.of_file(folder / "tocsin.db")


def silent(_said: str, _bytes: int) -> None:
    """Nobody waits."""
