"""One technician at one server: what is known here, kept fresh, and the acts.

It takes a snapshot, follows the stream of changes from there, and begins again whenever the line breaks; what
is known stays. Acts are shown at once where that is safe and put right by the answer. Whatever goes wrong
ends as a notice, one line for the screen: nothing here raises at a screen, and nothing here knows one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from tocsin_protocol.events import HostChanged, LookersChanged, TicketChanged
from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, TicketEventKind
from tocsin_tui import filters
from tocsin_tui.acts import Acts
from tocsin_tui.alerts import Alerts
from tocsin_tui.dossiers import Dossiers
from tocsin_tui.errors import ConsoleError, SignedOut
from tocsin_tui.filters import Filter
from tocsin_tui.format import Tone
from tocsin_tui.marks import Marks
from tocsin_tui.presence import Presence
from tocsin_tui.search import Search
from tocsin_tui.silences import Silences
from tocsin_tui.state import (
    Link,
    LinkState,
    Listing,
    View,
    backoff_s,
    is_in_view,
    is_newer,
    recency,
    trouble,
    urgency,
)

if TYPE_CHECKING:
    from tocsin_protocol.hosts import HostRow
    from tocsin_protocol.people import Person
    from tocsin_protocol.status import ServerStatus
    from tocsin_tui.client import Client, Event

T = TypeVar("T")

STATUS_S = 15.0
DUE_S = 15.0
"""After so long it is asked anew which tickets a filter by what is due lets through."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The message line."""

    text: str
    tone: Tone
    at: datetime


