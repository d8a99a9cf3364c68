"""What of the operators' files is not in force, and why; it follows the status as that is read."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from tocsin_tui.format import RULE, Line
from tocsin_tui.screens.page import Page
from tocsin_tui.session import Session
from tocsin_tui.sheets import files
from tocsin_tui.widgets.lines import Lines, Reader
from tocsin_tui.widgets.paint import Painter

if TYPE_CHECKING:
    from tocsin_protocol.status import ServerStatus


class FilesScreen(Page):
    """Every mistake, to be scrolled through."""

    HERE = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,h,left,backspace", "back", "back", key_display="q", id="go.back", tooltip="Back"),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__(session, painter)
        self._told_of: ServerStatus | None = None
        self._told: list[Line] = []

    def body(self) -> Iterable[Widget]:
        yield Lines(self.painter, id="what")
        yield Reader(self.painter, id="problems")

    def on_mount(self) -> None:
        self.query_one("#problems", Reader).focus()

    def crumb(self) -> str:
        return "Files not in force"

    def show(self) -> None:
        server = self.session.server
        if server is not self._told_of:  # there may be thousands of problems, and it is painted often
            self._told_of, self._told = server, files.lines(server)
        self.query_one("#what", Lines).show([files.heading(server), RULE])
        self.query_one("#problems", Reader).show(self._told)
