"""The thread that judges late data, at its own time, once it has come together.

    journal.late ─▶ gaps ─▶ hindsight ─▶ episodes ─▶ the database; nobody is told

It works a little and rests for longer, so that pushes and rounds go on as if it were not there; it holds no
lock of theirs. A gap counts as judged once what has come of it is written; until then it is judged again.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from tocsin_server.alerts.belated import write_episodes
from tocsin_server.alerts.episode import Episode
from tocsin_server.alerts.hindsight import Hindsight
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.watch import HostOf
from tocsin_server.clock import Clock
from tocsin_server.estate.estate import HostFacts
from tocsin_server.health import Health
from tocsin_server.ingest.gaps import Gap, sort_out
from tocsin_server.ingest.journal import Journal
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()

LOOK_EVERY_S = 1.0
AGAIN_S = 10.0
"""How long it waits after a failure."""
WORK_S, REST_S = 0.01, 0.04
"""A fifth of one core at most, in pieces that nobody notices."""
TOGETHER = 200
"""So many episodes are written at once: a moment for the one writer."""
SURE_MS = 60_000
"""What was received this long ago has been noted, however slow the disk was."""


class Backfill:
    """The loop and its thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        hosts: Callable[[], Sequence[HostFacts]],
        host_of: HostOf,
        rules: Callable[[], RuleSet],
        storage: Storage,
        health: Health,
        clock: Clock,
        interval_s: float,
        keep_hours: int,
    ) -> None:
        """`keep_hours` is how long the journal has everybody's frames."""
        self._journal = journal
        self._hosts = hosts
        self._host_of = host_of
        self._rules = rules
        self._storage = storage
        self._health = health
        self._clock = clock
        self._interval_s = interval_s
        self._keep_ms = keep_hours * 3_600_000
        self._owed_ms = self._said_ms = 0
        """The newest receipt that was judged, and up to which it was said."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-late", daemon=True)
        health.late_waiting.set_function(lambda: len(journal.late))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End in the middle of whatever it does: what is not written is judged again after a start."""
        self._ended.set()
        self._thread.join()

    def turn(self, now_ms: int) -> list[Episode]:
        """Judge all gaps that are ripe; what was news."""
        hosts = {host.id: host for host in self._hosts()}
        ripe = sort_out(self._journal.late.waiting(), hosts, now_ms, interval_s=self._interval_s)
        self._journal.late.settle(ripe.trifles, now_ms)
        found: list[Episode] = []
        for gap in ripe.gaps:
            of_client = [host for host in hosts.values() if host.client_id == gap.client_id]
            episodes = self._judge(gap, of_client, now_ms)
            if episodes is None:
                return found
            found += self._write(gap, episodes, now_ms)
        self._remember(now_ms)
        return found

    def _judge(self, gap: Gap, hosts: Sequence[HostFacts], now_ms: int) -> list[Episode] | None:
        """What has come of a gap; nothing where the server ends meanwhile."""
        hindsight = Hindsight(
            gap,
            self._rules(),
            hosts,
            host_of=self._host_of,
            interval_s=self._interval_s,
            whole_from_ms=now_ms - self._keep_ms,
        )
        ids = frozenset(host.id for host in hosts)
        begun_s = time.monotonic()
        for _ in hindsight.play(lambda start_ms, end_ms: self._journal.frames_among(ids, start_ms, end_ms)):
            if time.monotonic() - begun_s >= WORK_S:
                if self._ended.wait(REST_S if self._thread.is_alive() else 0):
                    return None
                begun_s = time.monotonic()
        return hindsight.episodes

    def _write(self, gap: Gap, episodes: Sequence[Episode], now_ms: int) -> list[Episode]:
        news: list[Episode] = []
        for begin in range(0, len(episodes), TOGETHER):
            some = episodes[begin : begin + TOGETHER]
            news += self._storage.write(partial(write_episodes, episodes=some, now_ms=now_ms))
        self._journal.late.settle(gap.spans.values(), now_ms)
        self._owed_ms = max(self._owed_ms, *(span.last_received_ms for span in gap.spans.values()))
        self._health.late_episodes.inc(len(news))
        self._health.late_judged.inc(gap.length_s)
        _log.info(
            "late data is judged",
            action="late_judged",
            client_id=gap.client_id,
            hosts=len(gap.spans),
            seconds=gap.length_s,
            episodes=len(news),
        )
        return news

    def _remember(self, now_ms: int) -> None:
        """Say for the next start up to which receipt all is judged, where there is news once a minute."""
        first = [span.first_received_ms - 1 for span in self._journal.late.waiting()]
        until_ms = min([now_ms - SURE_MS, *first])
        if self._said_ms < self._owed_ms and until_ms >= min(self._owed_ms, self._said_ms + SURE_MS):
            self._journal.judged_late(until_ms)
            self._said_ms = until_ms

    def _run(self) -> None:
        wait_s = LOOK_EVERY_S
        while not self._ended.wait(wait_s):
            try:
                self.turn(self._clock.now_ms())
                wait_s = LOOK_EVERY_S
            except Exception:  # noqa: BLE001 - the outermost loop: what was not judged waits, and is judged later
                _log.exception("late data could not be judged and waits", action="late_failed")
                wait_s = AGAIN_S
