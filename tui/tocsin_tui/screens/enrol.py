"""Enrolling a device for one-time codes: the password, the secret, its first code, and the recovery codes."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tocsin_tui.errors import CodeRequired, ConsoleError
from tocsin_tui.format import Tone, line, strong
from tocsin_tui.session import Session
from tocsin_tui.sheets import codes
from tocsin_tui.widgets.field import Field
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter


class EnrolScreen(ModalScreen[bool]):
    """Says at the end whether a device is enrolled. With a password it begins at once.

    A secret is in force only when its first code has come, so it may be left before.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "done", "done", id="enrol.done", tooltip="Done, the recovery codes are written down"),
        Binding("escape", "leave", "leave", id="enrol.leave", tooltip="Back; a device without a code is none"),
        Binding("ctrl+c", "app.quit", "quit", id="enrol.quit", tooltip="Leave the console"),
    ]

    def __init__(self, session: Session, painter: Painter, *, password: str = "") -> None:
        super().__init__()
        self._session = session
        self._painter = painter
        self._given = password
        self._is_offered = False
        self._is_enrolled = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="window -enrol"):
            yield Lines(self._painter, id="title")
            yield Lines(self._painter, id="told")
            yield Field(self._given, id="password", placeholder="password", password=True)
            yield Field(id="code", placeholder="code", select_on_focus=False)
            yield Lines(self._painter, id="hint")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([line(strong("One-time codes"))])
        self.query_one("#told", Lines).show(codes.ASKED)
        self._code.display = False
        if self._given:
            self._send()
        else:
            self._hint("enter goes on · esc leaves")
            self._password.focus()

    def on_input_submitted(self) -> None:
        self._send()

    def action_done(self) -> None:
        if self._is_enrolled:
            self.dismiss(True)

    def action_leave(self) -> None:
        self.workers.cancel_node(self)
        self.dismiss(self._is_enrolled)

    @property
    def _password(self) -> Input:
        return self.query_one("#password", Input)

    @property
    def _code(self) -> Input:
        return self.query_one("#code", Input)

    def _send(self) -> None:
        self._hint("asking the server…")
        act = self._confirm if self._is_offered else self._begin
        self.run_worker(act(), group="enrol", exclusive=True)

    async def _begin(self) -> None:
        try:
            offer = await self._session.client.begin_codes(self._password.value, self._code.value)
        except CodeRequired as error:
            self._ask_code(f"{error} (of the device that is enrolled now, or a recovery code)", Tone.WARN)
            return
        except ConsoleError as error:
            self._hint(str(error), Tone.BAD)
            self._password.focus()
            return
        self._is_offered = True
        self._password.value = ""
        self._password.display = False
        self.query_one("#told", Lines).show(codes.offered(offer))
        self._ask_code("enter confirms · esc leaves, and nothing has changed", Tone.DIM)

    async def _confirm(self) -> None:
        try:
            given = await self._session.client.confirm_codes(self._code.value)
        except ConsoleError as error:
            self._ask_code(str(error), Tone.BAD)
            return
        self._is_enrolled = True
        self._code.display = False
        self.set_focus(None)
        self.query_one("#told", Lines).show(codes.recovery(given))
        self._hint("enter when they are written down")

    def _ask_code(self, said: str, tone: Tone) -> None:
        self._code.display = True
        self._code.value = ""
        self._code.focus()
        self._hint(said, tone)

    def _hint(self, text: str, tone: Tone = Tone.DIM) -> None:
        self.query_one("#hint", Lines).show([line((text, tone))])
