"""The door before promql-parser, which trusts its input more than a server may.

It recurses per operator and bracket until the stack is gone, which ends the process; its time is quadratic with
the interpreter's lock held; it compiles each regular expression, a tenth of a second where counts in it are
large; and it panics outside `Exception` on some texts. So a text is measured first (real rules stay far below
every limit), then parsed on a thread whose stack is large whatever the platform's default.
"""

import re
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from tocsin_server.promql.errors import BadExpression
from tocsin_server.promql.rawstrings import without_raw_strings

MOST_CHARACTERS = 4096
MOST_INK = 1500
"""Characters neither blank nor inside a string or comment; 1,131 real expressions have 844 at most."""
DEEPEST = 50
"""Brackets inside brackets; real expressions have 7 at most."""
MOST_SWOLLEN = 4096
"""Characters of all strings, about, with what counts repeat written out; real expressions have 152 at most."""
STACK_BYTES = 16 << 20

_QUIET = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"        # strings, which the parser lets go over lines; raw ones are written out by now
    | '(?:[^'\\]|\\.)*'
    | \#[^\n\r]*            # comments
    | \s+
    """,
    re.VERBOSE | re.DOTALL,
)
"""Strings and comments as promql-parser reads them, be they none to Prometheus: what it sees, is counted."""
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U000([0-9a-fA-F]{5})|([0-7]{3})|.)", re.DOTALL)
_COUNTED = re.compile(r"(?P<what>.?)\{(?P<least>\d+)(?:,(?P<most>\d*))?\}", re.DOTALL)
_ONE = re.compile(r"[\w.\]]", re.ASCII)
"""What may end one letter or class of an expression; behind all else a count may repeat a group."""
_FLAG_X = re.compile(r"\(\?\w*x")
_QUOTES = ('"', "'")
_LARGE = 6
"""So many digits make a count that is larger than any limit."""
_STACK = threading.Lock()

T = TypeVar("T")


def admit(text: str) -> str:
    """The text as the parser may see it, its raw strings written out; raises `BadExpression`."""
    if len(text) > MOST_CHARACTERS:
        raise BadExpression(
            f"the expression has {len(text)} characters, at most {MOST_CHARACTERS} are allowed",
            remedy="split it",
        )
    plain = without_raw_strings(text)
    _check(plain)
    return plain


def _check(text: str) -> None:
    """Refuse a text that the parser should not see; its characters are counted already."""
    ink = _QUIET.sub("", text)
    if len(ink) > MOST_INK:
        raise BadExpression(
            f"the expression has {len(ink)} characters outside strings, at most {MOST_INK} are allowed",
            remedy="split it by a recording rule",
        )
    if _depth(ink) > DEEPEST:
        raise BadExpression(f"brackets are nested more than {DEEPEST} deep")
    if "@-" in ink:
        raise BadExpression("'@' with a negative time is not supported")
    strings = [word for word in _QUIET.findall(text) if word.startswith(_QUOTES)]
    _check_swollen(map(_pattern_of, strings))
    if any(_is_high_byte(escape) for word in strings for escape in _ESCAPED.finditer(word)):
        raise BadExpression("an escaped byte above \\x7f stands in a string", remedy="write the letter itself")


def check_pattern(pattern: str) -> None:
    """Refuse a regular expression that RE2 compiles too long: `0{1,1000}` 300 times takes it two minutes."""
    _check_swollen([pattern])


def _check_swollen(patterns: Iterable[str]) -> None:
    if sum(map(_swollen, patterns)) > MOST_SWOLLEN:
        raise BadExpression("a regular expression repeats too much", remedy="write + or * for a large count")


def _depth(ink: str) -> int:
    depth = deepest = 0
    for character in ink:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _pattern_of(word: str) -> str:
    """A string without what hides a count."""
    return _ESCAPED.sub(_letter, word)


def _swollen(pattern: str) -> int:
    """How long it is at most, about, with its repetitions written out; a class weighs as four letters."""
    if _FLAG_X.search(pattern):
        raise BadExpression("a regular expression has the flag 'x', which RE2 does not know")
    length, times = len(pattern), 1
    for counted in _COUNTED.finditer(pattern):
        if _ONE.fullmatch(counted["what"]):
            length += 4 * _count(counted)
        else:
            times *= max(1, _count(counted))
    return length * times


def _letter(escape: re.Match[str]) -> str:
    number = next(filter(None, escape.groups()), None)
    return escape[0] if number is None else chr(int(number, 8 if escape[4] else 16))


def _is_high_byte(escape: re.Match[str]) -> bool:
    """What promql-parser reads as a letter by itself, where Prometheus puts bytes together to letters."""
    return bool(escape[1] or escape[4]) and ord(_letter(escape)) > 0x7F


def _count(counted: re.Match[str]) -> int:
    """The larger of the two numbers; int() takes long over very long ones."""
    numbers = (number.lstrip("0")[:_LARGE] for number in counted.group("least", "most") if number)
    return max(int(number or 0) for number in numbers)


def on_deep_stack(work: Callable[[], T]) -> T:
    """What `work` gives or raises, run on a thread with a stack of `STACK_BYTES`."""
    outcome: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception; raised again below
            errors.append(error)

    with _STACK:  # the size is the process's, for the next thread that starts
        before = threading.stack_size(STACK_BYTES)
        try:
            thread = threading.Thread(target=run, name="tocsin-parse")
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if errors:
        raise errors[0]
    return outcome[0]
