"""The keys of the screen below, with what each does and the id under which `console.toml` can change it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tocsin_tui.format import EMPTY, Line, Tone, dim, line, strong
from tocsin_tui.widgets.lines import Lines, Reader
from tocsin_tui.widgets.paint import Painter


class KeysScreen(ModalScreen[None]):
    """A page of keys; any of the ways back leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,question_mark,backspace,h,left", "dismiss", id="keys.back", tooltip="Back"),
    ]

    def __init__(self, painter: Painter, bindings: Sequence[Binding]) -> None:
        super().__init__()
        self._painter = painter
        self._known = bindings

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Lines(self._painter, id="title")
            yield Reader(self._painter, id="reader")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([line(strong("Keys"), dim("   q back"))])
        self.query_one(Reader).show(self._told())

    def _told(self) -> list[Line]:
        keys: dict[str, tuple[Binding, list[str]]] = {}
        for binding in self._known:
            if binding.id is not None and binding.tooltip:
                keys.setdefault(binding.id, (binding, []))[1].append(
                    self.app.get_key_display(Binding(binding.key, ""))
                )
        lines = []
        group = ""
        for id_, (binding, names) in sorted(keys.items(), key=lambda item: item[0].partition(".")[0]):
            if id_.partition(".")[0] != group:
                lines += [EMPTY] if group else []
                group = id_.partition(".")[0]
            lines.append(
                line((f"{' '.join(names):>11}  ", Tone.KEY), f"{binding.tooltip:<44}", dim(id_), hang=13)
            )
        return lines
