"""How many samples of a metric are kept: as many as the longest range that a loaded rule asks of it needs.

    depth = window / pace + SLACK        most metrics are asked for the last value only: SHALLOW

The *pace* is the time that is expected between two samples: the nominal interval of pushes. Three samples of
slack cover the one before the window, which an `offset` may ask for, and pushes that are up to two intervals
early. No window may lose samples because somebody is faster than that:

- A feed whose ring would let go of a sample that a window still reaches is given half the pace, and so rings
  twice as deep, before the sample is overwritten; down to a sixteenth of the interval.
- Faster still, samples are thinned: a sample that came within a sixteenth of the interval after the one before
  gives way to the next. The newest is always there, and windows keep their whole length.
"""

from collections.abc import Mapping
from math import ceil

SHALLOW = 2
SLACK = 3
_FINEST = 16


class Depths:
    """The ranges that were asked, by metric name; "" stands for every metric."""

    def __init__(self, *, interval_s: float) -> None:
        self.pace_ms = interval_s * 1000
        self.finest_ms = self.pace_ms / _FINEST
        self._windows: dict[str, int] = {}

    def require(self, windows: Mapping[str, int]) -> dict[str, int]:
        """Keep at least these ranges in milliseconds; those of them that are longer than what was kept."""
        longer = {name: window for name, window in windows.items() if window > self._windows.get(name, 0)}
        self._windows.update(longer)
        return longer

    def depth(self, name: str, pace_ms: float) -> int:
        """How many samples of a metric are kept where they come at this pace."""
        window = max(self._windows.get(name, 0), self._windows.get("", 0))
        return ceil(window / pace_ms) + SLACK if window > 0 else SHALLOW


def covered_ms(depth: int, pace_ms: float) -> float:
    """How far a ring of this depth must reach back from its newest sample."""
    return max(0, depth - SLACK) * pace_ms
