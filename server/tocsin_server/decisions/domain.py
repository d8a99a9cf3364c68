"""The types of columns: which values there are, and how one is written.

string                         any text
bool                           true, false
enum(critical|warning|info)    one of these words
number, number(0..100)         any number, or one of these bounds and what lies between
integer, integer(1..4)         the whole ones
"""

import math
import re
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from tocsin_server.errors import suggestion

Value: TypeAlias = str | float | bool
"""Of a string or an enum, of a number (`int` or `float`), of a bool."""

MOST_DIGITS = 15
"""So many digits a `float` tells apart, so numbers that are written differently are different."""
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_TYPE = re.compile(r"(string|bool|enum|number|integer)\s*(?:\((.*)\))?")
_BOUNDS = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+?)\s*")
_WORD = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_TYPES = "string, bool, enum(a|b), number or integer, the last two also as integer(1..4)"


class BadCell(ValueError):
    """A text that cannot stand where it stands: why, and how to write it."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any string."""

    def __str__(self) -> str:
        return "string"

    def takes(self, value: object) -> bool:
        return isinstance(value, str)

    def literal(self, text: str) -> str:
        """A text as it stands, or in double quotes; raises `BadCell`."""
        if text in {"", "-"}:
            raise BadCell(f"""{text!r} is no text: write "" for an empty one, "-" for a hyphen""")
        return unquoted(text)


@dataclass(frozen=True, slots=True)
class Truth:
    """A bool. Capitals are taken too: spreadsheets write them."""

    def __str__(self) -> str:
        return "bool"

    def takes(self, value: object) -> bool:
        return isinstance(value, bool)

    def literal(self, text: str) -> bool:
        """Raises `BadCell`."""
        if text not in {"true", "false", "TRUE", "FALSE"}:
            raise BadCell(f"{text!r} is neither true nor false")
        return text in {"true", "TRUE"}


@dataclass(frozen=True, slots=True)
class Words:
    """An enum: some words, in the order in which they were told."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"enum({'|'.join(self.values)})"

    def takes(self, value: object) -> bool:
        return isinstance(value, str) and value in self.values

    def literal(self, text: str) -> str:
        """Raises `BadCell` with the word that was probably meant."""
        word = unquoted(text)
        if word not in self.values:
            raise BadCell(f"{word!r} is not of {self}{suggestion(word, self.values)}")
        return word


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers from `low` to `high`, both of them among it; `whole` ones or all."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def __str__(self) -> str:
        bounds = f"({spelled(self.low)}..{spelled(self.high)})" if math.isfinite(self.low) else ""
        return ("integer" if self.whole else "number") + bounds

    def takes(self, value: object) -> TypeGuard[float]:
        """Not a NaN, which is on neither side of anything, nor a bool, which Python counts among numbers."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and not (self.whole and value % 1)

    def literal(self, text: str) -> float:
        """An `int` where no decimal point stands; raises `BadCell`."""
        number = _number(text)
        if not self.takes(number):
            raise BadCell(f"{text} is not of {self}")
        return number


Domain: TypeAlias = Text | Truth | Words | Numbers


def parse_domain(text: str) -> Domain:
    """The type that a header names; raises `BadCell`."""
    named = _TYPE.fullmatch(text)
    if named is None:
        raise BadCell(f"{text!r} is no type: there are {_TYPES}")
    word, inner = named.groups()
    if word == "enum":
        return _words(inner)
    if word in {"number", "integer"}:
        return _numbers(inner, whole=word == "integer")
    if inner is not None:
        raise BadCell(f"{text!r} is no type: {word} takes no brackets")
    return Text() if word == "string" else Truth()


def spelled(value: Value) -> str:
    """A value as a cell has it; an empty text is seen."""
    if isinstance(value, str):
        return value or '""'
    return str(value).lower() if isinstance(value, bool) else f"{value:.15g}"


def is_quoted(text: str) -> bool:
    """Whether it is, or tries to be, a text in double quotes."""
    return text.startswith('"')


def unquoted(text: str) -> str:
    r"""What stands between double quotes, where `\"` and `\\` are characters; or the text itself."""
    if not is_quoted(text):
        return text
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        raise BadCell(rf"{text} does not end where its quotes do: write \" for a quote within")
    return re.sub(r"\\(.)", r"\1", quoted[1])


def _words(inner: str | None) -> Words:
    words = tuple(word.strip() for word in (inner or "").split("|"))
    for word in words:
        if not _WORD.fullmatch(word):
            raise BadCell(f"{word!r} is no word of an enum: write enum(a|b) with letters, digits, _ . and -")
    if len(set(words)) < len(words):
        raise BadCell("a word of the enum stands twice")
    return Words(words)


def _numbers(inner: str | None, *, whole: bool) -> Numbers:
    if inner is None:
        return Numbers(whole=whole)
    bounds = _BOUNDS.fullmatch(inner)
    if bounds is None:
        raise BadCell(f"{inner!r} are no bounds: write integer(1..4)")
    low, high = map(Numbers(whole=whole).literal, bounds.groups())
    if low > high:
        raise BadCell(f"{inner!r} are no bounds: the lower one comes first")
    return Numbers(low, high, whole)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadCell(f"{text!r} is not a number such as 15, -2 or 0.5")
    if sum(map(str.isdigit, text)) > MOST_DIGITS:
        raise BadCell(f"{text} has more than {MOST_DIGITS} digits")
    return float(text) if "." in text else int(text)
