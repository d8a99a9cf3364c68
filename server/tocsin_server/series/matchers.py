"""Label matchers: `=`, `!=`, `=~`, `!~`, as Prometheus 3 means them.

A missing label is the empty word. A regular expression is RE2, matches the whole value, and its dot matches
a newline too. Each distinct value is asked once, however many series carry it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import re2

from tocsin_server.series.arrays import Bools, Codes
from tocsin_server.series.symbols import Symbols

_REGEX_MEMORY = 8 << 20
"""Bytes that one compiled expression may take; RE2 matches in linear time, this bounds its size."""


class MatchKind(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label."""

    name: str
    kind: MatchKind
    value: str

    def matches(self, value: str) -> bool:
        """Whether a label of this value passes; a missing label is asked as the empty word."""
        if self.kind is MatchKind.EQUAL:
            return value == self.value
        if self.kind is MatchKind.NOT_EQUAL:
            return value != self.value
        found = anchored(self.value).fullmatch(value) is not None
        return found is (self.kind is MatchKind.REGEX)

    def passing(self, codes: Codes, symbols: Symbols) -> Bools:
        """Which of these codes pass, each distinct one asked once."""
        if self.kind in (MatchKind.EQUAL, MatchKind.NOT_EQUAL):
            code = symbols.find(self.value)
            equal = np.zeros(len(codes), dtype=np.bool_) if code is None else codes == code
            return equal if self.kind is MatchKind.EQUAL else ~equal
        distinct, inverse = np.unique(codes, return_inverse=True)
        verdicts = np.array([self.matches(symbols.word(int(code))) for code in distinct], dtype=np.bool_)
        return verdicts[inverse]


Matchers = tuple[Matcher, ...]


@lru_cache(maxsize=1024)
def anchored(pattern: str) -> "re2._Regexp":
    """The expression compiled; raises `ValueError` for one that RE2 does not take."""
    options = re2.Options()
    options.max_mem = _REGEX_MEMORY
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"the regular expression {pattern!r} cannot be used: {reason}") from error


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether one set of labels passes all matchers."""
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
