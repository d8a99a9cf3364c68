"""The alerts that are going on, the worst first, each with its ticket or why it has none."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from tocsin_protocol.api import Alert, TicketRow
from tocsin_tui.format import Line, Span, Tone, dim, line
from tocsin_tui.screens.filtered import FilteredPage
from tocsin_tui.screens.verbs import TicketPage
from tocsin_tui.session import Session
from tocsin_tui.sheets import alert
from tocsin_tui.state import LinkState
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter
from tocsin_tui.widgets.table import Column, VirtualTable

COLUMNS = (
    Column("STATE", 9),
    Column("SEV", 4),
    Column("CLIENT", 7, wide=10),
    Column("HOST", 10, wide=14),
    Column("ALERT", 16, wide=22),
    Column("SINCE", 5, right=True),
    Column("TICKET, OR WHY NONE", 0),
)
LOOK_S = 1.0
"""How often it is asked whether the alerts are to be read again; the session says no more often than not."""
FILTER_TIP = "Filter: words, why:silence, ticket:none"


class AlertsScreen(FilteredPage, TicketPage):
    """The list of alerts; the verbs are for the ticket of the one under the cursor."""

    HERE = "Alerts"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "note", show=False, id="ticket.note", tooltip="Write a comment on its ticket"),
        Binding("d", "resolve", show=False, id="ticket.resolve", tooltip="Resolve its ticket"),
        Binding("S", "silence", "silence", id="ticket.silence", tooltip="Silence alerts like this one"),
        Binding("slash", "filter", "filter", key_display="/", id="list.filter", tooltip=FILTER_TIP),
        Binding("backslash", "unfilter", show=False, id="list.unfilter", tooltip="Clear the filter"),
        Binding("H", "host", "host", id="ticket.host", tooltip="The alert's host"),
        Binding(
            "q,escape,h,left,backspace",
            "back",
            "back",
            key_display="q",
            id="go.back",
            tooltip="Back to the queue",
        ),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__(session, painter)
        self.table: VirtualTable[Alert] = VirtualTable(
            session.alerts.listing, COLUMNS, self._cells, painter, id="table"
        )

    def body(self) -> Iterable[Widget]:
        yield Vertical(
            Lines(self.painter, id="heading"),
            self.table,
            Lines(self.painter, id="empty"),
            Lines(self.painter, id="foot"),
            id="body",
        )
        yield Lines(self.painter, id="below")
        yield Input(
            id="filter", placeholder="words  client:acme  why:silence  ticket:none", select_on_focus=False
        )

    def on_mount(self) -> None:
        super().on_mount()
        self.table.focus()
        self._look()
        self.set_interval(LOOK_S, self._look)

    def in_hand(self) -> TicketRow | None:
        current = self.session.alerts.listing.current
        return self.session.tickets.rows.get(current.ticket_id or 0) if current else None

    def alert_in_hand(self) -> Alert | None:
        return self.session.alerts.listing.current

    def crumb(self) -> str:
        wanted = self.session.alerts.wanted.text
        return f"/{wanted}" if wanted else ""

    def show(self) -> None:
        self.table.sync()
        is_empty = not self.session.alerts.listing.order
        self.set_class(is_empty, "-empty")
        self.query_one("#heading", Lines).show([self.table.heading()])
        self.query_one("#empty", Lines).show(self._nothing() if is_empty else ())
        self._show_current()

    def on_virtual_table_moved(self) -> None:
        self._show_current()

    def on_virtual_table_chosen(self) -> None:
        self.choose()

    def wanted(self) -> str:
        return self.session.alerts.wanted.text

    def narrow(self, text: str) -> None:
        self.session.alerts.narrow(text)

    def listing(self) -> Widget:
        return self.table

    def choose(self) -> None:
        """Its ticket, or its host where it has none."""
        current = self.session.alerts.listing.current
        if current is None:
            return
        if current.ticket_id is None:
            self.action_host()
            return
        from tocsin_tui.screens.ticket import TicketScreen  # noqa: PLC0415 - read when it is first opened

        if current.ticket_id not in self.session.tickets.rows:  # solved long ago
            self.run_worker(self.session.read_ticket(current.ticket_id), group="ticket")
        self.app.push_screen(TicketScreen(self.session, self.painter, current.ticket_id))

    def action_host(self) -> None:
        current = self.session.alerts.listing.current
        if current is not None:
            self.open_host(current.host_id, f"{current.alertname} is about no host")

    def action_reload(self) -> None:
        super().action_reload()
        if self.session.link.state is LinkState.LIVE:
            self.run_worker(self.session.alerts.read(), group="alerts")

    def _look(self) -> None:
        if self.session.link.state is LinkState.LIVE and self.is_looked_at and self.session.alerts.are_due():
            self.run_worker(self.session.alerts.read(), group="alerts")

    def _cells(self, row: Alert, is_ghost: bool) -> tuple[Span, ...]:  # noqa: FBT001 - as the table calls it
        return alert.cells(row, now=self.session.now(), is_ghost=is_ghost)

    def _show_current(self) -> None:
        current, place = self.session.alerts.listing.current, self.query_one("#below", Lines)
        told = alert.below(current, now=self.session.now(), room=place.size.height) if current else ()
        place.show(told)
        self.query_one("#foot", Lines).show([self._foot()])

    def _foot(self) -> Line:
        alerts = self.session.alerts
        if alerts.page is None:
            return line()
        waiting = alerts.listing.waiting()
        new = [(f" · +{waiting.above} new above ▲", Tone.FRESH)] if waiting.above else []
        new += [(f" · +{waiting.below} new below ▼", Tone.FRESH)] if waiting.below else []
        told = alert.foot(len(alerts.listing), alerts.page, is_cut=alerts.are_cut)
        return line(*told, *new)

    def _nothing(self) -> list[Line]:
        alerts = self.session.alerts
        if alerts.page is not None:
            return alert.nothing_here(alerts.wanted.text, len(alerts.page))
        if alerts.problem:
            return [
                line(("The alerts could not be read; none is known yet.", Tone.BAD)),
                line(dim(alerts.problem)),
                line(),
                line(dim("R tries now · it tries by itself as well")),
            ]
        return [line(dim("reading the alerts…"))]
