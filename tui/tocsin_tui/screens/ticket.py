"""One ticket: its evidence as a chart and an expression, and everything that has happened to it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from tocsin_protocol.tickets import TicketDetail, TicketRow
from tocsin_tui.format import EMPTY, RULE, Line, Tone, dim, line
from tocsin_tui.plot import plot
from tocsin_tui.presence import Look
from tocsin_tui.screens.verbs import TicketPage
from tocsin_tui.session import Session
from tocsin_tui.sheets import alert, clocks, ticket
from tocsin_tui.state import LinkState
from tocsin_tui.widgets.lines import Lines, Reader
from tocsin_tui.widgets.paint import Painter


class TicketScreen(TicketPage):
    """The chart over the whole width; below, what happened at the left and the alerts at the right."""

    HERE = "Queue"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("J", "step(1)", "next", show=False, id="ticket.next", tooltip="The next ticket of the queue"),
        Binding("K", "step(-1)", "previous", show=False, id="ticket.previous", tooltip="The ticket before"),
        Binding(
            "W", "watch", "watch", show=False, id="ticket.watch", tooltip="Watch the ticket, or not any more"
        ),
        Binding("S", "silence", "silence", id="ticket.silence", tooltip="Silence alerts like its alert"),
        Binding("H", "host", "host", id="ticket.host", tooltip="The ticket's host"),
        Binding("q,escape,h,left,backspace", "back", "back", key_display="q", id="go.back", tooltip="Back"),
    ]

    def __init__(self, session: Session, painter: Painter, ticket_id: int) -> None:
        super().__init__(session, painter)
        self.ticket_id = ticket_id

    def body(self) -> Iterable[Widget]:
        yield Lines(self.painter, id="what")
        yield Lines(self.painter, id="chart")
        yield Horizontal(Reader(self.painter, id="timeline"), Reader(self.painter, id="alerts"), id="body")

    def on_mount(self) -> None:
        self.query_one("#timeline", Reader).focus()

    def in_hand(self) -> TicketRow | None:
        detail = self.session.dossiers.tickets.get(self.ticket_id)
        return self.session.tickets.rows.get(self.ticket_id) or (detail.ticket if detail else None)

    def looks_at(self) -> Look:
        return Look(self.ticket_id)

    def crumb(self) -> str:
        return f"› #{self.ticket_id}"

    def show(self) -> None:
        session, row = self.session, self.in_hand()
        detail = session.dossiers.tickets.get(self.ticket_id)
        if row is None:
            self.query_one("#what", Lines).show([line(dim("reading the ticket…"))])
            return
        session.dossiers.want(row)
        heading = ticket.heading(row, me=session.login, now=session.now())
        watchers = [] if detail is None else detail.watchers
        people = ticket.people(session.presence.others(row.id), watchers, me=session.login)
        self.query_one("#what", Lines).show([*heading, *people, RULE])
        self._show_chart(detail)
        self._show_story(detail)

    def action_watch(self) -> None:
        row, detail = self.in_hand(), self.session.dossiers.tickets.get(self.ticket_id)
        if row is not None and detail is not None:
            self.act(self.session.acts.watch(row, on=self.session.login not in detail.watchers))

    def action_step(self, by: int) -> None:
        tickets = self.session.tickets
        tickets.move(by)
        if tickets.cursor is not None:
            self.ticket_id = tickets.cursor
            self.query_one("#timeline", Reader).scroll_home(animate=False)
            self.refresh_page()

    def _show_chart(self, detail: TicketDetail | None) -> None:
        chart = self.session.dossiers.charts.get(detail.alerts[0].id) if detail and detail.alerts else None
        self.set_class(detail is not None and not detail.alerts, "-chartless")
        place = self.query_one("#chart", Lines)
        if chart is None:
            place.show([line(dim("reading the metric…"))])
            return
        place.show(
            [
                *plot(chart, width=self.size.width - 2, height=place.size.height - 1, now=self.session.now()),
                RULE,
            ]
        )

    def _show_story(self, detail: TicketDetail | None) -> None:
        session, now = self.session, self.session.now()
        story, evidence = self.query_one("#timeline", Reader), self.query_one("#alerts", Reader)
        if detail is None:
            is_live = session.link.state is LinkState.LIVE
            story.show(
                [
                    line(dim("reading the ticket…"))
                    if is_live
                    else line(("not read before the line went down", Tone.WARN))
                ]
            )
            return
        told = ticket.timeline(detail.events, now=now)
        promised = clocks.lines(detail, now=now)
        alerts: list[Line] = [*promised, EMPTY] if promised else []
        if behind := ticket.cut_off(detail):
            alerts += [*behind, EMPTY]
        if detail.ties:
            alerts += [*ticket.belonging(detail), EMPTY]
        if more := ticket.more_alerts(detail):
            alerts += [*more, EMPTY]
        for each in detail.alerts:
            alerts += [*alert.lines(each, now=now), EMPTY]
        if self.is_roomy:
            story.show(told)
            evidence.show(alerts)
            return
        story.show([*alerts, *told])
