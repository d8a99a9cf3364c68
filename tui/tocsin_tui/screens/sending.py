"""A screen over another one that asks for an act: it goes once that is done, and says why where it is not."""

from collections.abc import Awaitable
from typing import ClassVar

from textual.screen import ModalScreen

from tocsin_tui.format import Tone, line
from tocsin_tui.session import Session
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter


class SendingScreen(ModalScreen[None]):
    """Whoever leaves it before the answer breaks nothing off: the message line tells what has come of it."""

    NOT_DONE: ClassVar[str] = "not sent"

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__()
        self.session = session
        self.painter = painter
        self.is_sending = False
        """An answer is waited for: nothing else is sent before it has come."""
        self._is_done = False

    @property
    def stands(self) -> bool:
        """Whether it is still there, perhaps below another one."""
        return self in self.app.screen_stack

    def has_sent(self) -> None:
        """It has worked."""

    def say(self, text: str, tone: Tone = Tone.DIM) -> None:
        """Say this in the line at the lower edge."""
        self.query_one("#hint", Lines).show([line((text, tone))])

    def deliver(self, asked: Awaitable[bool]) -> None:
        """Ask for it. It belongs to the console: what a screen has begun would end with that."""
        self.is_sending = True
        self.say("sending…")
        self.app.run_worker(self._deliver(asked), group="act")

    def leave(self) -> None:
        """Go now; nothing that was looked for meanwhile is of use."""
        self.workers.cancel_node(self)
        self.dismiss()

    def on_screen_resume(self) -> None:
        self._go_once_done()

    async def _deliver(self, asked: Awaitable[bool]) -> None:
        try:
            self._is_done = await asked
        finally:
            self.is_sending = False
        if self._is_done:
            self.has_sent()
            self._go_once_done()
        elif self.stands:
            notice = self.session.notice
            self.say(f"{self.NOT_DONE}: {notice.text if notice else 'try again'}", Tone.BAD)

    def _go_once_done(self) -> None:
        """Who has to sign in again does that above it: then it goes after that."""
        if self._is_done and self.is_active:
            self.leave()
