"""The parts of a filter, of which one is taken away."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tocsin_tui.format import Span, Tone, dim, line, strong
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter

MOST = 9
"""How many have a key."""


class PartsScreen(ModalScreen[int | None]):
    """A line of them, each with the key that takes it away; its answer is the place of that one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *[
            Binding(
                str(number), f"take({number - 1})", show=False, id=f"parts.{number}", tooltip="Take it away"
            )
            for number in range(1, MOST + 1)
        ],
        Binding("q,escape,minus", "dismiss", "back", id="parts.back", tooltip="Leave all as they are"),
    ]

    def __init__(self, painter: Painter, parts: Sequence[str]) -> None:
        super().__init__()
        self._painter = painter
        self._parts = parts[:MOST]

    def compose(self) -> ComposeResult:
        with Vertical(classes="composer -question"):
            yield Lines(self._painter, id="title")
            yield Lines(self._painter, id="about")

    def on_mount(self) -> None:
        spans: list[Span] = []
        for number, part in enumerate(self._parts, start=1):
            spans += [(f"{number} ", Tone.KEY), (f"{part}  ", Tone.PLAIN)]
        self.query_one("#title", Lines).show([line(strong("Take away which?"), dim("   q leaves all"))])
        self.query_one("#about", Lines).show([line(*spans)])

    def action_take(self, place: int) -> None:
        if place < len(self._parts):
            self.dismiss(place)
