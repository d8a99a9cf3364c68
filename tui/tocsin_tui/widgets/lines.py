"""Lines of spans in a box that may be smaller: wrapped, scrolled, repainted only where they change."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tocsin_tui.format import Line
from tocsin_tui.widgets.paint import Painter, wrapped


class Lines(ScrollView, can_focus=False):
    """Text that a screen gives anew as often as it likes."""

    def __init__(self, painter: Painter, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._painter = painter
        self._given: Sequence[Line] = ()
        self._rows: list[Line] = []
        self._width = 0

    @property
    def text(self) -> str:
        """What stands here, for tests and for copying."""
        return "\n".join(row.text.rstrip() for row in self._rows)

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines; what is the same as before costs nothing."""
        width = self.scrollable_content_region.width  # a scrollbar that has come takes a cell
        if lines != self._given or width != self._width:
            self._given = lines
            self._lay_out()

    def on_resize(self, _: Resize) -> None:
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        width, at = self.size.width, y + self.scroll_offset.y
        style = self.rich_style
        if at >= len(self._rows):
            return Strip.blank(width, style)
        return Strip(self._painter.segments(self._rows[at].spans, style)).adjust_cell_length(width, style)

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        self._width = width
        before = self._rows
        self._rows = [row for line in self._given for row in wrapped(line, width)]
        if len(before) != len(self._rows):
            self.virtual_size = Size(width, len(self._rows))
        top = self.scroll_offset.y
        for y in range(self.size.height):
            if _at(before, top + y) != _at(self._rows, top + y):
                self.refresh(Region(0, y, self.size.width, 1))


def _at(rows: Sequence[Line], index: int) -> Line | None:
    return rows[index] if index < len(rows) else None


class Reader(Lines, can_focus=True):
    """Lines that a person scrolls through."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", "down", show=False, id="read.down", tooltip="One line down"),
        Binding("k,up", "scroll_up", "up", show=False, id="read.up", tooltip="One line up"),
        Binding("g,home", "scroll_home", "top", show=False, id="read.top", tooltip="To the first line"),
        Binding("G,end", "scroll_end", "end", show=False, id="read.end", tooltip="To the last line"),
        Binding("pagedown,ctrl+d", "page_down", show=False, id="read.page_down", tooltip="One page down"),
        Binding("pageup,ctrl+u", "page_up", show=False, id="read.page_up", tooltip="One page up"),
    ]


class KeyLine(Lines):
    """The footer; a click on a hint is the key."""

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, painter: Painter, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(painter, id=id)
        self._actions: list[tuple[int, str]] = []

    def offer(self, line: Line, actions: list[tuple[int, str]]) -> None:
        """Show hints; each action is that of the hint which ends at the cell."""
        self._actions = actions
        self.show([line])

    def on_click(self, event: Click) -> None:
        action = next((action for end, action in self._actions if event.x < end), None)
        if action is not None:
            self.post_message(self.Pressed(action))
