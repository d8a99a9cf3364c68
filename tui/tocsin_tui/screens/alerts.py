"""The alerts that are going on, the worst first, each with its ticket or why it has none."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tocsin_protocol.alerts import Alert
from tocsin_protocol.tickets import TicketRow
from tocsin_tui.board import Board
from tocsin_tui.filters import ALERT_KEYS
from tocsin_tui.format import Line, Span
from tocsin_tui.screens.listed import BoardPage, list_keys
from tocsin_tui.screens.verbs import TicketPage
from tocsin_tui.session import Session
from tocsin_tui.sheets import alert
from tocsin_tui.state import LinkState
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


class AlertsScreen(BoardPage, TicketPage):
    """The list of alerts; the verbs are for the ticket of the one under the cursor."""

    HERE = "Alerts"
    THINGS = "alerts"
    HINT = "words  client:acme  why:silence  ticket:none"
    KEYS = ALERT_KEYS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "note", show=False, id="ticket.note", tooltip="Write a note on its ticket"),
        Binding("d", "resolve", show=False, id="ticket.resolve", tooltip="Resolve its ticket"),
        Binding("S", "silence", "silence", id="ticket.silence", tooltip="Silence alerts like this one"),
        Binding("H", "host", "host", id="ticket.host", tooltip="The alert's host"),
        *list_keys(FILTER_TIP),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__(session, painter)
        self.table: VirtualTable[Alert] = VirtualTable(
            session.alerts.listing, COLUMNS, self._cells, painter, id="table"
        )

    def on_mount(self) -> None:
        self.table.focus()
        self._look()
        self.set_interval(LOOK_S, self._look)

    @property
    def board(self) -> Board[Alert]:
        return self.session.alerts

    def in_hand(self) -> TicketRow | None:
        current = self.session.alerts.listing.current
        return self.session.tickets.rows.get(current.ticket_id or 0) if current else None

    def alert_in_hand(self) -> Alert | None:
        return self.session.alerts.listing.current

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
            self.run_worker(self.session.dossiers.read_ticket(current.ticket_id), group="ticket")
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

    def below(self, room: int) -> Sequence[Line]:
        current = self.alert_in_hand()
        return alert.below(current, now=self.session.now(), room=room) if current else ()

    def told(self) -> Sequence[Span]:
        alerts = self.session.alerts
        return alert.foot(len(alerts.listing), alerts.page or [], is_cut=alerts.are_cut)

    def none_here(self) -> list[Line]:
        alerts = self.session.alerts
        return alert.nothing_here(alerts.wanted.text, len(alerts.page or ()))
