"""The silences: what ends next first, then those to come; on demand those that are over."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from tocsin_protocol.api import Silence
from tocsin_tui.format import Line, Span, Tone, dim, line
from tocsin_tui.screens.filtered import FilteredPage
from tocsin_tui.screens.silenceverbs import SilencePage
from tocsin_tui.session import Session
from tocsin_tui.sheets import silence
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter
from tocsin_tui.widgets.table import Column, VirtualTable

COLUMNS = (
    Column("STATE", 9),
    Column("ID", 5, right=True),
    Column("CLIENT", 7, wide=10),
    Column("ENDS IN", 7, right=True),
    Column("BY", 7, wide=10),
    Column("BECAUSE", 16, wide=30),
    Column("ALERTS", 0),
)
FILTER_TIP = "Filter: words, client:all, author:me"


class SilencesScreen(FilteredPage, SilencePage):
    """The list of silences."""

    HERE = "Silences"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "t", "expired", "expired", id="silence.expired", tooltip="With those that are over, or without"
        ),
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
        self.table: VirtualTable[Silence] = VirtualTable(
            session.silences.listing, COLUMNS, self._cells, painter, id="table"
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
            id="filter", placeholder="words  client:all  author:me  state:pending", select_on_focus=False
        )

    def on_mount(self) -> None:
        self.table.focus()

    def silence_in_hand(self) -> Silence | None:
        return self.session.silences.listing.current

    def crumb(self) -> str:
        silences = self.session.silences
        wanted = f"/{silences.wanted.text}" if silences.wanted.text else ""
        return " ".join(part for part in ("with expired" if silences.with_expired else "", wanted) if part)

    def show(self) -> None:
        self.table.sync()
        is_empty = not self.session.silences.listing.order
        self.set_class(is_empty, "-empty")
        self.query_one("#heading", Lines).show([self.table.heading()])
        self.query_one("#empty", Lines).show(self._nothing() if is_empty else ())
        self._show_current()

    def on_virtual_table_moved(self) -> None:
        self._show_current()

    def on_virtual_table_chosen(self) -> None:
        self.choose()

    def wanted(self) -> str:
        return self.session.silences.wanted.text

    def narrow(self, text: str) -> None:
        self.session.silences.narrow(text)

    def listing(self) -> Widget:
        return self.table

    def choose(self) -> None:
        current = self.silence_in_hand()
        if current is None:
            return
        from tocsin_tui.screens.onesilence import OneSilenceScreen  # noqa: PLC0415 - read when it is first opened

        self.app.push_screen(OneSilenceScreen(self.session, self.painter, current))

    def action_expired(self) -> None:
        self.session.silences.toggle()
        self.run_worker(self.session.silences.reveal(), group="silences")
        self.refresh_page()

    def _cells(self, row: Silence, is_ghost: bool) -> tuple[Span, ...]:  # noqa: FBT001 - as the table calls it
        return silence.cells(row, now=self.session.now(), is_ghost=is_ghost)

    def _show_current(self) -> None:
        current, place = self.silence_in_hand(), self.query_one("#below", Lines)
        told = silence.below(current, now=self.session.now(), room=place.size.height) if current else ()
        place.show(told)
        self.query_one("#foot", Lines).show([self._foot()])

    def _foot(self) -> Line:
        silences = self.session.silences
        if silences.page is None:
            return line()
        waiting = silences.listing.waiting()
        new = [(f" · +{waiting.above} new above ▲", Tone.FRESH)] if waiting.above else []
        new += [(f" · +{waiting.below} new below ▼", Tone.FRESH)] if waiting.below else []
        told = silence.foot(
            len(silences.listing),
            [row for row in silences.page if silences.belongs(row)],
            now=self.session.now(),
            with_expired=silences.with_expired,
            is_cut=silences.are_cut,
        )
        return line(*told, *new)

    def _nothing(self) -> list[Line]:
        silences = self.session.silences
        if silences.page is not None:
            return silence.nothing_here(
                silences.wanted.text, len(silences.page), with_expired=silences.with_expired
            )
        if silences.problem:
            return [
                line(("The silences could not be read; none is known yet.", Tone.BAD)),
                line(dim(silences.problem)),
                line(),
                line(dim("R tries now · it tries by itself as well")),
            ]
        return [line(dim("reading the silences…"))]
