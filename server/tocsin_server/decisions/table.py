"""A decision table as its file says it. Rows stand for bits: row 0 is the lowest bit of a mask."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tocsin_server.decisions.cell import Cell
from tocsin_server.decisions.domain import Domain, Value

FALLBACK = "fallback"
"""The id of a last row that decides where no other does: what DMN calls default output entries."""


class HitPolicy(StrEnum):
    """How many rows may apply, and which of them answer: DMN's letters."""

    UNIQUE = "U"
    """One; two are a mistake in the table."""
    FIRST = "F"
    """The first that applies."""
    ANY = "A"
    """Several, which all answer the same."""
    COLLECT = "C"
    """All that apply, each with an answer of its own."""
    SUM = "C+"
    """All that apply, their numbers added; likewise the least and the greatest."""
    LEAST = "C<"
    GREATEST = "C>"

    @property
    def collects(self) -> bool:
        return self.value[0] == "C"


AGGREGATES = frozenset({HitPolicy.SUM, HitPolicy.LEAST, HitPolicy.GREATEST})


class Column(NamedTuple):
    """One thing that is asked, or answered."""

    name: str
    domain: Domain

    def __str__(self) -> str:
        return f"{self.name}:{self.domain}"


@dataclass(frozen=True, slots=True)
class Row:
    """A cell for each input, a value for each output. `line` counts from 1."""

    id: str
    line: int
    cells: tuple[Cell, ...]
    answer: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`digest` is the short one of the file's bytes."""

    name: str
    digest: str
    policy: HitPolicy
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """What a ticket's history quotes."""
        return f"{self.name}@{self.digest}"

    @property
    def everything(self) -> int:
        """The mask of all rows."""
        return (1 << len(self.rows)) - 1

    @property
    def fallback(self) -> int:
        """The bit of the fallback; 0 where there is none."""
        return 1 << len(self.rows) - 1 if self.rows[-1].id == FALLBACK else 0
