"""A list of any length that paints only what is seen, and of that only the cells that have changed.

What stands where is the listing's business (`tocsin_tui.state`); the table shows a window on it. Its cursor
is a row's id, and when rows take new places the row under the cursor keeps its line on the screen. What a key
costs does not grow with the list, and a change of a row that is not seen costs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tocsin_protocol.alerts import Alert
from tocsin_protocol.hosts import HostRow
from tocsin_protocol.silences import Silence
from tocsin_protocol.tickets import TicketRow
from tocsin_tui.format import Line, Span, Tone
from tocsin_tui.state import Listing
from tocsin_tui.widgets.paint import Painter, fit

R = TypeVar("R", TicketRow, HostRow, Alert, Silence)

MARGIN = 1
"""Rows that stay visible beyond the cursor."""
WIDE = 110
"""From so many cells on there is room to spare."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; width 0 takes what the others leave, and `from_width` hides it on a narrower screen.

    Where there is room to spare it is `wide`, if that says anything.
    """

    title: str
    width: int
    right: bool = False
    from_width: int = 0
    wide: int = 0

    def width_in(self, room: int) -> int:
        """Its own width in a table of so many cells."""
        return self.wide if self.wide and room >= WIDE else self.width


class VirtualTable(ScrollView, Generic[R], can_focus=True):
    """A window on a listing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False, id="list.down", tooltip="To the next row"),
        Binding("k,up", "move(-1)", "up", show=False, id="list.up", tooltip="To the row before"),
        Binding("g,home", "first", "first", show=False, id="list.first", tooltip="To the first row"),
        Binding("G,end", "last", "last", show=False, id="list.last", tooltip="To the last row"),
        Binding("pagedown,ctrl+d", "page(1)", show=False, id="list.page_down", tooltip="One page down"),
        Binding("pageup,ctrl+u", "page(-1)", show=False, id="list.page_up", tooltip="One page up"),
        Binding(
            "enter,l,right",
            "screen.choose",  # at once: what is typed behind it is for what it opens
            "open",
            key_display="enter",
            id="list.open",
            tooltip="Open what the cursor is on",
        ),
    ]

    class Moved(Message):
        """The cursor is on another row."""

    class Chosen(Message):
        """The row under the cursor is clicked: it is to be opened."""

    def __init__(
        self,
        listing: Listing[R],
        columns: Sequence[Column],
        cells: Callable[[R, bool], tuple[Span, ...]],
        painter: Painter,
        *,
        is_marked: Callable[[int], bool] = lambda _: False,
        id: str,  # noqa: A002 - Textual's name for it
    ) -> None:
        super().__init__(id=id)
        self.listing: Listing[R] = listing
        self._columns = columns
        self._cells: Callable[[R, bool], tuple[Span, ...]] = cells
        self._painter = painter
        self._is_marked = is_marked
        self._window: dict[int, tuple[int, tuple[Span, ...]]] = {}
        """What was painted: by line of the window, the row's id and its cells."""
        self._order: Sequence[int] = ()
        self._cursor: int | None = None
        self._cursor_place = 0
        self._widths = [0] * len(columns)  # until the first measure nothing is shown

    def heading(self) -> Line:
        """The titles, in the widths of the columns."""
        titles = (
            fit(column.title, width, right=column.right)
            for column, width in zip(self._columns, self._widths, strict=False)
            if width
        )
        return Line(((" " + " ".join(titles), Tone.DIM),))

    def sync(self) -> None:
        """Bring the window up to date with the listing."""
        if self.listing.order is not self._order:
            self._follow_order()
        if self.listing.cursor != self._cursor:
            self._follow_cursor()
        self._repaint_changes()

    def on_resize(self, _: Resize) -> None:
        self._measure()
        self._scroll_to_cursor()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        id_ = self._id_at(y)
        if id_ is None:
            self._window.pop(y, None)
            return Strip.blank(width, style)
        cells = self._cells_of(id_)
        self._window[y] = (id_, cells)
        is_cursor = id_ == self.listing.cursor
        paint = self._painter.under_cursor if is_cursor else self._painter.segments
        lead = "+" if self._is_marked(id_) else ">" if is_cursor else " "
        return Strip(paint(self._spans(cells, lead), style)).adjust_cell_length(width, style)

    def action_move(self, by: int) -> None:
        self.listing.move(by)
        self._moved()

    def action_first(self) -> None:
        self.listing.move_to(0)
        self._moved()

    def action_last(self) -> None:
        self.listing.move_to(len(self.listing.order) - 1)
        self._moved()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 2))

    def on_click(self, event: Click) -> None:
        id_ = self._id_at(event.y)
        if id_ is None:
            return
        if id_ == self.listing.cursor:
            self.post_message(self.Chosen())
            return
        self.listing.move_to(event.y + self.scroll_offset.y)
        self._moved()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._window.clear()

    def _moved(self) -> None:
        self.sync()
        self.post_message(self.Moved())

    def _id_at(self, y: int) -> int | None:
        at = y + self.scroll_offset.y
        return self.listing.order[at] if 0 <= at < len(self.listing.order) else None

    def _cells_of(self, id_: int) -> tuple[Span, ...]:
        return self._cells(self.listing.rows[id_], id_ in self.listing.ghosts)

    def _follow_order(self) -> None:
        """Rows have new places: scroll along, so that the cursor's row stays on its line."""
        self._order = self.listing.order
        self._measure()
        by = self.listing.place - self._cursor_place
        if self.listing.cursor == self._cursor and by:
            self.scroll_to(y=self.scroll_offset.y + by, animate=False)
        self._cursor_place = self.listing.place
        self.refresh()

    def _follow_cursor(self) -> None:
        for place in (self._cursor_place, self.listing.place):
            self.refresh(Region(0, place - self.scroll_offset.y, self.size.width, 1))
        self._cursor, self._cursor_place = self.listing.cursor, self.listing.place
        self._scroll_to_cursor()

    def _scroll_to_cursor(self) -> None:
        height, top, place = self.size.height, self.scroll_offset.y, self.listing.place
        margin = MARGIN if height > 2 * MARGIN + 1 else 0
        wanted = max(place + margin - height + 1, min(top, place - margin))
        if wanted != top:
            self.scroll_to(y=max(0, wanted), animate=False)

    def _repaint_changes(self) -> None:
        """Compare what is seen with what was painted."""
        for y, (id_, before) in list(self._window.items()):
            if self._id_at(y) != id_:
                self.refresh(Region(0, y, self.size.width, 1))
                continue
            after = self._cells_of(id_)
            if after is before or after == before:
                continue
            x = 1
            for width, old, new in zip(self._widths, before, after, strict=True):
                if width and old != new:
                    self.refresh(Region(x, y, width, 1))
                x += width + 1 if width else 0
            self._window[y] = (id_, after)

    def _measure(self) -> None:
        """Share the width out among the columns."""
        room = self.scrollable_content_region.width
        shown = [column.width_in(room) if room >= column.from_width else None for column in self._columns]
        fixed = sum(width + 1 for width in shown if width is not None)
        flexible = max(1, room - fixed - 1)
        self._widths = [0 if width is None else width or flexible for width in shown]
        self.virtual_size = Size(room, len(self.listing.order))

    def _spans(self, cells: Sequence[Span], lead: str) -> list[Span]:
        spans: list[Span] = [(lead, Tone.PLAIN)]
        for column, width, (text, tone) in zip(self._columns, self._widths, cells, strict=True):
            if width:
                spans += [(fit(text, width, right=column.right), tone), (" ", Tone.PLAIN)]
        return spans
