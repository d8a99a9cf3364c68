"""Which of many tickets an act was refused of, and why of each."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tocsin_tui.format import Tone, dim, line, strong
from tocsin_tui.marks import Refusal
from tocsin_tui.widgets.lines import Lines, Reader
from tocsin_tui.widgets.paint import Painter


class RefusedScreen(ModalScreen[None]):
    """A page of refusals; any of the ways back leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,enter,backspace,h,left", "dismiss", id="refused.back", tooltip="Back"),
    ]

    def __init__(self, painter: Painter, refused: Sequence[Refusal]) -> None:
        super().__init__()
        self._painter = painter
        self._refused = refused

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Lines(self._painter, id="title")
            yield Reader(self._painter, id="reader")

    def on_mount(self) -> None:
        count = len(self._refused)
        said = "1 ticket was refused" if count == 1 else f"{count} tickets were refused"
        self.query_one("#title", Lines).show([line(strong(said), dim("   still marked · q back"))])
        self.query_one(Reader).show(
            [line((f"#{each.ticket_id:<7} ", Tone.WARN), each.why, hang=9) for each in self._refused]
        )
