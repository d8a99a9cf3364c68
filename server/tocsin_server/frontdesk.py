"""Where alerts arrive at the desk: transitions are consumed in the writer thread, and what came of it is told.

A transition that could not be consumed (the disk is full, the queue too long) stays in the database and
is asked for again; so nothing is lost and nothing is told twice.

Whoever writes an entry of a timeline, an alert, a person or a clock, has its notices written in the same
transaction: the desk is asked before each commit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import structlog
from sqlmodel import Session

from tocsin_server.alerts.maintenance import Window
from tocsin_server.clock import Clock
from tocsin_server.config import ServerConfig
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.closing import close_due
from tocsin_server.desk.cutoff import attach_cut_off
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.intake import consume, is_waiting
from tocsin_server.desk.notified import Post, Written, begin, is_news, write_all
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.recovery import settle_recovered
from tocsin_server.desk.relapse import reopen_still_firing
from tocsin_server.desk.told import LIMIT, Beat, due, tell
from tocsin_server.desk.waking import wake_due
from tocsin_server.desk.windows import tell_windows
from tocsin_server.errors import Unavailable
from tocsin_server.health import Health
from tocsin_server.notices import Notices
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()

BATCHES = 4
_NOTICES = "notices"


class FrontDesk:
    """The judge thread and the settling job come here; nobody waits."""

    def __init__(
        self,
        storage: Storage,
        notices: Notices,
        *,
        is_fresh: Callable[[int], bool],
        tables: Callable[[], Tables],
        terms: Callable[[], Terms],
        windows: Callable[[], Sequence[Window]],
        post: Callable[[], Post],
        health: Health,
        clock: Clock,
        settings: ServerConfig,
    ) -> None:
        self._storage = storage
        self._notices = notices
        self._is_fresh = is_fresh
        self._tables = tables
        self._terms = terms
        self._windows = windows
        self._post = post
        self._health = health
        self._clock = clock
        self._reopen_ms = settings.reopen_minutes * 60_000
        self._quiet_ms = settings.quiet_seconds * 1000
        self._still_firing_ms = settings.still_firing_minutes * 60_000
        self._beat = Beat()
        """Known in the writer thread."""
        self._failing: set[str] = set()
        """The acts that have failed the last time; known in the writer thread."""

    def restore(self) -> None:
        """Before anything happens: people are told of what comes from now on."""
        self._storage.write(begin)
        self._storage.before_commit(self._write_notices, self._noticed)

    def transitions_wait(self) -> None:
        """There are transitions to consume."""
        self._ask(self._consume)

    def host_changed(self, host_id: int) -> None:
        """A host has fallen silent or come back."""
        self._notices.host(host_id)

    def settle(self) -> None:
        """Consume what was left over, solve what has recovered, reopen what has not, wake what has waited,
        close what has stayed solved, and tell what clocks have passed.

        A job comes here every so often.
        """
        self._ask(self._consume)
        self._ask(self._recover)
        self._ask(self._relapse)
        self._ask(self._wake)
        self._ask(self._close)
        self._ask(self._maintenance)
        self._ask(self._clocks)

    def _ask(self, act: Callable[[Session], list[Happening]]) -> None:
        try:
            self._storage.submit(act).add_done_callback(partial(self._tell, act.__name__))
        except Unavailable:
            _log.warning("the desk is busy and will look again", action="desk_busy")

    def _write_notices(self, session: Session) -> list[Written]:
        """Of all that has happened by now."""
        if not is_news(session):
            return []
        return write_all(session, self._clock.now_ms(), tables=self._tables(), post=self._post())

    def _noticed(self, done: Future[list[Written]]) -> None:
        """Whatever is wrong with them, tickets are opened and solved: mail is no reason for a silent bell."""
        error = done.exception()
        if error is not None:
            self._fails(_NOTICES, f"notices cannot be written, and are tried again: {error}", "notices_failed")
            return
        self._failing.discard(_NOTICES)
        for written in done.result():
            self._health.notices.labels("written").inc(written.notices)
            self._health.notices.labels("nobody").inc(written.nobody)

    def _consume(self, session: Session) -> list[Happening]:
        """Batch by batch; what a storm leaves over waits for the next time, and lets others write meanwhile."""
        happenings: list[Happening] = []
        for _ in range(BATCHES):
            if not is_waiting(session):
                break
            happenings += consume(
                session, self._clock.now_ms(), reopen_ms=self._reopen_ms, tables=self._tables()
            )
        return happenings + attach_cut_off(session, self._clock.now_ms())

    def _recover(self, session: Session) -> list[Happening]:
        now_ms = self._clock.now_ms()
        return settle_recovered(
            session, now_ms, quiet_ms=self._quiet_ms, is_fresh=self._is_fresh, tables=self._tables()
        )

    def _relapse(self, session: Session) -> list[Happening]:
        return reopen_still_firing(session, self._clock.now_ms(), after_ms=self._still_firing_ms)

    def _wake(self, session: Session) -> list[Happening]:
        return wake_due(session, self._clock.now_ms())

    def _close(self, session: Session) -> list[Happening]:
        return close_due(session, self._clock.now_ms())

    def _maintenance(self, session: Session) -> list[Happening]:
        return tell_windows(session, self._clock.now_ms(), self._windows())

    def _clocks(self, session: Session) -> list[Happening]:
        """Those that are due, batch by batch, and after them some of all."""
        terms = self._terms()
        happenings: list[Happening] = []
        for _ in range(BATCHES):
            found = due(session, terms.now_ms)
            happenings += tell(session, found, terms)
            if len(found) < LIMIT:
                return happenings + tell(session, self._beat.next(session, terms), terms)
        return happenings

    def _tell(self, act: str, done: Future[list[Happening]]) -> None:
        error = done.exception()
        if error is not None:
            self._fails(act, f"the desk cannot work and tries again: {error}", "desk_failed")
            self._beat.again()
            return
        self._failing.discard(act)
        for happening in done.result():
            if happening.detected_s is not None:
                self._health.alert_detection.observe(happening.detected_s)
        self._notices.tickets(done.result())

    def _fails(self, act: str, said: str, action: str) -> None:
        """Said once, not every second while a disk is full."""
        if act not in self._failing:
            _log.error(said, action=action)
        self._failing.add(act)
