"""The judge thread: once a second, what has come in is judged, and what has changed is told.

    inbox → head → rules → transitions → desk → notices

This thread owns the head; whoever else looks at it holds `head.lock`. A round that takes longer than its
period is counted, and the next begins at once: missed rounds are not made up.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple, Protocol

import structlog

from tocsin_protocol.wire import MISSED_PUSHES_UNTIL_SILENT
from tocsin_server.alerts.judge import Judge, Round
from tocsin_server.clock import Clock
from tocsin_server.estate.estate import Estate, HostFacts
from tocsin_server.health import Health
from tocsin_server.ingest.inbox import HostFrame, Inbox
from tocsin_server.ingest.presence import Presence
from tocsin_server.series.head import Head
from tocsin_server.series.noted import CLONED, REFUSED, SKEW

_log = structlog.get_logger()

BEAT_EVERY_ROUNDS = 10
"""A host's `up` is written at least this often: far inside Prometheus's 5 minutes of lookback."""
AWAITED_MS = 120_000
"""How long a host that was just enrolled may take until its first push; then it counts as silent. A device that
is looked at seldom has as long as three looks take."""
CLOCK_SET_MS = 2000
"""From here on it was set; less is a clock that is being steered."""
STANDSTILL_MS = 5000
"""From here on a round that comes late means that nobody was heard meanwhile."""


class _State(NamedTuple):
    """What is known of a host by its pushes."""

    is_up: bool
    is_cloned: bool


_STATES = {pair: _State(*pair) for pair in product((True, False), repeat=2)}
"""Each once, because a round looks at every host."""


class Desk(Protocol):
    """Who is told of a round's changes; runs in the judge thread."""

    def transitions_wait(self) -> None:
        """There are transitions to consume."""

    def host_changed(self, host_id: int) -> None:
        """A host has fallen silent or come back."""


