"""Durations as Prometheus writes them: `5m`, `1h30m`, `1d`, `500ms`, `0s` and plain `0`."""

import re

_UNITS_MS = (
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
)
_DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit, _ in _UNITS_MS), re.ASCII)
_MAX_MS = (1 << 63) // 1_000_000
"""292 years: Go counts nanoseconds in 63 bits."""


def parse_duration(text: str) -> int:
    """Milliseconds; raises `ValueError` with the remedy."""
    found = _DURATION.fullmatch(text)
    if text == "0":
        return 0
    if not text or found is None:
        raise ValueError(f"{text!r} is not a duration such as 5m, 1h30m or 0s")
    length_ms = sum(
        int(count or 0) * unit_ms for count, (_, unit_ms) in zip(found.groups(), _UNITS_MS, strict=True)
    )
    if length_ms > _MAX_MS:
        raise ValueError(f"{text!r} is longer than 292 years")
    return length_ms
