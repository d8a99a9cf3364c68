"""A question that is answered in words: a note, what was done, a title.

What was typed is kept as a draft until it has been sent: an error, Esc or a lost line take nothing away.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, TextArea

from tocsin_tui.format import Tone, dim, line, shortened, strong
from tocsin_tui.presence import Look
from tocsin_tui.session import Session
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter


class Composer(ModalScreen[None]):
    """A field at the lower edge. `send` says whether it has worked; if not, the session says why."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+d", "send", "send", priority=True, id="compose.send", tooltip="Send"),
        Binding("escape", "leave", "keep", id="compose.leave", tooltip="Back; what was typed is kept"),
    ]

    def __init__(
        self,
        session: Session,
        painter: Painter,
        *,
        title: str,
        draft: str,
        send: Callable[[str], Awaitable[bool]],
        is_long: bool,
        may_be_empty: bool = False,
        writes: Look | None = None,
    ) -> None:
        super().__init__()
        self.writes = writes
        """What others are told of it."""
        self._session = session
        self._painter = painter
        self._question = title
        self._draft = draft
        self._send = send
        self._is_long = is_long
        self._may_be_empty = may_be_empty

    def compose(self) -> ComposeResult:
        typed = self._session.drafts.get(self._draft, "")
        with Vertical(classes="composer -long" if self._is_long else "composer"):
            yield Lines(self._painter, id="title")
            if self._is_long:
                yield TextArea(typed, id="field", soft_wrap=True, highlight_cursor_line=False)
            else:
                yield Input(typed, id="field", select_on_focus=False)
            yield Lines(self._painter, id="hint")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([shortened(strong(self._question))])
        self._hint(
            "ctrl+d sends · esc keeps it for later" if self._is_long else "enter sends · esc keeps it for later"
        )
        self.query_one("#field").focus()

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        self._session.drafts[self._draft] = message.text_area.text

    def on_input_changed(self, message: Input.Changed) -> None:
        self._session.drafts[self._draft] = message.value

    def on_input_submitted(self) -> None:
        self.action_send()

    def action_leave(self) -> None:
        self._session.drafts[self._draft] = self._typed()
        self.dismiss()

    def action_send(self) -> None:
        text = self._typed().strip()
        if not text and not self._may_be_empty:
            self._hint("nothing is written yet", Tone.WARN)
            return
        self._hint("sending…")
        self.run_worker(self._deliver(text), group="send", exclusive=True)

    def _typed(self) -> str:
        # From the field itself: keys may come faster than the messages that tell of them.
        return self.query_one(TextArea).text if self._is_long else self.query_one(Input).value

    async def _deliver(self, text: str) -> None:
        if await self._send(text):
            self._session.drafts.pop(self._draft, None)
            self.dismiss()
            return
        notice = self._session.notice
        self._hint(f"not sent: {notice.text if notice else 'try again'}", Tone.BAD)

    def _hint(self, text: str, tone: Tone = Tone.DIM) -> None:
        self.query_one("#hint", Lines).show([line((text, tone)) if tone is not Tone.DIM else line(dim(text))])
