"""What is wrong with a table as a whole: cases without a row, rows that contradict each other, dead rows.

Exact, and no sample: the axes have one value for all that rows cannot tell apart. Axis by axis, combinations
that leave the same rows are looked at as one, so a case is a mask of rows with an example.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tocsin_server.decisions.axis import MOST_STEPS, Axis, Segment, TooManyCases
from tocsin_server.decisions.domain import Value, spelled
from tocsin_server.decisions.table import FALLBACK, HitPolicy, Row, Table

MOST_PAIRS = 50
"""So many pairs of rows that contradict each other are told."""
_MOST_TOLD = 60
"""Characters of a value in a message."""

Example = tuple[Segment, ...]
"""A segment of each axis."""


class Fault(NamedTuple):
    """One thing that is wrong, in a row or, without one, in the table."""

    row: Row | None
    reason: str


def faults_of(table: Table, axes: Sequence[Axis]) -> list[Fault]:
    """Everything that is wrong; raises `TooManyCases`."""
    cases = cases_of(table.everything, axes)
    return [*_gaps(cases, axes), *_contradictions(table, cases, axes), *_dead(table, cases)]


def cases_of(everything: int, axes: Sequence[Axis]) -> dict[int, Example]:
    """Each mask of rows that apply together in some case, with the first such case; raises `TooManyCases`."""
    cases: dict[int, Example] = {everything: ()}
    steps = 0
    for axis in axes:
        distinct: dict[int, Segment] = {}
        for segment in axis.segments:
            distinct.setdefault(segment.mask, segment)
        steps += len(cases) * len(distinct)
        if steps > MOST_STEPS:
            raise TooManyCases(f"more than {MOST_STEPS:,} cases have to be told apart: split the table")
        wider: dict[int, Example] = {}
        for mask, example in cases.items():
            for segment in distinct.values():
                wider.setdefault(mask & segment.mask, (*example, segment))
        cases = wider
    return cases


def _gaps(cases: Mapping[int, Example], axes: Sequence[Axis]) -> Iterator[Fault]:
    if 0 in cases:
        told = _told(cases[0], [len(axis.segments) > 1 for axis in axes], axes)
        reason = f"no row applies to {told}: add one, or a last row {FALLBACK!r} with - for each input"
        yield Fault(None, reason)


def _contradictions(table: Table, cases: Mapping[int, Example], axes: Sequence[Axis]) -> Iterator[Fault]:
    """Rows that apply to one case though their policy forbids it, in pairs."""
    agreeing = _agreeing(table)
    if agreeing is None:
        return
    pairs: set[tuple[int, int]] = set()
    for mask, example in cases.items():
        for pair in _pairs(mask & ~table.fallback, agreeing):
            if pair in pairs:
                continue
            if len(pairs) == MOST_PAIRS:
                return
            pairs.add(pair)
            yield _contradiction(table, pair, example, axes)


def _agreeing(table: Table) -> list[int] | None:
    """For each row those, as a mask, that may apply beside it; None where any may."""
    if table.policy is HitPolicy.UNIQUE:
        return [1 << place for place in range(len(table.rows))]
    if table.policy is not HitPolicy.ANY:
        return None
    alike: dict[tuple[object, ...], int] = defaultdict(int)
    for place, row in enumerate(table.rows):
        alike[row.answer] |= 1 << place
    return [alike[row.answer] for row in table.rows]


def _pairs(mask: int, agreeing: Sequence[int]) -> Iterator[tuple[int, int]]:
    for first in _places(mask):
        for second in _places(mask & ~agreeing[first] & ~((1 << first) - 1)):
            yield first, second


def _contradiction(table: Table, pair: tuple[int, int], example: Example, axes: Sequence[Axis]) -> Fault:
    first, second = (table.rows[place] for place in pair)
    asked = [not (one.is_any and other.is_any) for one, other in zip(first.cells, second.cells, strict=True)]
    told = _told(example, asked, axes) or "everything"
    both = f"{second.id!r} and {first.id!r} (line {first.line}) both apply to {told}"
    if table.policy is HitPolicy.UNIQUE:
        return Fault(second, f"{both}: narrow one of them, or take the policy F, by which the first decides")
    return Fault(second, f"{both} and answer differently: narrow one of them, or make them agree")


def _dead(table: Table, cases: Mapping[int, Example]) -> Iterator[Fault]:
    applying, deciding = 0, 0
    for mask in cases:
        applying |= mask
        deciding |= mask & -mask
    alive = (
        deciding if table.policy is HitPolicy.FIRST else applying & ~table.fallback | deciding & table.fallback
    )
    for place in _places(table.everything & ~alive):
        row = table.rows[place]
        if not applying >> place & 1:
            yield Fault(row, f"{row.id!r} never applies: its cells hold for no value; mend or delete it")
        else:
            taken = ", ".join(repr(table.rows[each].id) for each in _before(1 << place, cases))
            yield Fault(row, f"{row.id!r} never decides: all its cases are taken by {taken}; move or delete it")


def _before(row: int, cases: Mapping[int, Example]) -> list[int]:
    """The rows that decide where this one applies."""
    return list(_places(sum({mask & -mask for mask in cases if mask & row})))


def _places(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _told(example: Example, asked: Sequence[bool], axes: Sequence[Axis]) -> str:
    """`severity=critical, tier=gold` of the columns that are asked about."""
    parts = zip(axes, example, asked, strict=True)
    return ", ".join(
        f"{axis.column.name}={_clipped(each.example)}" for axis, each, is_asked in parts if is_asked
    )


def _clipped(value: Value) -> str:
    text = spelled(value)
    return text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}…"
