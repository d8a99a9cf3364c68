"""Moments as people write them: Unix seconds, or RFC 3339, of which seconds may be left out."""

import re
from datetime import datetime

from tocsin_server.clock import milliseconds

_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})", re.ASCII
)
_UNIX_S = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970; raises `ValueError` or `OverflowError`."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is not a moment such as 2026-11-26T22:00:00+01:00")
    return milliseconds(datetime.fromisoformat(text))


def parse_moment(text: str) -> int:
    """The same, of Unix seconds too."""
    return round(float(text) * 1000) if _UNIX_S.fullmatch(text) else parse_rfc3339(text)
