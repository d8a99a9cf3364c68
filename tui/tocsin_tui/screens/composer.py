"""A question that is answered in words: a note, what was done, a title.

What was typed is kept as a draft until it has been sent: an error, Esc or a lost line take nothing away.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, TextArea

from tocsin_tui.format import Tone, shortened, strong
from tocsin_tui.presence import Look
from tocsin_tui.screens.sending import SendingScreen
from tocsin_tui.session import Session
from tocsin_tui.widgets.field import Field, TextField
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter


class Composer(SendingScreen):
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
        super().__init__(session, painter)
        self.writes = writes
        """What others are told of it."""
        self._question = title
        self._draft = draft
        self._send = send
        self._is_long = is_long
        self._may_be_empty = may_be_empty

    def compose(self) -> ComposeResult:
        typed = self.session.drafts.get(self._draft, "")
        with Vertical(classes="composer -long" if self._is_long else "composer"):
            yield Lines(self.painter, id="title")
            if self._is_long:
                yield TextField(typed, id="field", soft_wrap=True, highlight_cursor_line=False)
            else:
                yield Field(typed, id="field", select_on_focus=False)
            yield Lines(self.painter, id="hint")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([shortened(strong(self._question))])
        self.say(
            "ctrl+d sends · esc keeps it for later" if self._is_long else "enter sends · esc keeps it for later"
        )
        self.query_one("#field").focus()

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        self.session.drafts[self._draft] = message.text_area.text

    def on_input_changed(self, message: Input.Changed) -> None:
        self.session.drafts[self._draft] = message.value

    def on_input_submitted(self) -> None:
        self.action_send()

    def action_leave(self) -> None:
        self.session.drafts[self._draft] = self._typed()
        self.leave()

    def action_send(self) -> None:
        text = self._typed().strip()
        if not text and not self._may_be_empty:
            self.say("nothing is written yet", Tone.WARN)
        elif not self.is_sending:
            self.deliver(self._send(text))

    def has_sent(self) -> None:
        self.session.drafts.pop(self._draft, None)

    def _typed(self) -> str:
        # From the field itself: keys may come faster than the messages that tell of them.
        return self.query_one(TextArea).text if self._is_long else self.query_one(Input).value
