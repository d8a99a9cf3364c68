"""A column cut at its own constants: within a segment no row of the table can tell one value from another.

So any string and any number at all are as many cases as the table's own words tell apart, and what is shown
for one value of each segment is shown for all.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tocsin_server.decisions.cell import Cell
from tocsin_server.decisions.domain import Domain, Numbers, Text, Truth, Value, Words
from tocsin_server.decisions.table import Column, Table

MOST_STEPS = 1_000_000
"""A second or so: that many cells are asked for one value, that many combinations are looked at."""
ELSE = "anything else"


class TooManyCases(ValueError):
    """A table that is cut into more than can be looked at."""


class Segment(NamedTuple):
    """One of its values, and the rows whose cell holds it."""

    example: Value
    mask: int


@dataclass(frozen=True, slots=True)
class Axis:
    """The segments of a column in order.

    Of numbers with n `points`: below the first, the first, between it and the second, and so on; 2n + 1 in all.
    Of others: one for each of `points`, and where any string may stand one more, for all others.
    """

    column: Column
    points: tuple[Value, ...]
    segments: tuple[Segment, ...]


def axes_of(table: Table) -> tuple[Axis, ...]:
    """The table's inputs, cut; raises `TooManyCases`."""
    cuts = [
        (column, _rows_by_cell(cells))
        for column, cells in zip(
            table.inputs, zip(*(row.cells for row in table.rows), strict=True), strict=True
        )
    ]
    if sum(len(rows) * (2 * _constants(rows) + 1) for _, rows in cuts) > MOST_STEPS:
        raise TooManyCases("its cells hold too many different values: split the table")
    return tuple(_axis(column, rows) for column, rows in cuts)


def _rows_by_cell(cells: Sequence[Cell]) -> dict[Cell, int]:
    """The rows that have each of the cells, as masks: most cells of a column stand there often."""
    rows: dict[Cell, int] = defaultdict(int)
    for place, cell in enumerate(cells):
        rows[cell] |= 1 << place
    return rows


def _constants(cells: Iterable[Cell]) -> int:
    return sum(len(cell.values) + 2 * len(cell.ranges) for cell in cells)


def _axis(column: Column, rows: dict[Cell, int]) -> Axis:
    points = _points(column.domain, rows)
    examples = _examples(column.domain, points)
    return Axis(column, points, tuple(Segment(example, _mask(rows, example)) for example in examples))


def _points(domain: Domain, cells: Iterable[Cell]) -> tuple[Value, ...]:
    constants = {constant for cell in cells for constant in cell.constants()}
    match domain:
        case Truth():
            return (False, True)
        case Words(words):
            return words
        case Text():
            return tuple(sorted(map(str, constants)))
        case Numbers():
            return tuple(sorted(map(float, constants)))


def _examples(domain: Domain, points: tuple[Value, ...]) -> Iterable[Value]:
    match domain:
        case Text():
            return (*points, _another(points))
        case Numbers():
            return _numbers(domain, [float(point) for point in points])
        case _:
            return points


def _another(points: Collection[Value]) -> str:
    """A string that is none of these."""
    other = ELSE
    while other in points:
        other += "."
    return other


def _numbers(domain: Numbers, points: Sequence[float]) -> Iterator[float]:
    """A number for each segment of an axis."""
    for low, high in zip((-math.inf, *points), (*points, math.inf), strict=True):
        yield _between(domain, low, high)
        if high < math.inf:
            yield high


def _between(domain: Numbers, low: float, high: float) -> float:
    """A number between two neighbours, which may be infinite; one at the end where the domain has none between.

    No value is ever looked up in such an empty segment, and its example is one more look at a real case.
    """
    if math.isinf(low):
        return next(number for number in (domain.low, high - 1, 0.0) if math.isfinite(number))
    if math.isinf(high):
        return domain.high if math.isfinite(domain.high) else low + 1
    return math.floor(low) + 1 if domain.whole else (low + high) / 2


def _mask(rows: dict[Cell, int], value: Value) -> int:
    return sum(mask for cell, mask in rows.items() if cell.holds(value))
