"""How many failed sign-ins are written down: guessing costs nothing, and must not fill the disk.

So many at once and then one a minute; those beyond are counted, and the next one that is written down says so.
"""

AT_ONCE = 30
EVERY_MS = 60_000


class Ration:
    """What is left for now. Only the event loop touches it."""

    def __init__(self) -> None:
        self._left = float(AT_ONCE)
        self._looked_ms = 0
        self._passed_over = 0

    def take(self, now_ms: int) -> int | None:
        """How many were passed over before, for one that is written down; nothing for one to pass over."""
        self._left = min(AT_ONCE, self._left + max(0, now_ms - self._looked_ms) / EVERY_MS)
        self._looked_ms = now_ms
        if self._left < 1:
            self._passed_over += 1
            return None
        self._left -= 1
        passed_over, self._passed_over = self._passed_over, 0
        return passed_over
