"""Columns and indexes that mean the same on every database."""

from enum import Enum

from sqlalchemy import BigInteger, Index, Integer, text
from sqlalchemy import Enum as EnumColumn

Millis = BigInteger
"""Milliseconds since 1970 in UTC: more than 32 bits."""

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""A row's number: 64 bits, which SQLite's INTEGER has of itself, and only that counts by itself there."""


def word(vocabulary: type[Enum]) -> EnumColumn:
    """A column that holds an enum's value as text, so that rows read like the API does."""
    return EnumColumn(
        vocabulary,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def partial_index(name: str, *columns: str, where: str, unique: bool = False, shield: str = "") -> Index:
    """An index of the rows for which the condition holds.

    `shield` is the column that row-level security looks at: with it, PostgreSQL answers from the index alone.
    """
    return Index(
        name,
        *columns,
        unique=unique,
        sqlite_where=text(where),
        postgresql_where=text(where),
        postgresql_include=[shield] if shield else None,
    )
