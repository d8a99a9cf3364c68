"""What rules look back on from before the head has it: out of journal and history.

The head keeps as much of a metric as rules ask, from when they ask. So it is given what was sent before: at a
start what is older than the hour of the journal that is played again, and for rules that are new all that they
look back on, before they come into force.

`up`, which nobody sends, is drawn again from when a host was heard; of the pause before this start it says
nothing, for that is nobody's silence. What rules record begins with the server, or with the rule.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import structlog

from tocsin_server.clock import Clock
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.findings import MADE_HERE
from tocsin_server.http.sent import Sent
from tocsin_server.series.arrays import stale
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.head import Head
from tocsin_server.series.labels import NAME
from tocsin_server.series.up import UP

_log = structlog.get_logger()

WITHIN_S = 30.0
"""So long a start waits for it, and rules that are new. Of the hosts that are left, rules see what comes."""

_NOT_YET = 1 << 62

Windows = Mapping[str, int]


class Recall:
    """Gives the head of each range the part that it has not; from one thread at a time."""

    def __init__(
        self, *, head: Head, sent: Sent, hosts: Callable[[], Sequence[HostFacts]], clock: Clock
    ) -> None:
        self._head = head
        self._sent = sent
        self._hosts = hosts
        self._clock = clock
        self._began_ms = _NOT_YET
        """Since when this server hears hosts; an agent's clock may be ahead of it."""
        self._ended = threading.Event()

    def stop(self) -> None:
        """Leave off in the middle: the server ends."""
        self._ended.set()

    def restore(self, windows: Windows) -> None:
        """After the journal was played again: what is older than that."""
        self._recall(windows, self._head.oldest_ms)
        self._began_ms = self._clock.now_ms()

    def require(self, windows: Windows) -> None:
        """Before rules that look back so far come into force: keep it, and give the head what was sent."""
        with self._head.lock:
            longer = self._head.require(windows)
        self._recall(longer, lambda _: None)

    def _recall(self, windows: Windows, known_from_ms: Callable[[int], int | None]) -> None:
        """`known_from_ms` says from when on the head has all of a host; nothing where it may lack any."""
        sent = {name: range_ms for name, range_ms in windows.items() if name not in MADE_HERE}
        hosts = self._enlisted() if sent else []
        began_s = time.monotonic()
        for done, host in enumerate(hosts):
            if self._ended.is_set():
                return
            if time.monotonic() - began_s > WITHIN_S:
                _log.warning(
                    f"rules look back on less than they say of {len(hosts) - done} of {len(hosts)} hosts",
                    action="recall_cut_short",
                )
                return
            try:
                self._recall_host(host, sent, known_from_ms)
            except Exception:  # noqa: BLE001 - what cannot be read of one host keeps no rule out of force
                _log.exception(
                    "rules look back on less than they say of a host", action="recall_failed", host=host.name
                )

    def _enlisted(self) -> list[HostFacts]:
        with self._head.lock:
            return [host for host in self._hosts() if self._head.is_enlisted(host.id)]

    def _recall_host(
        self, host: HostFacts, windows: Windows, known_from_ms: Callable[[int], int | None]
    ) -> None:
        now_ms = self._clock.now_ms()
        with self._head.lock:
            known_ms = known_from_ms(host.id) or now_ms
        sent = self._read(host, {name: windows[name] for name in windows if name != UP}, now_ms, known_ms)
        # Of `up` the journal gives nothing back.
        up_ms = max(windows.get(UP, 0), windows.get("", 0))
        ups = self._read(host, {UP: up_ms}, now_ms, now_ms)
        series = [*(each for each in sent if each[2][NAME] != UP), *map(self._as_heard, ups)]
        with self._head.lock:
            self._head.recall(host.id, series)

    def _read(self, host: HostFacts, windows: Windows, now_ms: int, end_ms: int) -> list[FixedSeries]:
        names = [name for name, range_ms in windows.items() if now_ms - range_ms < end_ms]
        if not names:
            return []
        start_ms = now_ms - max(windows[name] for name in names)
        return self._sent.series(host, names, [(start_ms, end_ms)])

    def _as_heard(self, up: FixedSeries) -> FixedSeries:
        """Until a host was heard last before this server began, and then nothing until the server speaks.

        A 1 that still counted would end the silence of a host that has fallen silent since.
        """
        client_id, host_id, labels = up[:3]
        times, values = np.asarray(up[3]), np.asarray(up[4])
        until_ms = min(self._began_ms, self._clock.now_ms())
        heard = (times < until_ms) & (times <= times[values > 0].max(initial=0))
        since = times >= self._began_ms
        ended_ms = times[heard].max(initial=0) + 1
        return (
            client_id,
            host_id,
            labels,
            np.concatenate([times[heard], [ended_ms], times[since]]),
            np.concatenate([values[heard], stale(1), values[since]]),
        )
