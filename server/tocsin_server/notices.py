"""The notice thread: what has changed is read once more, as it is now, and told to the consoles.

Whoever changes a ticket or a host only says which: `tickets()` and `host()` return at once. The thread
gathers what has come together, so that a storm of a thousand tickets is a handful of questions. What comes
alone is told at once; and then it rests, for the sake of those who change things meanwhile.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from tocsin_protocol.events import HostChanged, TicketChanged
from tocsin_protocol.hosts import HostRow
from tocsin_protocol.messages import Message
from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.desk.happening import Happening
from tocsin_server.health import Health

_log = structlog.get_logger()

MAX_TOGETHER = 500
REST_S = 0.25
"""No screen is read faster."""


class Pictures(Protocol):
    """Where things are read as they are now."""

    def tickets(self, ids: Sequence[int]) -> tuple[dict[int, TicketRow], TicketCounts]:
        """The rows of these tickets and the counts of all."""
        ...

    def hosts(self, ids: Sequence[int]) -> Mapping[int, HostRow]:
        """The rows of these hosts, in this order."""
        ...


Publish = Callable[[str, Message | None], object]
_Item = Happening | int | None


class Notices:
    """The thread and its queue. Not told is only what happened after `stop`."""

    def __init__(self, pictures: Pictures, publish: Publish, health: Health) -> None:
        self._pictures = pictures
        self._publish = publish
        self._health = health
        self._waiting: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-notice", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tell what waits, and end."""
        self._waiting.put(None)
        self._ended.set()
        self._thread.join()

    def tickets(self, happenings: Iterable[Happening]) -> None:
        """These tickets have changed."""
        for happening in happenings:
            self._waiting.put(happening)

    def host(self, host_id: int) -> None:
        """A host was enrolled, fell silent, came back or was retired."""
        self._waiting.put(host_id)

    def _run(self) -> None:
        ended = False
        while not ended:
            items, ended = self._gather()
            try:
                self._tell(items)
            except Exception:  # noqa: BLE001 - an outermost loop: consoles ask anew, the thread goes on
                _log.exception("a change could not be told to the consoles", action="notice_failed")
            self._ended.wait(REST_S)

    def _gather(self) -> tuple[list[Happening | int], bool]:
        items: list[Happening | int] = []
        item = self._waiting.get()
        while item is not None:
            items.append(item)
            if len(items) >= MAX_TOGETHER:
                return items, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return items, False
        return items, True

    def _tell(self, items: Sequence[Happening | int]) -> None:
        happenings = [item for item in items if isinstance(item, Happening)]
        if happenings:
            self._tell_tickets(happenings)
        hosts = dict.fromkeys(item for item in items if isinstance(item, int))
        if hosts:
            for row in self._pictures.hosts(list(hosts)).values():
                self._publish("host", HostChanged(host=row))

    def _tell_tickets(self, happenings: Sequence[Happening]) -> None:
        rows, counts = self._pictures.tickets(list({happening.ticket_id for happening in happenings}))
        for happening in happenings:
            row = rows.get(happening.ticket_id)
            if row is None:
                continue
            if happening.kind is TicketEventKind.OPENED:
                self._health.tickets_opened.labels(row.client, str(row.priority)).inc()
            self._publish("ticket", TicketChanged(ticket=row, happened=happening.kind, counts=counts))
