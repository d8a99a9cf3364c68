"""Pages of one table under its heading: a line at the foot, and perhaps what the cursor is on below it."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from tocsin_tui.board import Board
from tocsin_tui.format import Line, Span, Tone, dim, line
from tocsin_tui.screens.narrowed import NarrowedPage
from tocsin_tui.widgets.field import Field
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.table import VirtualTable


def list_keys(filter_tip: str) -> list[BindingType]:
    """What every such page has: its filter, and the way back."""
    return [
        Binding("slash", "filter", "filter", key_display="/", id="list.filter", tooltip=filter_tip),
        Binding(
            "q,escape,h,left,backspace",
            "back",
            "back",
            key_display="q",
            id="go.back",
            tooltip="Back to the queue",
        ),
    ]


class ListPage(NarrowedPage):
    """A page of a table; subclasses make it, and say what stands at the foot and where nothing does."""

    HINT: ClassVar[str]
    """What can be typed into the filter."""
    table: VirtualTable[Any]

    def body(self) -> Iterable[Widget]:
        yield Lines(self.painter, id="narrowed")
        yield Vertical(
            Lines(self.painter, id="heading"),
            self.table,
            Lines(self.painter, id="empty"),
            Lines(self.painter, id="foot"),
            id="body",
        )
        yield from self.beneath()
        yield Field(id="filter", placeholder=self.HINT, select_on_focus=False)

    def beneath(self) -> Iterable[Widget]:
        """What stands below the table."""
        return ()

    def show(self) -> None:
        self.table.sync()
        is_empty = not self.table.listing.order
        self.be_empty(is_empty)
        self.query_one("#heading", Lines).show([self.table.heading()])
        self.query_one("#empty", Lines).show(self.nothing() if is_empty else ())
        self.show_current()

    def show_current(self) -> None:
        """What depends on where the cursor is."""
        self.query_one("#foot", Lines).show([self.foot()])

    def foot(self) -> Line:
        """How much there is."""
        raise NotImplementedError

    def nothing(self) -> list[Line]:
        """What is said where no row is."""
        raise NotImplementedError

    def listing(self) -> Widget:
        return self.table

    def on_virtual_table_chosen(self) -> None:
        self.choose()


class BoardPage(ListPage):
    """A page of a board, with the row under the cursor in full below."""

    THINGS: ClassVar[str]
    """What the rows are, in words."""

    @property
    def board(self) -> Board[Any]:
        """What is listed."""
        raise NotImplementedError

    def below(self, room: int) -> Sequence[Line]:
        """The row under the cursor, in so many lines."""
        raise NotImplementedError

    def told(self) -> Sequence[Span]:
        """The foot of a list that is known."""
        raise NotImplementedError

    def none_here(self) -> list[Line]:
        """Of a list that is known: why nothing is to be seen."""
        raise NotImplementedError

    def beneath(self) -> Iterable[Widget]:
        yield Lines(self.painter, id="below")

    def wanted(self) -> str:
        return self.board.wanted.text

    def narrow(self, text: str) -> None:
        self.board.narrow(text)

    def known(self, key: str) -> Collection[str]:
        return self.board.values(key)

    def on_virtual_table_moved(self) -> None:
        self.show_current()

    def show_current(self) -> None:
        place = self.query_one("#below", Lines)
        place.show(() if self.board.listing.current is None else self.below(place.size.height))
        super().show_current()

    def foot(self) -> Line:
        if self.board.page is None:
            return line()
        waiting = self.board.listing.waiting()
        new = [(f" · +{waiting.above} new above ▲", Tone.FRESH)] if waiting.above else []
        new += [(f" · +{waiting.below} new below ▼", Tone.FRESH)] if waiting.below else []
        return line(*self.told(), *new)

    def nothing(self) -> list[Line]:
        if self.board.page is not None:
            return self.none_here()
        if self.board.problem:
            return [
                line((f"The {self.THINGS} could not be read; none is known yet.", Tone.BAD)),
                line(dim(self.board.problem)),
                line(),
                line(dim("R tries now · it tries by itself as well")),
            ]
        return [line(dim(f"reading the {self.THINGS}…"))]
