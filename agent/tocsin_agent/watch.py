"""The watch: at each due instant everything is collected, becomes a frame, and lies in the spool.

It never waits for the network: whether the server takes the frames is the push's business.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tocsin_agent.frames import Framer
from tocsin_agent.readings import Sample
from tocsin_agent.report import say
from tocsin_agent.schedule import Schedule
from tocsin_agent.spool import Spool

SYNC_AFTER_S = 0.8
"""A frame that the server has not acknowledged by then is made durable: within a second in all."""


class Readings(Protocol):
    """Everything that can be read of this host; `problems` by collector, of the last time."""

    problems: Mapping[str, str]

    def collect(self, now_ms: int) -> Sequence[Sample]:
        """The readings now; it may not raise."""


class Watch:
    """Collects when the schedule says so; `interval_s` asks how often that is, `wake` tells the push."""

    def __init__(
        self,
        readings: Readings,
        framer: Framer,
        spool: Spool,
        schedule: Schedule,
        *,
        interval_s: Callable[[], float],
        wake: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._readings = readings
        self._framer = framer
        self._spool = spool
        self._schedule = schedule
        self._interval_s = interval_s
        self._wake = wake
        self._monotonic = monotonic
        self._now_ms = now_ms
        self._problems: Mapping[str, str] = {}
        self._sync_s: float | None = None

    def run(self, stopping: threading.Event) -> None:
        """Step until `stopping` is set."""
        wait_s = 0.0
        while not stopping.wait(wait_s):
            try:
                wait_s = self.step()
            except Exception as error:  # noqa: BLE001 - outermost loop: a frame may be lost, the next is not
                say(f"a collection has failed with {type(error).__name__}: {error}")
                self._schedule.advance(self._monotonic())
                wait_s = SYNC_AFTER_S

    def step(self) -> float:
        """Do what is due; the seconds until there is more."""
        now_s = self._monotonic()
        self._schedule.steer(self._interval_s(), now_s)
        if now_s >= self._schedule.due_s:
            self._collect()
            self._schedule.advance(self._monotonic())
            # Not put off by each new frame: where one is due every second, none would ever be synced.
            self._sync_s = self._sync_s or self._monotonic() + SYNC_AFTER_S
        elif self._sync_s is not None and now_s >= self._sync_s:
            self._spool.sync()
            self._sync_s = None
        next_s = min(self._schedule.due_s, self._sync_s or self._schedule.due_s)
        return max(0.0, next_s - self._monotonic())

    def _collect(self) -> None:
        now_ms = self._now_ms()
        samples = self._readings.collect(now_ms)
        frame = self._framer.frame(samples, time_ms=now_ms)
        self._spool.append(frame, self._framer.schema)
        self._wake()
        self._tell_problems()

    def _tell_problems(self) -> None:
        """Each problem once, when it comes and when it goes."""
        problems = dict(self._readings.problems)
        for name, problem in problems.items():
            if name not in self._problems:
                say(f"collector {name}: {problem}")
        for name in self._problems:
            if name not in problems:
                say(f"collector {name}: works again")
        self._problems = problems
