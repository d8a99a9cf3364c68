"""Silencing alerts like one: which labels, for how long, and why; nothing typed is lost to an error."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from tocsin_protocol.api import Alert, NewSilence
from tocsin_tui.format import Tone, clock, dim, line, shortened, strong
from tocsin_tui.session import Session
from tocsin_tui.silence import USUAL, length_of, matchers_of
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter

FIELDS = {"matchers": "alerts", "length": "for", "comment": "because"}
"""The fields by id, each with the word before it."""
KEYS = "enter silences · tab next field · esc keeps it for later"


class SilenceScreen(ModalScreen[None]):
    """A form at the lower edge, filled in with what makes the alert what it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,ctrl+d", "send", "silence", priority=True, id="silence.send", tooltip="Silence them"),
        Binding("escape", "leave", "keep", id="silence.leave", tooltip="Back; what was typed is kept"),
        Binding("tab,down", "app.focus_next", "next", id="silence.next", tooltip="To the next field"),
        Binding("shift+tab,up", "app.focus_previous", id="silence.previous", tooltip="To the field before"),
    ]

    def __init__(self, session: Session, painter: Painter, alert: Alert) -> None:
        super().__init__()
        self._session = session
        self._painter = painter
        self._alert = alert

    def compose(self) -> ComposeResult:
        with Vertical(classes="composer -form"):
            yield Lines(self._painter, id="title")
            for name, field in zip(FIELDS, self._fields(), strict=True):
                yield Horizontal(Lines(self._painter, id=f"of-{name}"), field, classes=f"field -{name}")
            yield Lines(self._painter, id="hint")

    def on_mount(self) -> None:
        what = f"Silence {self._alert.alertname} of {self._alert.client}"
        self.query_one("#title", Lines).show(
            [shortened(strong(what), dim(": these ring no more for some time"))]
        )
        for name, word in FIELDS.items():
            self.query_one(f"#of-{name}", Lines).show([line(dim(word))])
        self._say_until()
        self.query_one("#length").focus()

    def on_text_area_changed(self) -> None:
        self._keep()

    def on_input_changed(self) -> None:
        self._keep()
        self._say_until()

    def action_leave(self) -> None:
        self._keep()
        self.dismiss()

    def action_send(self) -> None:
        try:
            ends_at = self._session.now() + length_of(self._typed("length"))
        except ValueError as error:
            self._hint(f"not sent: {error}", Tone.BAD)
            self.query_one("#length").focus()
            return
        wish = NewSilence(
            matchers=self._typed("matchers").replace("\n", " ").strip(),
            ends_at=ends_at,
            client=self._alert.client,
            comment=self._typed("comment").strip(),
        )
        self._hint("sending…")
        self.run_worker(self._deliver(wish), group="send", exclusive=True)

    async def _deliver(self, wish: NewSilence) -> None:
        if await self._session.acts.silence(wish):
            for name in FIELDS:
                self._session.drafts.pop(self._draft(name), None)
            self.dismiss()
            return
        notice = self._session.notice
        self._hint(f"not sent: {notice.text if notice else 'try again'}", Tone.BAD)

    def _fields(self) -> Iterable[Widget]:
        drafts = self._session.drafts
        matchers = drafts.get(self._draft("matchers"), matchers_of(self._alert, comma=", "))
        yield TextArea(matchers, id="matchers", soft_wrap=True, highlight_cursor_line=False)
        yield Input(drafts.get(self._draft("length"), USUAL), id="length", select_on_focus=True)
        yield Input(drafts.get(self._draft("comment"), ""), id="comment", select_on_focus=False)

    def _say_until(self) -> None:
        """Say until when it would hold, or what is wrong with what is typed so far."""
        now = self._session.now()
        try:
            ends_at = now + length_of(self._typed("length"))
        except ValueError as error:
            self._hint(str(error), Tone.WARN)
        else:
            self._hint(f"until {clock(ends_at, now)} · {KEYS}")

    def _keep(self) -> None:
        for name in FIELDS:
            self._session.drafts[self._draft(name)] = self._typed(name)

    def _typed(self, name: str) -> str:
        # From the field itself: keys may come faster than the messages that tell of them.
        if name == "matchers":
            return self.query_one(TextArea).text
        return self.query_one(f"#{name}", Input).value

    def _draft(self, name: str) -> str:
        return f"silence {self._alert.id} {name}"

    def _hint(self, text: str, tone: Tone = Tone.DIM) -> None:
        self.query_one("#hint", Lines).show([line((text, tone))])