class Session:
    """What the screens show, and what they ask for."""

    label = ""
    """What stands beside the product's name, such as that this is a demo."""

    def __init__(
        self, connect: Callable[[], "Client"], *, wall: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._connect = connect
        self.acts = Acts(self)
        self.marks = Marks(self)
        self.presence = Presence(self)
        self.me: Person | None = None
        self.server: ServerStatus | None = None
        self.counts: TicketCounts | None = None
        self.link = Link()
        self.notice: Notice | None = None
        self.tickets: Listing[TicketRow] = Listing(urgency)
        self.view = View.OPEN
        self.ticket_filter = Filter()
        self.search = Search(self)
        self.hosts: Listing[HostRow] = Listing(trouble)
        self.host_filter = Filter()
        self.alerts = Alerts(self, monotonic)
        self.silences = Silences(self, monotonic)
        self.dossiers = Dossiers(self, monotonic)
        self.has_snapshot = False
        self.drafts: dict[str, str] = {}
        """What was typed and not sent, by what it was for."""
        self.underway: set[int] = set()
        """Tickets whose change is shown but not yet confirmed."""
        self.rings = 0
        """How many tickets of priority 1 have opened while we listened."""
        self._wall = wall
        self._monotonic = monotonic
        self._skew = timedelta(0)
        self._last_id = ""
        self._poke = asyncio.Event()
        self.show_tickets()

    @cached_property
    def client(self) -> "Client":
        """The connection; made when it is first needed, which is after the first frame is painted."""
        return self._connect()

    async def aclose(self) -> None:
        if "client" in self.__dict__:
            await self.client.aclose()

    @property
    def login(self) -> str:
        return self.me.login if self.me else ""

    def now(self) -> datetime:
        """The present by the server's clock, for ages."""
        return self._wall() + self._skew

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Put a sentence on the message line."""
        self.notice = Notice(text, tone, self._wall())

    def age_of(self, notice: Notice) -> float:
        """How many seconds ago it was said."""
        return (self._wall() - notice.at).total_seconds()

    # ------------------------------------------------------------------ the line to the server

    async def run(self) -> None:
        """Keep everything fresh until the session ends; returns when one has to sign in again."""
        attempt = 0
        while True:
            try:
                await self._follow()
                attempt, reason = 0, "the stream has ended"
            except SignedOut as error:
                self.link = Link(LinkState.SIGNED_OUT, self.link.as_of, reason=str(error))
                return
            except ConsoleError as error:
                attempt, reason = attempt + 1, str(error)
            await self._pause(attempt, reason)

    def hurry(self) -> None:
        """Try the line again now."""
        self._poke.set()

    async def refresh(self) -> None:
        """Ask for everything anew."""
        if self.link.state is not LinkState.LIVE:
            self.hurry()
            return
        self.say("refreshed", Tone.GOOD)
        await self.answer(self._take_snapshot())

    async def watch_status(self) -> None:
        """Ask for the server's status every so often, as long as the line is up."""
        while True:
            await asyncio.sleep(STATUS_S)
            if self.link.state is LinkState.LIVE:
                with suppress(ConsoleError):  # the stream notices a line that is down, and says so
                    await self._read_status()

    async def _follow(self) -> None:
        """Snapshot where one is needed, then the stream until it ends."""
        if not self.has_snapshot:
            await self._take_snapshot()
        async for event in self.client.events(self._last_id):
            self._heard()
            self._last_id = event.id or self._last_id
            if event.name == "reset":
                await self._take_snapshot()
            else:
                await self._apply(event)

    async def _apply(self, event: "Event") -> None:
        match event.message:
            case TicketChanged(ticket=row, happened=happened, counts=counts):
                self.counts = counts
                self.know(row)
                self.alerts.hear()
                if happened in {TicketEventKind.OPENED, TicketEventKind.REOPENED} and row.priority == 1:
                    self.rings += 1
            case HostChanged(host=host):
                self.hosts.merge(host, self._monotonic())
            case LookersChanged(ticket_id=ticket_id, lookers=lookers):
                self.presence.hear(ticket_id, lookers)
            case _ if event.name == "rules":
                self.alerts.hear()
                self.silences.hear()
                await self._read_status()

    async def _take_snapshot(self) -> None:
        self.presence.forget()
        self.me = await self.client.me()
        await self._read_status()
        first = page = await self.client.tickets()
        rows = list(page.tickets)
        self.counts = page.counts
        if not self.has_snapshot:
            for row in rows:
                self.know(row)  # what is most urgent is on the screen before the last page has come
        while page.next is not None:
            page = await self.client.tickets(cursor=page.next)
            rows += page.tickets
        self._replace_open(rows)
        self._last_id = first.seen  # what has changed since the first page comes again by the stream
        await self._read_hosts()
        self.alerts.hear()
        self.silences.hear()
        self.has_snapshot = True
        self._heard()

    async def _read_status(self) -> None:
        self.server = await self.client.status()
        self._skew = self.server.now - self._wall()
        self._heard()

    async def _read_hosts(self) -> None:
        page = await self.client.hosts()
        self.hosts.replace(page.hosts, self._monotonic())

    def _heard(self) -> None:
        state = LinkState.LIVE if self.has_snapshot else LinkState.CONNECTING
        self.link = Link(state, self._wall())

    async def _pause(self, attempt: int, reason: str) -> None:
        delay_s = backoff_s(attempt, random.random())  # noqa: S311 - jitter
        state = LinkState.STALE if attempt == 0 else LinkState.OFFLINE
        self.link = Link(state, self.link.as_of, self._wall() + timedelta(seconds=delay_s), reason)
        self._poke.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._poke.wait(), delay_s)

    # ------------------------------------------------------------------ what the lists show

    def put_back(self, row: TicketRow) -> None:
        """Show a row again as it was before an act that has failed."""
        self.tickets.merge(row, self._monotonic())

    def look(self, view: View) -> None:
        """Show another view of the tickets."""
        self.search.forget()
        self.view = view
        self.show_tickets()

    def filter_tickets(self, text: str) -> None:
        """Show only tickets that match what was typed."""
        self.ticket_filter = filters.parse_filter(text, keys=filters.TICKET_KEYS, me=self.login)
        self.search.forget()
        self.show_tickets()

    def filter_hosts(self, text: str) -> None:
        """Show only hosts that match what was typed."""
        wanted = filters.parse_filter(text, keys=filters.HOST_KEYS, me=self.login)
        self.host_filter = wanted
        self.hosts.show(lambda row: not wanted or wanted.admits(filters.host_fields(row)))

    def settle(self, *, is_idle: bool) -> bool:
        """Let rows take their places; whether any has moved."""
        if is_idle and self.ticket_filter.is_timed and self._monotonic() - self._shown_s > DUE_S:
            self.show_tickets()
        moved = self.tickets.settle(self._monotonic(), is_idle=is_idle)
        moved = self.hosts.settle(self._monotonic(), is_idle=is_idle) or moved
        moved = self.alerts.settle(is_idle=is_idle) or moved
        return self.silences.settle(is_idle=is_idle) or moved

    def show_tickets(self) -> None:
        """Ask again which tickets are to be seen."""
        view, wanted, found, now = self.view, self.ticket_filter, self.search.found, self.now()
        self._shown_s = self._monotonic()

        def admits(row: TicketRow) -> bool:
            if not is_in_view(row, view, self.login):
                return False
            return not wanted or wanted.admits(filters.ticket_fields(row, now), has_words=row.id in found)

        self.tickets.show(admits, recency if view is View.SOLVED else urgency)

    def _replace_open(self, rows: list[TicketRow]) -> None:
        solved = [row for row in self.tickets.rows.values() if row.state not in OPEN_TICKET_STATES]
        self.tickets.replace({row.id: row for row in [*solved, *rows]}.values(), self._monotonic())

    # ------------------------------------------------------------------ what a screen wants to see

    async def read_solved(self) -> None:
        """The tickets solved last: one page is what a technician looks back at."""
        page = await self.answer(self.client.tickets(state="solved"))
        for row in page.tickets if page else []:
            self.know(row)

    def know(self, row: TicketRow) -> None:
        """Take a ticket's row, unless a later version is known."""
        known = self.tickets.rows.get(row.id)
        if known is None or is_newer(row, known):
            self.tickets.merge(row, self._monotonic())

    def latest(self, row: TicketRow) -> TicketRow:
        """The ticket's row as it is known now."""
        return self.tickets.rows.get(row.id, row)

    async def read_hosts(self) -> None:
        await self.answer(self._read_hosts())

    # ------------------------------------------------------------------ what goes wrong

    async def answer(self, asked: Awaitable[T]) -> T | None:
        """What was asked for, or nothing and a notice."""
        try:
            return await asked
        except ConsoleError as error:
            self.complain(error)
            return None

    def complain(self, error: ConsoleError) -> None:
        if isinstance(error, SignedOut):
            self.link = Link(LinkState.SIGNED_OUT, self.link.as_of, reason=str(error))
        self.say(str(error), Tone.BAD)


def wall_clock() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)
