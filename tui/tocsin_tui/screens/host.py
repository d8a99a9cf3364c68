"""One host: its vitals with a chart, or how a device's probes fare; its alerts, tickets and last readings."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from tocsin_protocol.hosts import HostDetail, HostRow
from tocsin_tui.format import EMPTY, RULE, Line, Tone, dim, line, strong
from tocsin_tui.plot import plot
from tocsin_tui.screens.filtered import FilteredPage
from tocsin_tui.session import Session
from tocsin_tui.sheets import alert, device, host
from tocsin_tui.state import LinkState
from tocsin_tui.widgets.field import Field
from tocsin_tui.widgets.lines import Lines, Reader
from tocsin_tui.widgets.paint import Painter

VITALS = ("cpu", "memory", "filesystem", "load", "receive", "transmit")
REFRESH_S = 5.0
SPANS = (60, 6 * 60, 24 * 60, 7 * 24 * 60)
"""Minutes that a chart may show."""


class HostScreen(FilteredPage):
    """A host as it is now; it is read anew every few seconds."""

    HERE = "Hosts"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "metric", "metric", id="host.metric", tooltip="Draw another vital"),
        Binding("s", "span", "span", id="host.span", tooltip="Draw an hour, six, a day or a week"),
        Binding(
            "slash",
            "filter",
            "find reading",
            key_display="/",
            id="host.find",
            tooltip="Find readings by name or label",
        ),
        Binding("backslash", "unfilter", show=False, id="host.unfind", tooltip="Show all readings"),
        Binding("t", "ticket", "ticket", id="host.ticket", tooltip="Open the host's most urgent ticket"),
        Binding("q,escape,h,left,backspace", "back", "back", key_display="q", id="go.back", tooltip="Back"),
    ]

    def __init__(self, session: Session, painter: Painter, host_id: int) -> None:
        super().__init__(session, painter)
        self.host_id = host_id
        self._vital = VITALS[0]
        self._minutes = SPANS[0]
        self._wanted = ""
        self._rates = device.Rates()
        self._drawn: tuple[HostDetail, str] | None = None
        self._drawn_lines: list[Line] = []

    def body(self) -> Iterable[Widget]:
        yield Lines(self.painter, id="what")
        yield Horizontal(Lines(self.painter, id="vitals"), Lines(self.painter, id="curve"), id="glance")
        yield Reader(self.painter, id="readings")
        yield Field(id="filter", placeholder="part of a name or a label", select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one("#readings", Reader).focus()
        self._read()
        self.set_interval(REFRESH_S, self._read)

    def crumb(self) -> str:
        row = self.session.hosts.rows.get(self.host_id)
        return f"› {row.name}" if row else ""

    def show(self) -> None:
        session, now = self.session, self.session.now()
        row = session.hosts.rows.get(self.host_id)
        if row is None:
            self.query_one("#what", Lines).show([line(dim("reading the host…"))])
            return
        detail = session.dossiers.hosts.get(self.host_id)
        self.set_class(device.is_probed(row), "-probed")
        self.query_one("#what", Lines).show([*host.heading(row, detail, now=now), RULE])
        self._show_glance(row, detail)
        self._show_readings(detail)

    def action_metric(self) -> None:
        self._vital = VITALS[(VITALS.index(self._vital) + 1) % len(VITALS)]
        self._draw()

    def action_span(self) -> None:
        self._minutes = SPANS[(SPANS.index(self._minutes) + 1) % len(SPANS)]
        self._draw()

    def _draw(self) -> None:
        if self.has_class("-probed"):
            self.session.say("a device that is probed has no vitals to draw", Tone.WARN)
        else:
            self._read()
        self.refresh_page()

    def wanted(self) -> str:
        return self._wanted

    def narrow(self, text: str) -> None:
        self._wanted = text

    def listing(self) -> Widget:
        return self.query_one("#readings", Reader)

    def action_ticket(self) -> None:
        detail = self.session.dossiers.hosts.get(self.host_id)
        if detail is None or not detail.tickets:
            self.session.say("this host has no ticket", Tone.WARN)
            self.refresh_page()
            return
        from tocsin_tui.screens.ticket import TicketScreen  # noqa: PLC0415 - the two screens lead to each other

        first = min(detail.tickets, key=lambda row: (row.solved_at is not None, row.priority))
        self.session.know(first)
        self.app.push_screen(TicketScreen(self.session, self.painter, first.id))

    def _read(self) -> None:
        if self.session.link.state is LinkState.LIVE:
            self.run_worker(self._read_all(), group="host", exclusive=True)

    async def _read_all(self) -> None:
        await self.session.dossiers.read_host(self.host_id)
        if not self.has_class("-probed"):
            await self.session.dossiers.read_host_chart(self.host_id, self._vital, self._minutes)
        self.refresh_page()

    def _show_glance(self, row: HostRow, detail: HostDetail | None) -> None:
        place = self.query_one("#vitals", Lines)
        if not device.is_probed(row):
            place.show(host.vitals(row.vitals, width=place.size.width))
            self._show_curve()
        elif detail is not None:
            lines = device.probe_lines(detail.readings, now=self.session.now())
            place.show(lines or [line(dim("nothing has been probed yet"))])

    def _show_curve(self) -> None:
        place = self.query_one("#curve", Lines)
        chart = self.session.dossiers.host_charts.get((self.host_id, self._vital, self._minutes))
        if chart is None:
            place.show([line(dim(f"reading {self._vital}…"))])
        else:
            place.show(plot(chart, width=place.size.width, height=place.size.height, now=self.session.now()))

    def _show_readings(self, detail: HostDetail | None) -> None:
        place, now = self.query_one("#readings", Reader), self.session.now()
        if detail is None:
            place.show([RULE, line(dim("reading what the host has sent…"))])
            return
        lines: list[Line] = [RULE]
        if not self._wanted:
            for each in detail.alerts:
                lines += [*alert.glance(each, now=now), EMPTY]
            lines += [*host.ticket_lines(detail.tickets, me=self.session.login, now=now), RULE]
        place.show([*lines, *self._reading_lines(detail)])

    def _reading_lines(self, detail: HostDetail) -> list[Line]:
        """The interfaces and all readings; drawn anew only where they are others: there may be thousands."""
        if self._drawn is not None and self._drawn[0] is detail and self._drawn[1] == self._wanted:
            return self._drawn_lines
        self._rates.follow(detail.readings)
        readings = host.reading_lines(detail.readings, self._wanted)
        count = f"{len(readings)} of {len(detail.readings)}" if self._wanted else str(len(detail.readings))
        table = [] if self._wanted else device.interface_lines(device.interfaces(detail.readings), self._rates)
        self._drawn = detail, self._wanted
        self._drawn_lines = [
            *([*table, RULE] if table else []),
            line(strong(f"{count} readings"), dim("   ↑ a counter")),
            *readings,
        ]
        return self._drawn_lines
