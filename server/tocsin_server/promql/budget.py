"""What one evaluation may cost: samples looked at, and time. It ends by itself, whatever was asked."""

import time
from collections.abc import Callable

from tocsin_server.errors import Unprocessable

MOST_SAMPLES = 50_000_000
"""Prometheus's own default limit."""
LONGEST_S = 10.0


class TooCostly(Unprocessable):
    """An evaluation has been ended because it would have taken too many samples or too long."""

    kind = "too-much"


class Budget:
    """Shared by all parts of one evaluation."""

    def __init__(
        self,
        *,
        samples: int = MOST_SAMPLES,
        seconds: float = LONGEST_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = self._samples = samples
        self._seconds = seconds
        self._monotonic = monotonic
        self._ends_s = monotonic() + seconds

    def spend(self, samples: int) -> None:
        """Pay before the work; raises `TooCostly` where it is more than is left."""
        self._left -= samples
        if self._left < 0:
            raise TooCostly(
                f"the expression looks at more than {self._samples:,} samples",
                remedy="ask for fewer series, a shorter range, or a longer step",
            )
        if self._monotonic() > self._ends_s:
            raise TooCostly(
                f"the expression has taken more than {self._seconds:g} s",
                remedy="ask for fewer series, a shorter range, or a longer step",
            )
