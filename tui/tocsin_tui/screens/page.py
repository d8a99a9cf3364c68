"""What all full screens share: four lines of chrome, the way back, and repainting four times a second."""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from tocsin_tui.format import EMPTY, Line, Span, Tone, dim, line
from tocsin_tui.presence import Look
from tocsin_tui.session import Session
from tocsin_tui.sheets import chrome
from tocsin_tui.widgets.lines import KeyLine, Lines
from tocsin_tui.widgets.paint import Painter

NOTICE_S = 8.0


class Hint(NamedTuple):
    """A key in the footer."""

    key: str
    word: str
    action: str


class Page(Screen[None]):
    """A full screen. Subclasses give `HERE`, `body` and `show`."""

    HERE: ClassVar[str]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "app.queue", "queue", show=False, id="go.queue", tooltip="The queue of tickets"),
        Binding("2", "app.hosts", "hosts", show=False, id="go.hosts", tooltip="The list of hosts"),
        Binding(
            "3", "app.alerts", "alerts", show=False, id="go.alerts", tooltip="The alerts that are going on"
        ),
        Binding("4", "app.silences", "silences", show=False, id="go.silences", tooltip="The silences"),
        Binding(
            "exclamation_mark",
            "app.files",
            "files",
            show=False,
            key_display="!",
            id="go.files",
            tooltip="What of the files is not in force",
        ),
        Binding(
            "at",
            "app.enrol",
            "codes",
            show=False,
            key_display="@",
            id="go.codes",
            tooltip="One-time codes for signing in",
        ),
        Binding(
            "R", "reload", "refresh", show=False, id="go.refresh", tooltip="Read anew, or try the line again"
        ),
        Binding("ctrl+c", "app.quit", show=False, id="go.leave", tooltip="Leave the console from anywhere"),
        Binding(
            "question_mark", "keys", "keys", key_display="?", id="go.keys", tooltip="The keys of this screen"
        ),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__()
        self.session = session
        self.painter = painter
        self._hinted: tuple[int, Widget | None] | None = None

    @property
    def is_roomy(self) -> bool:
        """Whether there is room for a second column."""
        return self.size.width >= 110

    @property
    def is_looked_at(self) -> bool:
        """Whether no other page covers it; a question at its edge does not. Textual's `is_current` is wider."""
        pages = [screen for screen in self.app.screen_stack if isinstance(screen, Page)]
        return pages[-1:] == [self]

    def compose(self) -> ComposeResult:
        yield Lines(self.painter, id="status")
        yield Lines(self.painter, id="place")
        yield from self.body()
        yield Lines(self.painter, id="message")
        yield KeyLine(self.painter, id="keys")

    def body(self) -> Iterable[Widget]:
        """What stands between place and message."""
        raise NotImplementedError

    def show(self) -> None:
        """Bring the body up to date with the session."""
        raise NotImplementedError

    def crumb(self) -> str:
        """Where in this screen one is."""
        return ""

    def note(self) -> str:
        """What stands at the right of the place."""
        return ""

    def in_place_of_keys(self) -> Line | None:
        """What is said in the lowest line while keys are typed into a field."""
        return None

    def looks_at(self) -> Look | None:
        """The ticket that it shows in full, which others are told."""
        return None

    def on_mount(self) -> None:
        self.refresh_page()

    def on_resize(self) -> None:
        self.call_after_refresh(self.refresh_page)

    def refresh_page(self) -> None:
        """Bring everything up to date; what has not changed costs nothing."""
        session, width = self.session, self.size.width
        now = session.now()
        status = chrome.status(
            width=width,
            label=session.label,
            me=session.me,
            counts=session.counts,
            server=session.server,
            link=session.link,
            now=now,
        )
        self.query_one("#status", Lines).show([status])
        place = chrome.place(width=width, here=self.HERE, crumb=self.crumb(), note=self.note())
        self.query_one("#place", Lines).show([place])
        self.query_one("#message", Lines).show([self._message()])
        self._offer_keys()
        self.show()

    def action_reload(self) -> None:
        self.run_worker(self.session.refresh(), group="refresh", exclusive=True)

    def action_back(self) -> None:
        if self.is_active:  # a second click may come behind the first
            self.app.pop_screen()

    def action_keys(self) -> None:
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.keys import KeysScreen  # noqa: PLC0415

        self.app.push_screen(
            KeysScreen(self.painter, [active.binding for active in self.active_bindings.values()])
        )

    async def on_key_line_pressed(self, message: KeyLine.Pressed) -> None:
        await self.run_action(message.action)

    def _message(self) -> Line:
        """The line that is down, else what was said last, for a while."""
        session = self.session
        down = chrome.offline(session.link, session.now())
        notice = session.notice
        is_fresh = notice is not None and session.age_of(notice) < NOTICE_S
        if notice is not None and is_fresh:
            return line((f" {notice.text}", notice.tone))
        return down or EMPTY

    def _offer_keys(self) -> None:
        said = self.in_place_of_keys()
        if said is not None:
            self._hinted = None
            self.query_one("#keys", KeyLine).offer(said, [])
            return
        key = (self.size.width, self.focused)
        if key == self._hinted:
            return
        self._hinted = key
        *hints, last = self._hints()
        room = self.size.width - 1
        spans: list[Span] = [(" ", Tone.PLAIN)]
        ends: list[tuple[int, str]] = []
        for hint in hints:
            if _length(hint) > room - _length(last):
                break
            room -= _put(hint, spans, ends, self.size.width - room)
        _put(last, spans, ends, self.size.width - room)
        self.query_one("#keys", KeyLine).offer(line(*spans), ends)

    def _hints(self) -> list[Hint]:
        """What is worth a hint; last the way to all other keys, which always has room."""
        hints = {
            active.binding.action: Hint(
                self.app.get_key_display(active.binding), active.binding.description, active.binding.action
            )
            for active in self.active_bindings.values()
            if active.binding.show and active.binding.description and active.enabled
        }
        return sorted(hints.values(), key=lambda hint: hint.action == "keys")


def _length(hint: Hint) -> int:
    return len(hint.key) + len(hint.word) + 3


def _put(hint: Hint, spans: list[Span], ends: list[tuple[int, str]], at: int) -> int:
    """Add a hint that begins at a cell; its length."""
    spans += [(hint.key, Tone.KEY), dim(f" {hint.word}  ")]
    ends.append((at + _length(hint), hint.action))
    return _length(hint)
