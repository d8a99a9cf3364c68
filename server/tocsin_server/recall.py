"""What rules look back on from before the head has it: out of journal and history.

The head keeps as much of a metric as rules ask, from when they ask. So it is given what was sent before: at a
start what is older than the hour of the journal that is played again, and for rules that are new all that they
look back on, before they come into force.

`up` and what rules record nobody has sent: those begin with the server, or with the rule.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from tocsin_server.clock import Clock
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.findings import MADE_HERE
from tocsin_server.http.sent import Sent
from tocsin_server.series.head import Head
from tocsin_server.series.up import UP

_log = structlog.get_logger()

WITHIN_S = 30.0
"""So long a start waits for it, and rules that are new. Of the hosts that are left, rules see what comes."""

Windows = Mapping[str, int]

_NOT_SENT = MADE_HERE | {UP}


class Recall:
    """Gives the head of each range the part that it has not; from one thread at a time."""

    def __init__(
        self, *, head: Head, sent: Sent, hosts: Callable[[], Sequence[HostFacts]], clock: Clock
    ) -> None:
        self._head = head
        self._sent = sent
        self._hosts = hosts
        self._clock = clock
        self._ended = threading.Event()

    def stop(self) -> None:
        """Leave off in the middle: the server ends."""
        self._ended.set()

    def restore(self, windows: Windows) -> None:
        """After the journal was played again: what is older than that."""
        self._recall(windows, self._head.oldest_ms)

    def require(self, windows: Windows) -> None:
        """Before rules that look back so far come into force: keep it, and give the head what was sent."""
        with self._head.lock:
            longer = self._head.require(windows)
        self._recall(longer, lambda _: None)

    def _recall(self, windows: Windows, known_from_ms: Callable[[int], int | None]) -> None:
        """`known_from_ms` says from when on the head has all of a host; nothing where it may lack any."""
        sent = {name: range_ms for name, range_ms in windows.items() if name not in _NOT_SENT}
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
            end_ms = known_from_ms(host.id) or now_ms
        names = [name for name, range_ms in windows.items() if now_ms - range_ms < end_ms]
        if not names:
            return
        start_ms = now_ms - max(windows[name] for name in names)
        series = self._sent.series(host, names, [(start_ms, end_ms)])
        with self._head.lock:
            self._head.recall(host.id, series)
