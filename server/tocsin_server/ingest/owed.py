"""What history is owed: the hours of hosts whose frames are in the journal and not all written there yet.

The journal notes each push that it has made durable, in the event loop and again as it is replayed at a start.
Once an hour is over and quiet somebody writes it to history, all that the journal has of it, and settles it;
what came meanwhile is owed anew. A segment is swept only when nothing in it is owed, so whatever was answered
is in one or the other.

A note says before which place nothing is owed any more. Where it is lost, hours are written twice, which
changes nothing.
"""

import threading
from collections.abc import Iterable
from typing import NamedTuple

from tocsin_protocol.wire import SPOOL_HOURS
from tocsin_server.ingest.records import Mark

HOUR_MS = 3_600_000
_SPOOL_MS = SPOOL_HOURS * HOUR_MS
QUIET_MS = 120_000
"""An hour is written once nothing of it has come for so long: a spool is drained within minutes."""


class Hour(NamedTuple):
    """A host's hour, as it was owed when somebody asked."""

    host_id: int
    hour_ms: int
    newest: int
    """The place of the newest push with something of it."""

    @property
    def end_ms(self) -> int:
        """Its last millisecond."""
        return self.hour_ms + HOUR_MS - 1


class _Debt:
    __slots__ = ("first", "newest", "received_ms")

    def __init__(self, where: int, received_ms: int) -> None:
        self.first = self.newest = where
        self.received_ms = received_ms


class Owed:
    """All hours that are owed. What stands before `paid` in the journal is in history."""

    def __init__(self, paid: int = 0) -> None:
        self._paid = paid
        self._lock = threading.Lock()
        self._hours: dict[int, dict[int, _Debt]] = {}
        self._next = paid
        """Whatever is noted from now on stands here or later."""

    def __len__(self) -> int:
        return sum(map(len, list(self._hours.values())))

    def took(self, where: int, marks: Iterable[Mark], received_ms: int) -> None:
        """These frames of the push at that place are durable; places ascend from call to call."""
        if where < self._paid:
            return
        with self._lock:
            self._next = where + 1
            for mark in marks:
                # More than a spool holds no agent has kept: what says that it is older is a clock gone wrong.
                first_ms = max(mark.first_ms, received_ms - _SPOOL_MS)
                for hour_ms in range(first_ms - first_ms % HOUR_MS, mark.last_ms + 1, HOUR_MS):
                    self._note(mark.host_id, hour_ms, where, received_ms)

    def due(self, now_ms: int) -> list[Hour]:
        """The hours that are over and of which nothing has come of late, the oldest first."""
        with self._lock:
            due = [
                Hour(host_id, hour_ms, debt.newest)
                for host_id, hours in self._hours.items()
                for hour_ms, debt in hours.items()
                if now_ms >= hour_ms + HOUR_MS + QUIET_MS and _is_quiet(debt, now_ms)
            ]
        return sorted(due, key=lambda hour: (hour.hour_ms, hour.host_id))

    def settle(self, written: Iterable[Hour]) -> None:
        """These are in history as they were when they were due."""
        with self._lock:
            for hour in written:
                hours = self._hours[hour.host_id]
                debt = hours[hour.hour_ms]
                debt.first = hour.newest + 1
                if debt.newest < debt.first:
                    del hours[hour.hour_ms]
                if not hours:
                    del self._hours[hour.host_id]

    def since_ms(self, host_id: int) -> int | None:
        """When the oldest hour begins that is owed of a host; nothing where none is."""
        with self._lock:
            return min(self._hours.get(host_id, ()), default=None)

    def floor(self) -> int:
        """The place before which nothing is owed."""
        with self._lock:
            return min(
                (debt.first for hours in self._hours.values() for debt in hours.values()), default=self._next
            )

    def _note(self, host_id: int, hour_ms: int, where: int, received_ms: int) -> None:
        hours = self._hours.setdefault(host_id, {})
        debt = hours.get(hour_ms)
        if debt is None:
            hours[hour_ms] = _Debt(where, received_ms)
        else:
            debt.newest, debt.received_ms = where, received_ms


def _is_quiet(debt: _Debt, now_ms: int) -> bool:
    """Also where our clock was set back: nothing is to wait for hours."""
    return not 0 <= now_ms - debt.received_ms < QUIET_MS
