"""What has been read in full: tickets and hosts with their charts, the latest of each.

The ticket that is looked at is kept fresh: read anew where it has changed, and every so often, since how its
alerts stand is no change of the ticket.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tocsin_protocol.alerts import Alert
from tocsin_protocol.tickets import TicketDetail, TicketRow
from tocsin_tui.state import LinkState

if TYPE_CHECKING:
    from tocsin_protocol.hosts import HostDetail
    from tocsin_protocol.query import Chart
    from tocsin_tui.session import Session

K = TypeVar("K")
T = TypeVar("T")

WANTED_S = 0.15
"""How long the cursor has to rest on a ticket at most before it is read."""
CHART_S = 10.0
"""The age at which a chart that goes on is drawn anew."""
DETAIL_S = 10.0
"""The age at which a ticket is read anew."""
KEPT = 300
"""How many tickets, hosts and charts are kept once they have been read."""


class Dossiers:
    """Those of a session."""

    def __init__(self, session: "Session", monotonic: Callable[[], float]) -> None:
        self._session = session
        self._monotonic = monotonic
        self.tickets: dict[int, TicketDetail] = {}
        self.charts: dict[int, Chart] = {}
        """By alert."""
        self.hosts: dict[int, HostDetail] = {}
        self.host_charts: dict[tuple[int, str, int], Chart] = {}
        """By host, vital, and how many minutes it shows."""
        self.wanted: int | None = None
        """The ticket that is looked at."""
        self._charted_s: dict[int, float] = {}
        self._read_s: dict[int, float] = {}

    def want(self, row: TicketRow) -> None:
        """The technician looks at this ticket: what is known of it is to be fresh."""
        self.wanted = row.id

    async def watch(self) -> None:
        """Keep fresh what is looked at."""
        while True:
            await asyncio.sleep(WANTED_S)
            await self.freshen()

    async def freshen(self) -> None:
        """Read the ticket that is looked at, where that has changed or is old, and its chart as it goes on."""
        row = self._session.tickets.rows.get(self.wanted or 0)
        if row is None or self._session.link.state is not LinkState.LIVE:
            return
        detail = self.tickets.get(row.id)
        if detail is None or detail.ticket.version != row.version or self._is_old(detail):
            detail = await self.read_ticket(row.id)
        if detail is not None and detail.alerts and self._is_chart_old(detail.alerts[0]):
            await self.read_chart(detail)

    async def read_ticket(self, ticket_id: int) -> TicketDetail | None:
        """A ticket with its timeline and its alerts."""
        detail = await self._session.answer(self._session.client.ticket(ticket_id))
        if detail is not None:
            self.keep(detail)
        return detail

    async def read_chart(self, detail: TicketDetail) -> None:
        """The first alert's metric, from before the breach until now or until it was over."""
        if detail.alerts:
            alert = detail.alerts[0]
            minutes = chart_minutes(alert.active_at or detail.ticket.opened_at, self._session.now())
            chart = await self._session.answer(self._session.client.alert_chart(alert.id, minutes))
            _remember(self._charted_s, alert.id, self._monotonic())
            if chart is not None:
                _remember(self.charts, alert.id, chart)

    async def read_host(self, host_id: int) -> None:
        """A host with its readings, alerts and tickets."""
        detail = await self._session.answer(self._session.client.host(host_id))
        if detail is not None:
            _remember(self.hosts, host_id, detail)
            self._session.hosts.merge(detail.host, self._monotonic())

    async def read_host_chart(self, host_id: int, vital: str, minutes: int) -> None:
        """Unless what is known has every step that there is: long ones cost most, and change least."""
        known = self.host_charts.get((host_id, vital, minutes))
        if known is not None:
            ends = known.start + len(known.values) * timedelta(seconds=known.step_s)
            if self._session.now() < ends:
                return
        chart = await self._session.answer(self._session.client.host_chart(host_id, vital, minutes))
        if chart is not None:
            _remember(self.host_charts, (host_id, vital, minutes), chart)

    def keep(self, detail: TicketDetail) -> None:
        """Take a ticket as it has just been read, or as an act has left it."""
        _remember(self.tickets, detail.ticket.id, detail)
        _remember(self._read_s, detail.ticket.id, self._monotonic())
        self._session.know(detail.ticket)

    def _is_old(self, detail: TicketDetail) -> bool:
        read_s = self._read_s.get(detail.ticket.id, 0.0)
        return bool(detail.alerts) and self._monotonic() - read_s > DETAIL_S

    def _is_chart_old(self, alert: Alert) -> bool:
        read_s = self._charted_s.get(alert.id)
        if read_s is None:
            return True
        return alert.resolved_at is None and self._monotonic() - read_s > CHART_S


def chart_minutes(began: datetime, now: datetime) -> int:
    """How far back a chart reaches: some time before the breach, at most a week."""
    since = (now - began).total_seconds() / 60
    return min(7 * 24 * 60, int(since + max(15.0, since / 4)) + 1)


def _remember(known: dict[K, T], key: K, thing: T) -> None:
    """Keep a thing as the latest, and let go of the one that was read longest ago."""
    known.pop(key, None)
    known[key] = thing
    if len(known) > KEPT:
        del known[next(iter(known))]