class Rounds:
    """The loop and its thread."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        head: Head,
        presence: Presence,
        estate: Estate,
        judge: Judge,
        desk: Desk,
        health: Health,
        clock: Clock,
        period_s: float,
        is_refused: Callable[[int], bool],
    ) -> None:
        """`is_refused` says of a host whether it has too many series of late."""
        self._inbox = inbox
        self._head = head
        self._presence = presence
        self._estate = estate
        self._judge = judge
        self._desk = desk
        self._health = health
        self._clock = clock
        self._period_s = period_s
        self._is_refused = is_refused
        self._count = 0
        self._turned_s = clock.monotonic()
        self._looked: tuple[int, float] | None = None
        """When the last round was, on the wall's clock and on the one that nobody sets."""
        self._generation: int | None = None
        self._enlisted: set[int] = set()
        self._was: dict[int, _State] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-judge", daemon=True)
        self.last: Round | None = None

    def restore(self, frames: Iterable[HostFrame]) -> None:
        """Before the first round: give the head what the journal has of late."""
        with self._head.lock:
            self._enlist()
            now_ms = self._clock.now_ms()
            # What is yet to come was written by a clock that has been set back since.
            for frame in (frame for frame in frames if max(frame.times_ms) <= now_ms):
                self._head.apply(frame.host_id, frame.schema, frame.times_ms, frame.matrix)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way."""
        self._ended.set()
        self._thread.join()

    def is_turning(self, patience_s: float) -> bool:
        """Whether a round has ended within this time; `/healthz` asks."""
        return self._clock.monotonic() - self._turned_s <= patience_s

    def turn(self, now_ms: int) -> Round:
        """One round."""
        set_ms = self._follow_clock(now_ms)
        with self._head.lock:
            if set_ms < 0:
                self._begin_anew()
            self._enlist()
            self._take_in()
            changed = list(self._beat(now_ms))
            done = self._judge.round(now_ms)
        self._count += 1
        for host_id in changed:
            self._desk.host_changed(host_id)
        if self._judge.settle(done):
            self._desk.transitions_wait()
        self.last = done
        self._turned_s = self._clock.monotonic()
        return done

    def _follow_clock(self, now_ms: int) -> int:
        """Notice that somebody has set the clock on the wall, or that the machine was asleep; by how much."""
        now_s = self._clock.monotonic()
        was_ms, was_s = self._looked or (now_ms, now_s)
        self._looked = (now_ms, now_s)
        since_ms = now_ms - round((now_s - was_s) * 1000)
        by_ms = since_ms - was_ms
        if abs(by_ms) < CLOCK_SET_MS:
            return 0
        _log.warning(f"the clock was set by {by_ms / 1000:.0f} s", action="clock_set")
        self._presence.clock_was_set(by_ms, since_ms=since_ms, now_ms=now_ms)
        return by_ms

    def _notice_standstill(self) -> None:
        """A server that stood still, with its machine or alone, has heard nobody: that is not their silence."""
        now_s = self._clock.monotonic()
        _, was_s = self._looked or (0, now_s)
        still_ms = round((now_s - was_s - self._period_s) * 1000)
        if still_ms >= STANDSTILL_MS:
            now_ms = self._clock.now_ms()
            _log.warning(f"the server stood still for {still_ms / 1000:.0f} s", action="stood_still")
            self._presence.clock_was_set(still_ms, since_ms=now_ms - still_ms, now_ms=now_ms)

    def _begin_anew(self) -> None:
        """What the head has is of a time that is yet to come: until then it would take nothing else."""
        for host_id in self._enlisted:
            self._head.retire(host_id)
        self._enlisted, self._was, self._generation = set(), {}, None

    def _enlist(self) -> None:
        """Follow the estate: hosts that are new or moved, hosts that were retired."""
        if self._estate.generation == self._generation:
            return
        self._generation = self._estate.generation
        hosts = {host.id: host for host in self._estate.hosts()}
        for gone in self._enlisted - hosts.keys():
            self._head.retire(gone)
            self._was.pop(gone, None)
        self._enlisted = {*hosts}
        self._presence.expect(
            {host.id: host.interval_s for host in hosts.values() if host.interval_s is not None}
        )
        for host in hosts.values():
            target = {"instance": host.name, "job": host.job, "site": host.site}
            self._head.enlist(host.id, client_id=host.client_id, target=target)

    def _take_in(self) -> None:
        for frame in self._inbox.drain():
            self._head.apply(frame.host_id, frame.schema, frame.times_ms, frame.matrix)

    def _beat(self, now_ms: int) -> Iterator[int]:
        """Write `up` where something has changed or is due; the hosts whose state has changed."""
        cloned = self._estate.cloned()
        for host in self._estate.hosts():
            if self._is_awaited(host, now_ms):
                continue
            was = self._was.get(host.id)
            if was is not None and was.is_cloned and host.id not in cloned:
                self._presence.release(host.id, at_ms=now_ms)
            state = _STATES[self._presence.is_up(host.id, now_ms), host.id in cloned]
            changed = was is not None and was is not state
            if changed or was is None or host.id % BEAT_EVERY_ROUNDS == self._count % BEAT_EVERY_ROUNDS:
                self._head.beat(host.id, up=state.is_up, at_ms=now_ms, notes=self._notes(host, state))
            self._was[host.id] = state
            if changed:
                yield host.id

    def _is_awaited(self, host: HostFacts, now_ms: int) -> bool:
        """Whether nothing can be said of it yet. At our start an `up` of 1 would resolve a host's silence."""
        patience_ms = max(AWAITED_MS, MISSED_PUSHES_UNTIL_SILENT * 1000 * (host.interval_s or 0))
        is_new = now_ms - host.enrolled_ms < patience_ms and not self._presence.was_heard(host.id)
        return is_new or not self._presence.is_known(host.id, now_ms)

    def _notes(self, host: HostFacts, state: _State) -> dict[str, float]:
        # 0 as well: what is not there would leave an alert unknown, and not resolve it.
        notes = {REFUSED: float(self._is_refused(host.id))}
        if host.prober_id is None:
            notes[CLONED] = float(state.is_cloned)
        skew_s = self._presence.skew_s(host.id)
        if skew_s is not None:
            notes[SKEW] = skew_s
        return notes

    def _run(self) -> None:
        due = self._clock.monotonic()
        while not self._ended.wait(max(0.0, due - self._clock.monotonic())):
            try:
                self._notice_standstill()
                self.turn(self._clock.now_ms())
            except Exception:  # noqa: BLE001 - the outermost loop: the next round may succeed, and says so
                _log.exception("a round over the rules has failed", action="round_failed")
            due += self._period_s
            late = self._clock.monotonic() - due
            if late > self._period_s:
                self._health.evaluations_missed.inc(late // self._period_s)
                due = self._clock.monotonic()
