"""A form at the lower edge, filled in with what is proposed; nothing typed is lost to an error."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, TextArea

from tocsin_tui.format import Line, Span, Tone, dim, line, shortened
from tocsin_tui.screens.sending import SendingScreen
from tocsin_tui.session import Session
from tocsin_tui.widgets.field import Field, TextField
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter

KEYS = "tab next field · esc keeps it for later"


class Form(SendingScreen):
    """Fields of one line, or of several where they are named in `LONG`; what they mean is the subclass's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,ctrl+d", "send", "send", priority=True, id="form.send", tooltip="Send it"),
        Binding("escape", "leave", "keep", id="form.leave", tooltip="Back; what was typed is kept"),
        Binding("tab", "app.focus_next", "next", priority=True, id="form.next", tooltip="To the next field"),
        Binding(
            "shift+tab",
            "app.focus_previous",
            priority=True,
            id="form.previous",
            tooltip="To the field before",
        ),
        Binding("down", "app.focus_next", show=False, id="form.down", tooltip="To the next field"),
        Binding("up", "app.focus_previous", show=False, id="form.up", tooltip="To the field before"),
    ]
    FIELDS: ClassVar[Mapping[str, str]]
    """The fields by id, each with the word before it."""
    LONG: ClassVar[frozenset[str]] = frozenset()
    FIRST: ClassVar[str]
    """The field that one is in at first, and where a time is typed that may be none."""
    LISTS: ClassVar[bool] = False
    """Whether it shows what one can choose from."""

    def __init__(self, session: Session, painter: Painter, *, title: tuple[Span, ...], draft: str) -> None:
        super().__init__(session, painter)
        self._title = title
        self._drafts_name = draft

    def proposed(self, name: str) -> str:
        """What stands in a field before anything is typed."""
        raise NotImplementedError

    def told(self) -> str:
        """What sending would do, for what is typed now; raises `ValueError` with what is wrong."""
        raise NotImplementedError

    def sent(self) -> Awaitable[bool]:
        """Send what is typed now; whether it has worked. Raises `ValueError` likewise, at once."""
        raise NotImplementedError

    def listed(self) -> Sequence[Line]:
        """What one can choose from, for what is typed now."""
        return ()

    def changed(self) -> None:
        """Something else is typed than before."""

    def typed(self, name: str) -> str:
        """What stands in a field."""
        # From the field itself: keys may come faster than the messages that tell of them.
        if name in self.LONG:
            return self.query_one(f"#{name}", TextArea).text
        return self.query_one(f"#{name}", Input).value

    def compose(self) -> ComposeResult:
        with Vertical(classes="composer -form -lists" if self.LISTS else "composer -form"):
            yield Lines(self.painter, id="title")
            for name in self.FIELDS:
                classes = "field -long" if name in self.LONG else "field"
                yield Horizontal(Lines(self.painter, id=f"of-{name}"), self._field(name), classes=classes)
            if self.LISTS:
                yield Lines(self.painter, id="listed")
            yield Lines(self.painter, id="hint")

    def on_mount(self) -> None:
        self.query_one("#title", Lines).show([shortened(*self._title)])
        for name, word in self.FIELDS.items():
            self.query_one(f"#of-{name}", Lines).show([line(dim(word))])
        self.tell()
        self.query_one(f"#{self.FIRST}").focus()
        self.changed()

    def on_text_area_changed(self) -> None:
        self._keep()

    def on_input_changed(self) -> None:
        self._keep()
        self.changed()
        self.tell()

    def action_leave(self) -> None:
        self._keep()
        self.leave()

    def action_send(self) -> None:
        if not self.is_sending:
            self._after_what_was_typed(list(self.FIELDS))

    def has_sent(self) -> None:
        for name in self.FIELDS:
            self.session.drafts.pop(self._draft(name), None)

    def _after_what_was_typed(self, names: Sequence[str]) -> None:
        """Send once each field has taken in its keys: they wait with it, and Enter has overtaken them."""
        if not self.stands:
            return  # it was left by then
        if names:
            self.query_one(f"#{names[0]}").call_later(self._after_what_was_typed, names[1:])
        else:
            self._send()

    def _send(self) -> None:
        try:
            sent = self.sent()
        except ValueError as error:
            self.say(f"{self.NOT_DONE}: {error}", Tone.BAD)
            self.query_one(f"#{self.FIRST}").focus()
            return
        self.deliver(sent)

    def _field(self, name: str) -> Input | TextArea:
        given = self.session.drafts.get(self._draft(name), self.proposed(name))
        if name in self.LONG:
            return TextField(given, id=name, soft_wrap=True, highlight_cursor_line=False)
        return Field(given, id=name, select_on_focus=name == self.FIRST)

    def tell(self) -> None:
        """Say what sending would do, or what is wrong with what is typed so far."""
        if self.LISTS:
            self.query_one("#listed", Lines).show(self.listed())
        if self.is_sending:
            return
        try:
            self.say(f"{self.told()} · {KEYS}")
        except ValueError as error:
            self.say(str(error), Tone.WARN)

    def _keep(self) -> None:
        """Keep what was typed; what was only proposed is proposed anew, as it is then."""
        for name in self.FIELDS:
            typed = self.typed(name)
            if typed == self.proposed(name):
                self.session.drafts.pop(self._draft(name), None)
            else:
                self.session.drafts[self._draft(name)] = typed

    def _draft(self, name: str) -> str:
        return f"{self._drafts_name} {name}"
