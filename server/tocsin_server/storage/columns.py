"""Column types that mean the same on every database."""

from enum import Enum

from sqlalchemy import BigInteger
from sqlalchemy import Enum as EnumColumn

Millis = BigInteger
"""Milliseconds since 1970 in UTC: more than 32 bits."""


def word(vocabulary: type[Enum]) -> EnumColumn:
    """A column that holds an enum's value as text, so that rows read like the API does."""
    return EnumColumn(
        vocabulary,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )
