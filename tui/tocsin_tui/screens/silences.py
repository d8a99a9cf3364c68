"""The silences: what ends next first, then those to come; on demand those that are over."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tocsin_protocol.silences import Silence
from tocsin_tui.board import Board
from tocsin_tui.filters import SILENCE_KEYS
from tocsin_tui.format import Line, Span
from tocsin_tui.screens.listed import BoardPage, list_keys
from tocsin_tui.screens.silenceverbs import SilencePage
from tocsin_tui.session import Session
from tocsin_tui.sheets import silence
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


class SilencesScreen(BoardPage, SilencePage):
    """The list of silences."""

    HERE = "Silences"
    THINGS = "silences"
    HINT = "words  client:all  author:me  state:pending"
    KEYS = SILENCE_KEYS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "t", "expired", "expired", id="silence.expired", tooltip="With those that are over, or without"
        ),
        *list_keys(FILTER_TIP),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__(session, painter)
        self.table: VirtualTable[Silence] = VirtualTable(
            session.silences.listing, COLUMNS, self._cells, painter, id="table"
        )

    def on_mount(self) -> None:
        self.table.focus()

    def silence_in_hand(self) -> Silence | None:
        return self.session.silences.listing.current

    @property
    def board(self) -> Board[Silence]:
        return self.session.silences

    def crumb(self) -> str:
        return "with expired" if self.session.silences.with_expired else ""

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

    def below(self, room: int) -> Sequence[Line]:
        current = self.silence_in_hand()
        return silence.below(current, now=self.session.now(), room=room) if current else ()

    def told(self) -> Sequence[Span]:
        silences = self.session.silences
        return silence.foot(
            len(silences.listing),
            [row for row in silences.page or () if silences.belongs(row)],
            now=self.session.now(),
            with_expired=silences.with_expired,
            is_cut=silences.are_cut,
        )

    def none_here(self) -> list[Line]:
        silences = self.session.silences
        return silence.nothing_here(
            silences.wanted.text, len(silences.page or ()), with_expired=silences.with_expired
        )
