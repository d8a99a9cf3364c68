"""A table made fast: each axis gives a mask of the rows whose cell holds a value; what is left of all decides.

One look-up or bisection an input, an AND of integers, and an answer that was made beforehand. What a table is
asked is checked each time: a value that is missing, or not of its column's type, is an error that names it.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from tocsin_server.decisions.axis import Axis
from tocsin_server.decisions.domain import Numbers, Text, Truth, Value
from tocsin_server.decisions.table import AGGREGATES, HitPolicy, Table
from tocsin_server.errors import Unprocessable

Answer = Mapping[str, Value]
"""A value for each output."""
Index = Callable[[object], int]
"""The rows whose cell holds a value; raises `TypeError` or `KeyError` for what is not of the column's type."""

_COMBINED: Mapping[HitPolicy, Callable[[Sequence[float]], float]] = {
    HitPolicy.SUM: sum,
    HitPolicy.LEAST: min,
    HitPolicy.GREATEST: max,
}


class Decision(NamedTuple):
    """What was decided: an answer, or with the policy C one for each row; the rows' ids, and `table@digest`."""

    answers: tuple[Answer, ...]
    rows: tuple[str, ...]
    table: str

    @property
    def outputs(self) -> Answer:
        """The one answer; raises `ValueError` where there are several."""
        (only,) = self.answers
        return only

    def __str__(self) -> str:
        """What a ticket's history quotes: `routing@5f2c19a0b7de row gold-day`."""
        return f"{self.table} row{'s' if len(self.rows) > 1 else ''} {', '.join(self.rows)}"


class Decider:
    """A table without faults, and its axes."""

    def __init__(self, table: Table, axes: Sequence[Axis]) -> None:
        self.table = table
        self._everything = table.everything
        self._fallback = table.fallback
        self._indexes = [(axis.column.name, _index(axis)) for axis in axes]
        self._answers = [_answer(table, row.answer) for row in table.rows]
        self._decisions = [
            Decision((answer,), (row.id,), table.label)
            for row, answer in zip(table.rows, self._answers, strict=True)
        ]

    def decide(self, inputs: Mapping[str, object]) -> Decision:
        """What the table says; inputs that it does not ask for are no matter. Raises `Unprocessable`."""
        mask = self._everything
        try:
            for name, index in self._indexes:
                mask &= index(inputs[name])
        except (KeyError, TypeError):
            raise self._misasked(inputs) from None
        if self.table.policy.collects:
            return self._collected(mask & ~self._fallback or self._fallback)
        return self._decisions[(mask & -mask).bit_length() - 1]

    def _collected(self, mask: int) -> Decision:
        places = [place for place in range(len(self._answers)) if mask >> place & 1]
        answers = tuple(self._answers[place] for place in places)
        if self.table.policy in AGGREGATES:
            answers = (_combined(self.table, answers),)
        return Decision(answers, tuple(self.table.rows[place].id for place in places), self.table.label)

    def _misasked(self, inputs: Mapping[str, object]) -> Unprocessable:
        for name, domain in self.table.inputs:
            if name not in inputs:
                return Unprocessable(
                    f"table {self.table.name!r} is not told {name!r}", remedy=f"say it as {domain}"
                )
            if not domain.takes(inputs[name]):
                given = f"{inputs[name]!r:.80}"
                return Unprocessable(
                    f"table {self.table.name!r} is told {name!r} as {given}", remedy=f"say it as {domain}"
                )
        raise AssertionError("an index refuses what its column takes")


def _index(axis: Axis) -> Index:
    masks = [segment.mask for segment in axis.segments]
    by_value: dict[object, int] = dict(zip(axis.points, masks, strict=False))
    match axis.column.domain:
        case Numbers() as domain:
            return _number_index(domain, [float(point) for point in axis.points], masks)
        case Truth():
            return _truth_index(*masks)
        case Text():
            return _text_index(by_value, masks[-1])
        case _:
            return by_value.__getitem__


def _number_index(domain: Numbers, points: Sequence[float], masks: Sequence[int]) -> Index:
    def index(value: object) -> int:
        if not domain.takes(value):
            raise TypeError
        place = bisect_left(points, value)
        return masks[2 * place + (place < len(points) and points[place] == value)]

    return index


def _truth_index(false: int, true: int) -> Index:
    def index(value: object) -> int:
        if value is True:
            return true
        if value is False:
            return false
        raise TypeError

    return index


def _text_index(by_value: Mapping[object, int], others: int) -> Index:
    def index(value: object) -> int:
        if not isinstance(value, str):
            raise TypeError
        return by_value.get(value, others)

    return index


def _answer(table: Table, values: Sequence[Value]) -> Answer:
    return MappingProxyType({column.name: value for column, value in zip(table.outputs, values, strict=True)})


def _combined(table: Table, answers: Sequence[Answer]) -> Answer:
    """One number for each output; reading the table has seen to it that they are numbers."""
    combine = _COMBINED[table.policy]
    columns = ((column.name, [answer[column.name] for answer in answers]) for column in table.outputs)
    return MappingProxyType({name: combine([float(value) for value in values]) for name, values in columns})
