"""All hosts: the silent first, then those with tickets, each with its readings at a glance."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from tocsin_protocol.api import HostRow
from tocsin_protocol.vocabulary import HostState
from tocsin_tui.format import Line, Span, Tone, dim, line
from tocsin_tui.screens.filtered import FilteredPage
from tocsin_tui.session import Session
from tocsin_tui.sheets import host
from tocsin_tui.state import LinkState
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter
from tocsin_tui.widgets.table import Column, VirtualTable

COLUMNS = (
    Column("", 1),
    Column("HOST", 0),
    Column("KIND", 4),
    Column("CLIENT", 10),
    Column("SITE", 10, from_width=100),
    Column("TICKETS", 7),
    Column("CPU", 5, right=True),
    Column("MEM", 5, right=True),
    Column("DISK", 5, right=True),
    Column("LOAD", 5, right=True),
    Column("STATE", 13),
    Column("OS", 22, from_width=110),
)
REFRESH_S = 5.0
FILTER_TIP = "Filter: words, client:acme, state:silent, kind:network"


class HostsScreen(FilteredPage):
    """The list of hosts."""

    HERE = "Hosts"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="list.filter", tooltip=FILTER_TIP),
        Binding("backslash", "unfilter", show=False, id="list.unfilter", tooltip="Clear the filter"),
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
        self.table: VirtualTable[HostRow] = VirtualTable(
            session.hosts, COLUMNS, self._cells, painter, id="table"
        )

    def body(self) -> Iterable[Widget]:
        yield Vertical(
            Lines(self.painter, id="heading"),
            self.table,
            Lines(self.painter, id="empty"),
            Lines(self.painter, id="foot"),
            id="body",
        )
        yield Input(
            id="filter", placeholder="words  client:acme  state:silent  kind:network", select_on_focus=False
        )

    def on_mount(self) -> None:
        super().on_mount()
        self.table.focus()
        self._read()
        self.set_interval(REFRESH_S, self._read)

    def crumb(self) -> str:
        wanted = self.session.host_filter.text
        return f"/{wanted}" if wanted else ""

    def show(self) -> None:
        session = self.session
        self.table.sync()
        is_empty = not session.hosts.order
        self.set_class(is_empty, "-empty")
        self.query_one("#heading", Lines).show([self.table.heading()])
        self.query_one("#empty", Lines).show(self._nothing() if is_empty else ())
        self.query_one("#foot", Lines).show([self._foot()])

    def wanted(self) -> str:
        return self.session.host_filter.text

    def narrow(self, text: str) -> None:
        self.session.filter_hosts(text)

    def listing(self) -> Widget:
        return self.table

    def on_virtual_table_chosen(self) -> None:
        self.choose()

    def choose(self) -> None:
        row = self.session.hosts.current
        if row is None:
            return
        from tocsin_tui.screens.host import HostScreen  # noqa: PLC0415 - read when it is first opened

        self.app.push_screen(HostScreen(self.session, self.painter, row.id))

    def _read(self) -> None:
        if self.session.link.state is LinkState.LIVE and self.is_looked_at:
            self.run_worker(self.session.read_hosts(), group="hosts", exclusive=True)

    def _cells(self, row: HostRow, is_ghost: bool) -> tuple[Span, ...]:  # noqa: FBT001 - as the table calls it
        cells = host.cells(row, now=self.session.now())
        return tuple((text, Tone.DIM) for text, _ in cells) if is_ghost else cells

    def _foot(self) -> Line:
        rows = self.session.hosts.rows.values()
        silent = sum(row.state is HostState.SILENT for row in rows)
        shown, total = len(self.session.hosts), len(rows)
        count = f" {shown} of {total} hosts" if shown != total else f" {total} hosts"
        return line(dim(count), (f" · ○ {silent} silent", Tone.UNKNOWN) if silent else "")

    def _nothing(self) -> list[Line]:
        if not self.session.has_snapshot:
            return [line(dim("reading the hosts…"))]
        return host.nothing_here(self.session.host_filter.text, len(self.session.hosts.rows))
