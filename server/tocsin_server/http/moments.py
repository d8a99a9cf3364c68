"""A moment as people write it: `1732500900`, `2026-11-25T02:15:00Z`, or `-5m` for five minutes ago."""

from tocsin_server.alerts.durations import parse_duration
from tocsin_server.alerts.moments import parse_moment
from tocsin_server.errors import Unprocessable

_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""


class BadMoment(Unprocessable):
    """A word that is no time."""

    kind = "bad-time"


def moment_ms(text: str, now_ms: int) -> int:
    """Milliseconds since 1970; raises `BadMoment`."""
    try:
        at_ms = _read(text.strip(), now_ms)
    except (ValueError, OverflowError):
        at_ms = -1
    if not 0 <= at_ms <= _LATEST_MS:
        raise BadMoment(f"{text[:40]!r} is no time", remedy="write Unix seconds, 2026-11-25T02:15:00Z, or -5m")
    return at_ms


def _read(text: str, now_ms: int) -> int:
    return now_ms - parse_duration(text[1:]) if text.startswith("-") else parse_moment(text)
