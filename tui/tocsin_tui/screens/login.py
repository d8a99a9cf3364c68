"""Signing in: login, password and the code that may be asked for; what was typed stays when it is refused."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tocsin_tui.errors import CodeRequired, ConsoleError
from tocsin_tui.format import Tone, dim, line, strong
from tocsin_tui.session import Session
from tocsin_tui.widgets.field import Field
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter


class LoginScreen(ModalScreen[str]):
    """A form over the queue, which keeps showing what was known.

    It leaves the password to who has to enrol a device with it next; to all others nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "app.quit", "quit", id="login.quit", tooltip="Leave the console"),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__()
        self._session = session
        self._painter = painter

    def compose(self) -> ComposeResult:
        with Vertical(classes="window -small"):
            yield Lines(self._painter, id="title")
            yield Field(self._session.login, id="login", placeholder="login", select_on_focus=False)
            yield Field(id="password", placeholder="password", password=True, select_on_focus=False)
            yield Field(id="code", placeholder="code, or a recovery code", select_on_focus=False)
            yield Lines(self._painter, id="hint")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([line(strong("Sign in"), dim(f"  {self._session.client.url}"))])
        self.query_one("#code", Input).display = False
        reason = self._session.link.reason
        self._hint(reason or "enter signs in · esc leaves", Tone.WARN if reason else Tone.DIM)
        self.query_one("#password" if self._session.login else "#login", Input).focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        if message.input.id == "login":
            self.query_one("#password", Input).focus()
            return
        self._hint("signing in…", Tone.DIM)
        self.run_worker(self._sign_in(), group="sign in", exclusive=True)

    async def _sign_in(self) -> None:
        login, password, code = (self.query_one(f"#{name}", Input) for name in ("login", "password", "code"))
        try:
            answer = await self._session.client.login(login.value.strip(), password.value, code.value)
        except CodeRequired as error:
            is_asked, code.display = code.display, True
            code.value = ""  # whatever it was, it is good no longer
            self._hint(str(error), Tone.BAD if is_asked else Tone.WARN)
            code.focus()
            return
        except ConsoleError as error:
            self._hint(str(error), Tone.BAD)
            password.focus()
            return
        self._session.me = answer.person
        self.dismiss(password.value if answer.must_enrol else "")

    def _hint(self, text: str, tone: Tone) -> None:
        self.query_one("#hint", Lines).show([line((text, tone))])
