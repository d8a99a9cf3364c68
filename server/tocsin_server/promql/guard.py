"""The door before promql-parser, which trusts its input more than a server may.

It recurses per operator and bracket until the stack is gone, which ends the process; its time is quadratic with
the interpreter's lock held; and it panics outside `Exception` on some texts. So a text is measured first (real
rules stay far below every limit), then parsed on a thread whose stack is large whatever the platform's default.
"""

import re
import threading
from collections.abc import Callable
from typing import TypeVar

from tocsin_server.promql.errors import BadExpression

MOST_CHARACTERS = 4096
MOST_INK = 1500
"""Characters neither blank nor inside a string or comment; 1,131 real expressions have 844 at most."""
DEEPEST = 50
"""Brackets inside brackets; real expressions have 7 at most."""
STACK_BYTES = 16 << 20

_QUIET = re.compile(
    r"""
    "(?:[^"\\\n]|\\.)*"     # strings
    | '(?:[^'\\\n]|\\.)*'
    | `[^`]*`
    | \#[^\n]*              # comments
    | \s+
    """,
    re.VERBOSE,
)
_STACK = threading.Lock()

T = TypeVar("T")


def check(text: str) -> None:
    """Refuse a text that the parser should not see."""
    if len(text) > MOST_CHARACTERS:
        raise BadExpression(
            f"the expression has {len(text)} characters, at most {MOST_CHARACTERS} are allowed",
            remedy="split it",
        )
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


def _depth(ink: str) -> int:
    depth = deepest = 0
    for character in ink:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


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
