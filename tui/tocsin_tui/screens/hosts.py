"""All hosts: the silent first, then those with tickets, each with its readings at a glance."""

from collections.abc import Collection
from typing import ClassVar

from textual.binding import BindingType

from tocsin_protocol.hosts import HostRow
from tocsin_protocol.vocabulary import HostState
from tocsin_tui.filters import HOST_KEYS, host_fields
from tocsin_tui.format import Line, Span, Tone, dim, line
from tocsin_tui.screens.listed import ListPage, list_keys
from tocsin_tui.session import Session
from tocsin_tui.sheets import host
from tocsin_tui.state import LinkState
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


class HostsScreen(ListPage):
    """The list of hosts."""

    HERE = "Hosts"
    HINT = "words  client:acme  state:silent  kind:network"
    KEYS = HOST_KEYS

    BINDINGS: ClassVar[list[BindingType]] = list_keys(FILTER_TIP)

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__(session, painter)
        self.table: VirtualTable[HostRow] = VirtualTable(
            session.hosts, COLUMNS, self._cells, painter, id="table"
        )

    def on_mount(self) -> None:
        self.table.focus()
        self._read()
        self.set_interval(REFRESH_S, self._read)

    def wanted(self) -> str:
        return self.session.host_filter.text

    def narrow(self, text: str) -> None:
        self.session.filter_hosts(text)

    def known(self, key: str) -> Collection[str]:
        return sorted({host_fields(row)[key] for row in self.session.hosts.rows.values()} - {""})

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

    def foot(self) -> Line:
        rows = self.session.hosts.rows.values()
        silent = sum(row.state is HostState.SILENT for row in rows)
        shown, total = len(self.session.hosts), len(rows)
        count = f" {shown} of {total} hosts" if shown != total else f" {total} hosts"
        return line(dim(count), (f" · ○ {silent} silent", Tone.UNKNOWN) if silent else "")

    def nothing(self) -> list[Line]:
        if not self.session.has_snapshot:
            return [line(dim("reading the hosts…"))]
        return host.nothing_here(self.session.host_filter.text, len(self.session.hosts.rows))
