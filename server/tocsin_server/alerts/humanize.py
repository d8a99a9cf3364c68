"""Prometheus's own words for values in an annotation: `humanize` and its like."""

import math
import re
from collections.abc import Mapping, Sequence

from tocsin_server.alerts.gofmt import BadFormat, Value, not_finite, written
from tocsin_server.clock import moment

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_LARGE_1024 = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_INT64 = 1 << 63
_NUMBER = re.compile(
    r"[-+]?(\d+(\.\d*)?(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?|inf(inity)?|nan)", re.IGNORECASE | re.ASCII
)


def number(value: Value) -> float:
    """A float, or a string that is one; raises `BadFormat` for the rest."""
    if isinstance(value, Mapping) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        raise BadFormat(f"{written(value)!r} is not a number")
    return float(value)


def humanize(value: float) -> str:
    """With a metric prefix: `1.235M`, `12.35u`."""
    if value == 0 or not math.isfinite(value):
        return _four_digits(value)
    if abs(value) >= 1:
        return _prefixed_large(value, 1000, _LARGE)
    return _prefixed_small(value)


def humanize_1024(value: float) -> str:
    """With a binary prefix: `1.177Mi`."""
    if abs(value) <= 1 or not math.isfinite(value):
        return _four_digits(value)
    return _prefixed_large(value, 1024, _LARGE_1024)


def humanize_percentage(value: float) -> str:
    """A ratio as percent: `97.12%`."""
    return f"{_four_digits(value * 100)}%"


def humanize_duration(value: float) -> str:
    """Seconds as `1d 2h 3m 4s`, or with a prefix below one second."""
    if not math.isfinite(value):
        return _four_digits(value)
    if value == 0 or abs(value) >= _INT64:
        return f"{_four_digits(value)}s"
    if abs(value) < 1:
        return f"{_prefixed_small(value)}s"
    sign, value = ("-", -value) if value < 0 else ("", value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{_four_digits(value)}s"


def humanize_timestamp(value: float) -> str:
    """Seconds since 1970 as a moment in UTC, to the millisecond."""
    if not math.isfinite(value):
        return _four_digits(value)
    if abs(value) * 1e9 >= _INT64:
        raise BadFormat(f"{written(value)} cannot be represented as a nanoseconds timestamp")
    at = moment(int(value * 1000))
    fraction = f".{at.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def _four_digits(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else not_finite(value)


def _prefixed_large(value: float, step: int, prefixes: Sequence[str]) -> str:
    prefix = ""
    for larger in prefixes:
        if abs(value) < step:
            break
        prefix, value = larger, value / step
    return f"{_four_digits(value)}{prefix}"


def _prefixed_small(value: float) -> str:
    prefix = ""
    for smaller in _SMALL:
        if abs(value) >= 1:
            break
        prefix, value = smaller, value * 1000
    return f"{_four_digits(value)}{prefix}"
