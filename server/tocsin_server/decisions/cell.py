"""A cell of an input: the unary tests of DMN's S-FEEL.

    -                        any value
    critical, "disk full"    one of these
    not(critical, info)      none of these
    <= 5, [10..20), ]30..40[ of numbers: comparisons, and intervals with their ends or without

Strings need quotes only where they hold what means something here. What DMN leaves to FEEL proper (expressions,
functions, null) is refused.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tocsin_server.decisions.domain import BadCell, Domain, Numbers, Text, Value, is_quoted

ANY = "-"
_NOT = re.compile(r"not\s*\((.*)\)")
_PART = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^",]*)\s*(,|\Z)')
_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(.*)")
_INTERVAL = re.compile(r"([\[(\]])\s*(\S+?)\s*\.\.\s*(\S+?)\s*([\])\[])")
_MEANS_SOMETHING = frozenset('()[]<>=!"')


class Range(NamedTuple):
    """Numbers between two ends, which are among it or not."""

    low: float
    high: float
    takes_low: bool = True
    takes_high: bool = True

    def holds(self, value: float) -> bool:
        above = self.low <= value if self.takes_low else self.low < value
        return above and (value <= self.high if self.takes_high else value < self.high)


@dataclass(frozen=True, slots=True)
class Cell:
    """Values and ranges, or everything but those. `text` is as it was written."""

    values: frozenset[Value] = frozenset()
    ranges: tuple[Range, ...] = ()
    negated: bool = False
    text: str = field(default=ANY, compare=False)

    @property
    def is_any(self) -> bool:
        """Whether it asks for nothing."""
        return self.text == ANY

    def holds(self, value: Value) -> bool:
        """Whether a value of the column's type passes."""
        return (value in self.values or self._spans(value)) != self.negated

    def constants(self) -> Iterator[Value]:
        """Where the answer may change."""
        yield from self.values
        yield from (end for each in self.ranges for end in each[:2] if math.isfinite(end))

    def _spans(self, value: Value) -> bool:
        return not isinstance(value, str) and any(each.holds(value) for each in self.ranges)


def parse_cell(text: str, domain: Domain) -> Cell:
    """The tests of a cell without the space around it; raises `BadCell`."""
    if text == ANY:
        return Cell(negated=True)
    if not text:
        raise BadCell(f"the cell is empty: write {ANY} where any value will do")
    negation = _NOT.fullmatch(text)
    values, ranges = set(), []
    for part in _parts(negation[1] if negation else text):
        test = _test(part, domain)
        if isinstance(test, Range):
            ranges.append(test)
        else:
            values.add(test)
    return Cell(frozenset(values), tuple(ranges), negation is not None, text)


def _parts(text: str) -> Iterator[str]:
    """What stands between commas that are in no quotes."""
    at, end = 0, ","
    while end:
        found = _PART.match(text, at)
        if found is None:
            raise BadCell(f"{text[at:].strip()!r} cannot be read: a comma belongs between values")
        part, end = found[1].strip(), found[2]
        if part in {"", ANY}:
            raise BadCell(f"{text!r} lists {part or 'nothing'!r}, which is no value")
        yield part
        at = found.end()


def _test(part: str, domain: Domain) -> Value | Range:
    if isinstance(domain, Numbers):
        return _number_test(part, domain)
    if not is_quoted(part) and _MEANS_SOMETHING.intersection(part):
        hint = "write it in double quotes" if isinstance(domain, Text) else f"the column is {domain}"
        raise BadCell(f"{part!r} is no value and no not(...): {hint}")
    return domain.literal(part)


def _number_test(part: str, domain: Numbers) -> Value | Range:
    compared = _COMPARISON.fullmatch(part)
    if compared is not None:
        sign, end = compared[1], domain.literal(compared[2])
        if sign[0] == "<":
            return Range(-math.inf, end, takes_high=sign == "<=")
        return Range(end, math.inf, takes_low=sign == ">=")
    spanned = _INTERVAL.fullmatch(part)
    return domain.literal(part) if spanned is None else _interval(spanned, domain)


def _interval(spanned: re.Match[str], domain: Numbers) -> Range:
    low, high = domain.literal(spanned[2]), domain.literal(spanned[3])
    found = Range(low, high, spanned[1] == "[", spanned[4] == "]")
    if low > high or (low == high and not found.holds(low)):
        raise BadCell(f"no number lies in {spanned[0]}")
    return found
