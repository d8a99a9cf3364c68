"""The thread that writes hours to history once they are over, and again when something late has come for them.

    journal.owed ─▶ the journal's frames of the hour ─▶ stretches ─▶ Days, durable ─▶ settled ─▶ the note

It works a little and rests for longer, so that pushes and rounds go on as if it were not there; it holds no
lock of theirs. Only what history has on disk is settled, and only what is settled may leave the journal: where
history cannot be written the journal grows, the status says so, and nothing is lost.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from tocsin_server import heap
from tocsin_server.clock import Clock
from tocsin_server.config import ServerConfig
from tocsin_server.health import Health
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.owed import Hour
from tocsin_server.series.history.days import Closing, Days, Keep, Retention
from tocsin_server.series.history.stretches import hours_of

_log = structlog.get_logger()

LOOK_EVERY_S = 10.0
AGAIN_S = 30.0
"""How long it waits after a failure."""
RESTS = 4
"""Times as long as it has worked: a fifth of one core at most."""
TOGETHER = 4
"""So many hours are in memory at once, some MiB, and share a transaction, hence a wait for the disk."""
MANY = 32
"""More hours than that are those of many hosts, and not what comes late of a few."""


class Historian:
    """The loop and its thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        days: Days,
        client_of: Callable[[int], int | None],
        health: Health,
        clock: Clock,
    ) -> None:
        """`client_of` knows the client of a host, retired ones too."""
        self._journal = journal
        self._days = days
        self._client_of = client_of
        self._health = health
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-history", daemon=True)
        self.is_failing = False
        """Whether history could not be written the last time."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the hours that are being written; what is not is owed at the next start."""
        self._ended.set()
        self._thread.join()

    def turn(self, now_ms: int) -> int:
        """Write all hours that are due; how many were new to history, in whole or in part."""
        due, news = self._journal.owed.due(now_ms), 0
        self._health.history_waiting.set(len(due))
        for begin in range(0, len(due), TOGETHER):
            if self._ended.is_set():
                break
            hours = due[begin : begin + TOGETHER]
            news += self._write(hours)
            self._health.history_waiting.dec(len(hours))
        if len(due) > MANY:
            heap.give_back()
        return news

    def _write(self, hours: Sequence[Hour]) -> int:
        begun_s = time.monotonic()
        closings = [closing for hour in hours if (closing := self._closing(hour)) is not None]
        news = self._days.write(closings)
        self._journal.owed.settle(hours)
        self._journal.hours_written()
        self._health.history_hours.inc(news)
        self._rest(RESTS * (time.monotonic() - begun_s))
        return news

    def _closing(self, hour: Hour) -> Closing | None:
        """What the journal has of it; nothing where that cannot be read any more, or nobody owns it."""
        client_id = self._client_of(hour.host_id)
        frames = self._journal.frames_of(hour.host_id, hour.hour_ms, hour.end_ms)
        stretch = hours_of(frames).get(hour.hour_ms)
        return None if client_id is None or stretch is None else Closing(client_id, hour.host_id, stretch)

    def _rest(self, seconds: float) -> None:
        if self._thread.is_alive():
            self._ended.wait(seconds)

    def _run(self) -> None:
        wait_s = LOOK_EVERY_S
        while not self._ended.wait(wait_s):
            try:
                self.turn(self._clock.now_ms())
                wait_s, self.is_failing = LOOK_EVERY_S, False
            except Exception:  # noqa: BLE001 - the outermost loop: what was not written is still owed
                if not self.is_failing:
                    _log.exception("closed hours cannot be written to history", action="history_failed")
                wait_s, self.is_failing = AGAIN_S, True


def retention_of(settings: ServerConfig, clients: Mapping[str, int]) -> Retention:
    """How long history is kept; `clients` are the ids by slug. Who is not there any more has what all have."""
    own = {clients[slug]: Keep(*settings.days_of(slug)) for slug in settings.client_history if slug in clients}
    return Retention(Keep(settings.samples_days, settings.rollup_days), own)
