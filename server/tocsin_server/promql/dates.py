"""Parts of a time in UTC, for whole vectors: each value is seconds since 1970."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tocsin_server.series.arrays import Floats

Moments = NDArray[np.datetime64]
Part = Callable[[Moments], NDArray[np.generic]]

_FARTHEST_S = 1 << 53


def _since(moments: Moments, larger: str, smaller: str) -> NDArray[np.generic]:
    """How many of the smaller units have passed since the larger one began."""
    began = moments.astype(f"datetime64[{larger}]")
    passed = moments.astype(f"datetime64[{smaller}]") - began.astype(f"datetime64[{smaller}]")
    return np.asarray(passed.astype(np.int64))


def _days_in_month(moments: Moments) -> NDArray[np.generic]:
    month = moments.astype("datetime64[M]")
    days = (month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")
    return np.asarray(days.astype(np.int64))


_PARTS: dict[str, Part] = {
    "day_of_month": lambda moments: _since(moments, "M", "D") + 1,
    "day_of_week": lambda moments: (moments.astype("datetime64[D]").astype(np.int64) + 4) % 7,
    "day_of_year": lambda moments: _since(moments, "Y", "D") + 1,
    "days_in_month": _days_in_month,
    "hour": lambda moments: _since(moments, "D", "h"),
    "minute": lambda moments: _since(moments, "h", "m"),
    "month": lambda moments: _since(moments, "Y", "M") + 1,
    "year": lambda moments: moments.astype("datetime64[Y]").astype(np.int64) + 1970,
}
DATES = frozenset(_PARTS)


def part(function: str, values: Floats) -> Floats:
    """That part of each value; NaN where the value is no time that a calendar has."""
    is_time = np.isfinite(values) & (np.abs(values) < _FARTHEST_S)
    seconds = np.where(is_time, values, 0.0).astype(np.int64)
    parts = _PARTS[function](seconds.astype("datetime64[s]")).astype(np.float64)
    return np.where(is_time, parts, np.nan)
