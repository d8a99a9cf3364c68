"""A reading that is dear, or hardly ever moves: taken now and then, and remembered in between."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Seldom(Generic[Value]):
    """Calls `read` at most once in `every_s`; an error of `read` is raised, and it is tried again next time."""

    def __init__(
        self, read: Callable[[], Value], *, every_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._every_s = every_s
        self._monotonic = monotonic
        self._taken: tuple[float, Value] | None = None

    def value(self) -> Value:
        """The reading, at most `every_s` old."""
        now_s = self._monotonic()
        if self._taken is None or now_s - self._taken[0] >= self._every_s:
            self._taken = (now_s, self._read())
        return self._taken[1]

    def forget(self) -> None:
        """Take it anew next time."""
        self._taken = None
