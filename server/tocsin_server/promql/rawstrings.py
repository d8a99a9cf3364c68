"""Strings in backquotes, where a backslash is a backslash: promql-parser reads escapes in them all the same.

So they are written out, as strings in double quotes with everything escaped, before the parser sees the text.
"""

import re

from tocsin_server.promql.errors import BadExpression
from tocsin_server.promql.spelling import quoted

_QUOTED = re.compile(
    r"""
    `(?P<raw>[^`]*)(?P<end>`?)
    | "(?:[^"\\]|\\.)*"?         # one that is left open goes on to the end: what is in it is no raw string
    | '(?:[^'\\]|\\.)*'?
    | \#[^\n\r]*
    """,
    re.VERBOSE | re.DOTALL,
)


def without_raw_strings(text: str) -> str:
    """The expression with its raw strings written out, all else as it was; raises `BadExpression`."""
    return _QUOTED.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    if found["raw"] is None:
        return found[0]
    if not found["end"]:
        raise BadExpression(f"a string in backquotes is left open: `{found['raw'][:20]}", remedy="close it")
    return quoted(found["raw"])
