"""When to collect: at once, then every interval at a phase of this host's own, on the monotonic clock.

A thousand hosts that are switched on together would else push together for ever. What is overdue is done
once, not caught up with. Pure: the instants come in as arguments.
"""

import math

SHORTEST_S, LONGEST_S = 1.0, 300.0


class Schedule:
    """`phase` in [0, 1) is where in the interval this host stands."""

    def __init__(self, interval_s: float, *, phase: float, start_s: float) -> None:
        self.due_s = start_s
        self.interval_s = interval_s
        self._phase = phase
        self._origin_s = start_s + phase * interval_s

    def advance(self, now_s: float) -> None:
        """The next instant after `now_s`."""
        passed = math.floor((now_s - self._origin_s) / self.interval_s) + 1
        due_s = self._origin_s + max(passed, 0) * self.interval_s
        # Rounding can give `now_s` itself.
        self.due_s = due_s if due_s > now_s else due_s + self.interval_s

    def steer(self, interval_s: float, now_s: float) -> None:
        """The server has asked for another interval, from now on; within reason."""
        interval_s = min(max(interval_s, SHORTEST_S), LONGEST_S)
        if interval_s != self.interval_s:
            self.interval_s = interval_s
            self._origin_s = now_s + self._phase * interval_s
            self.advance(now_s)
