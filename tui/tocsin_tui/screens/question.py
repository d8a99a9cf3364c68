"""A question that is answered with yes or no, before something that cannot be taken back."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tocsin_tui.format import Line, Tone, dim, line, shortened, strong
from tocsin_tui.screens.sending import SendingScreen
from tocsin_tui.session import Session
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter


class Question(SendingScreen):
    """A question at the lower edge. `act` says whether it has worked; if not, the session says why."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "act", "yes", id="question.yes", tooltip="Yes, do it"),
        Binding("n,q,escape", "leave", "no", id="question.no", tooltip="No, leave it as it is"),
    ]
    NOT_DONE: ClassVar[str] = "not done"

    def __init__(
        self, session: Session, painter: Painter, *, title: str, about: Line, act: Callable[[], Awaitable[bool]]
    ) -> None:
        super().__init__(session, painter)
        self._title = title
        self._about = about
        self._act = act

    def compose(self) -> ComposeResult:
        with Vertical(classes="composer -question"):
            yield Lines(self.painter, id="title")
            yield Lines(self.painter, id="about")
            yield Lines(self.painter, id="hint")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([shortened(strong(self._title))])
        self.query_one("#about", Lines).show([shortened(*self._about.spans)])
        keys = line(("y", Tone.KEY), dim(" yes  "), ("n", Tone.KEY), dim(" no, leave it as it is"))
        self.query_one("#hint", Lines).show([keys])

    def action_leave(self) -> None:
        self.leave()

    def action_act(self) -> None:
        if not self.is_sending:
            self.deliver(self._act())
