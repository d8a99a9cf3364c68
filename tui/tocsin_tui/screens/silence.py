"""A silence that is made or extended: which alerts, how long, and why; nothing typed is lost to an error."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from tocsin_protocol.api import NewSilence
from tocsin_tui.format import Tone, clock, dim, line, shortened, strong
from tocsin_tui.session import Session
from tocsin_tui.silence import Proposal
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter

FIELDS = {"matchers": "alerts", "length": "for", "comment": "because"}
"""The fields by id, each with the word before it."""
KEYS = "tab next field · esc keeps it for later"


class SilenceScreen(ModalScreen[None]):
    """A form at the lower edge, filled in with what is proposed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,ctrl+d", "send", "silence", priority=True, id="silence.send", tooltip="Silence them"),
        Binding("escape", "leave", "keep", id="silence.leave", tooltip="Back; what was typed is kept"),
        Binding("tab,down", "app.focus_next", "next", id="silence.next", tooltip="To the next field"),
        Binding("shift+tab,up", "app.focus_previous", id="silence.previous", tooltip="To the field before"),
    ]

    def __init__(self, session: Session, painter: Painter, proposal: Proposal) -> None:
        super().__init__()
        self._session = session
        self._painter = painter
        self._proposal = proposal

    def compose(self) -> ComposeResult:
        with Vertical(classes="composer -form"):
            yield Lines(self._painter, id="title")
            for name, field in zip(FIELDS, self._fields(), strict=True):
                yield Horizontal(Lines(self._painter, id=f"of-{name}"), field, classes=f"field -{name}")
            yield Lines(self._painter, id="hint")

    def on_mount(self) -> None:
        title = shortened(strong(self._proposal.title), dim(f": {self._proposal.about}"))
        self.query_one("#title", Lines).show([title])
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
        typed = {name: self._typed(name) for name in FIELDS}
        try:
            wish = self._proposal.wish(**typed, now=self._session.now())
        except ValueError as error:
            self._hint(f"not sent: {error}", Tone.BAD)
            self.query_one("#length").focus()
            return
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
        given = {name: drafts.get(self._draft(name), self._proposed(name)) for name in FIELDS}
        yield TextArea(given["matchers"], id="matchers", soft_wrap=True, highlight_cursor_line=False)
        yield Input(given["length"], id="length", select_on_focus=True)
        yield Input(given["comment"], id="comment", select_on_focus=False)

    def _say_until(self) -> None:
        """Say until when it would hold, or what is wrong with what is typed so far."""
        now = self._session.now()
        try:
            ends_at = self._proposal.ends_at(self._typed("length"), now)
        except ValueError as error:
            self._hint(str(error), Tone.WARN)
        else:
            self._hint(f"until {clock(ends_at, now)} · enter {self._proposal.verb} · {KEYS}")

    def _keep(self) -> None:
        """Keep what was typed; what was only proposed is proposed anew, as it is then."""
        for name in FIELDS:
            typed = self._typed(name)
            if typed == self._proposed(name):
                self._session.drafts.pop(self._draft(name), None)
            else:
                self._session.drafts[self._draft(name)] = typed

    def _proposed(self, name: str) -> str:
        text: str = getattr(self._proposal, name)
        return text

    def _typed(self, name: str) -> str:
        # From the field itself: keys may come faster than the messages that tell of them.
        if name == "matchers":
            return self.query_one(TextArea).text
        return self.query_one(f"#{name}", Input).value

    def _draft(self, name: str) -> str:
        return f"{self._proposal.name} {name}"

    def _hint(self, text: str, tone: Tone = Tone.DIM) -> None:
        self.query_one("#hint", Lines).show([line((text, tone))])
