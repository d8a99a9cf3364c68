"""A database's rows as lines of JSON, the same whichever database they come from.

What is dumped is what the database itself says it has, not what this version's code knows: so a database can be
saved before it is migrated, and an old dump is loaded into the tables of its own time (`storage/load.py`). A
line is one row, as a JSON array in the order of the table's columns:

    text, numbers, yes and no   as JSON has them
    a float that is no number   its name, as text: JSON has none
    bytes                       base64
    a JSON column               its text, untouched: not read and written again

Here are no files: whoever calls puts the pieces where they belong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Float,
    MetaData,
    Table,
    Text,
    cast,
    inspect,
    select,
    text,
)

_VERSIONS = "alembic_version"
"""Where migrations keep the revision: a backup says it in its manifest."""
_ROWS = 500
"""How many rows are in memory at a time."""
_PIECE_BYTES = 1 << 20

Scalar = int | float | str | bool | None
_line_of = msgspec.json.Encoder().encode
_row_of = msgspec.json.Decoder(list[Scalar]).decode


class Piece(NamedTuple):
    """Some rows of a table."""

    rows: int
    lines: bytes


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's tables; nothing where there are none."""
    if not inspect(connection).has_table(_VERSIONS):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalar_one_or_none()  # noqa: S608


def tables_of(connection: Connection) -> list[Table]:
    """The tables of a database, each behind those it refers to; without those that only index others."""
    there = MetaData()
    virtual = _virtual(connection)
    there.reflect(connection, only=lambda name, _: name not in virtual)
    return [table for table in there.sorted_tables if table.name != _VERSIONS]


def _virtual(connection: Connection) -> frozenset[str]:
    """SQLite's virtual tables, and what they are made of: triggers fill them."""
    if connection.dialect.name != "sqlite":
        return frozenset()
    asked = text("SELECT name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')")
    return frozenset(connection.execute(asked).scalars())


def dump(connection: Connection, table: Table) -> Iterator[Piece]:
    """All rows of a table as the connection's transaction sees them, in the order of its key."""
    question = select(*[_readable(column) for column in table.columns]).order_by(*table.primary_key.columns)
    floats = [n for n, column in enumerate(table.columns) if isinstance(column.type, Float)]
    lines, number = bytearray(), 0
    with connection.execution_options(yield_per=_ROWS).execute(question) as answer:
        for row in answer:
            lines += _line_of(_plain(row, floats)) + b"\n"
            number += 1
            if len(lines) >= _PIECE_BYTES:
                yield Piece(number, bytes(lines))
                lines, number = bytearray(), 0
    if number:
        yield Piece(number, bytes(lines))


def rows(lines: bytes) -> Iterator[list[Scalar]]:
    """The rows of a piece; raises `ValueError` where a line is none."""
    for line in lines.splitlines():
        try:
            yield _row_of(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"a line is no row ({error})") from error


def widths(lines: bytes) -> Counter[int]:
    """How many rows of how many columns a piece holds; raises `ValueError` where a line is no row."""
    return Counter(len(row) for row in rows(lines))


def _readable(column: Column[Any]) -> ColumnElement[Any]:
    return cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column


def _plain(row: Sequence[Any], floats: Sequence[int]) -> list[Any]:
    plain = list(row)
    for n in floats:
        value = plain[n]
        if value is not None and value - value != 0:  # an infinity, or no number
            plain[n] = str(value)
    return plain
