"""The only place that asks the machine what time it is; everything else is told `now`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What says the time; tests pass one whose hands they move."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...


class SystemClock:
    """The machine's own."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that stands still until it is moved; for tests, ours and an extension's."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._set_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return (self._now_ms - self._set_ms) / 1000

    def set(self, *, seconds: float) -> None:
        """Somebody sets the clock on the wall by so much, and no time passes."""
        self._now_ms += round(seconds * 1000)
        self._set_ms += round(seconds * 1000)

    def move(self, *, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)


def moment(ms: int) -> datetime:
    """Milliseconds since 1970 as an aware datetime, exactly; `OverflowError` beyond the year 9999."""
    return _EPOCH + timedelta(milliseconds=ms)


def milliseconds(at: datetime) -> int:
    """The reverse, of an aware datetime of any zone; what is less than one is cut off."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
