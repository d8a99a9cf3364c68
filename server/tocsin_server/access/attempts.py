"""Guessing a password gets slower with every guess, and never shuts anybody out for good.

Counted by login and address together, so that nobody can keep Alice out by guessing at her door from elsewhere.
A login that nobody has is counted like any other.
"""

from dataclasses import dataclass

from tocsin_server.errors import Overloaded

FREE = 5
LONGEST_S = 60
FORGOTTEN_MS = 15 * 60_000
MAX_KEPT = 10_000

Key = tuple[str, str]


@dataclass(slots=True)
class _Failures:
    count: int
    last_ms: int


class Attempts:
    """The failed attempts of late. Only the event loop touches it."""

    def __init__(self) -> None:
        self._failures: dict[Key, _Failures] = {}

    def refuse_haste(self, key: Key, now_ms: int) -> None:
        """Raise `Overloaded` where the last failure is too short ago."""
        failures = self._failures.get(key)
        if failures is None or failures.count < FREE:
            return
        pause_ms = 1000 * min(2 ** (failures.count - FREE), LONGEST_S)
        wait_ms = failures.last_ms + pause_ms - now_ms
        if wait_ms > 0:
            raise Overloaded(
                "too many wrong passwords for this login",
                remedy=f"wait {-(-wait_ms // 1000)} s",
                retry_after_s=wait_ms / 1000,
            )

    def failed(self, key: Key, now_ms: int) -> None:
        """A wrong password."""
        earlier = self._failures.pop(key, None)
        count = earlier.count + 1 if earlier and now_ms - earlier.last_ms < FORGOTTEN_MS else 1
        self._failures[key] = _Failures(count, now_ms)
        if len(self._failures) > MAX_KEPT:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, key: Key) -> None:
        """The right one: what was before is forgotten."""
        self._failures.pop(key, None)
