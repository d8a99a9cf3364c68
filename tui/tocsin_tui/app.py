"""The console as a Textual application: it wires session, painter and screens, and gives them their time.

The first frame shows the queue's frame and is painted before the HTTP client is even imported (66 ms); what
is known comes four times a second from the session, and only what has changed is written to the terminal.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Input, TextArea

from tocsin_tui.config import Settings
from tocsin_tui.presence import Look
from tocsin_tui.safe import safe_text
from tocsin_tui.screens.page import Page
from tocsin_tui.screens.queue import QueueScreen
from tocsin_tui.session import Session, wall_clock
from tocsin_tui.state import IDLE_S
from tocsin_tui.widgets.paint import PALETTE, Painter

if TYPE_CHECKING:
    import httpx

    from tocsin_tui.client import Client

FLUSH_S = 0.25

THEME = Theme(
    name="tocsin",
    primary="#6ea8fe",
    secondary="#60c8d2",
    warning="#f0be5a",
    error="#ff6b6b",
    success="#78c486",
    accent="#f0be5a",
    foreground="#ccd4dc",
    background="#0f1419",
    surface="#0f1419",
    panel="#1a222b",
    boost="#1a222b",
    dark=True,
    variables={
        "border": "#33404d",
        "scrollbar": "#33404d",
        "scrollbar-background": "#0f1419",
        "input-cursor-background": "#f0be5a",
    },
)


class Console(App[int]):
    """One technician's console."""

    TITLE = "tocsin"
    CSS_PATH = "tocsin.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        fingerprint: str = "",
        settings: Settings,
        own_palette: bool = True,
        ascii_only: bool = False,
        label: str = "",
        transport: "httpx.AsyncBaseTransport | None" = None,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            ansi_color=not own_palette
        )  # said here, NO_COLOR means no colour and not shades of grey
        self.register_theme(THEME)
        self.ansi_theme_dark = PALETTE
        self.theme = "tocsin" if own_palette else "ansi-dark"
        self.painter = Painter(ascii_only=ascii_only, own_palette=own_palette)
        self.session = Session(self._connect, wall=wall, monotonic=monotonic)
        self.session.label = label
        self._url, self._token, self._fingerprint = url, token, fingerprint
        self._transport = transport
        self._settings = settings
        self._monotonic = monotonic
        self._touched_s = monotonic() - IDLE_S
        self._rung = 0

    def get_default_screen(self) -> Screen[None]:
        return QueueScreen(self.session, self.painter)

    def on_mount(self) -> None:
        self.set_keymap(self._settings.keys)
        self.set_interval(FLUSH_S, self._paint)
        self.call_after_refresh(self._begin)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.MouseScrollDown | events.MouseScrollUp):
            self._touched_s = self._monotonic()  # rows keep their places while hands are moving
        if isinstance(event, events.Key) and self.return_code is not None:
            return  # it is ending: what a key opens now would be taken away half made
        if isinstance(event, events.Paste):
            event.text = safe_text(event.text)  # somebody else wrote it, and fields show what they hold
        if not (isinstance(event, events.Key) and await self._command(event)):
            await super().on_event(event)

    async def on_unmount(self) -> None:
        await self.session.aclose()

    def action_queue(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def action_hosts(self) -> None:
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.hosts import HostsScreen  # noqa: PLC0415

        self.action_queue()
        self.push_screen(HostsScreen(self.session, self.painter))

    def action_alerts(self) -> None:
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.alerts import AlertsScreen  # noqa: PLC0415

        self.action_queue()
        self.push_screen(AlertsScreen(self.session, self.painter))

    def action_silences(self) -> None:
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.silences import SilencesScreen  # noqa: PLC0415

        self.action_queue()
        self.push_screen(SilencesScreen(self.session, self.painter))

    def action_files(self) -> None:
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.files import FilesScreen  # noqa: PLC0415

        if not isinstance(self.screen, FilesScreen):  # it comes over whatever one is at, and goes again
            self.push_screen(FilesScreen(self.session, self.painter))

    def action_enrol(self) -> None:
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.enrol import EnrolScreen  # noqa: PLC0415

        self.push_screen(EnrolScreen(self.session, self.painter))

    async def _command(self, event: events.Key) -> bool:
        """Do at once what a key commands, before the next key is looked at; false when it is none or is typed.

        Otherwise a key takes its way through the widgets, and of keys that come together, such as `/acme`, all
        would go to the list, as commands, before the first has opened the field that the others are meant for.
        """
        if event.is_forwarded or isinstance(self.focused, Input | TextArea):
            return False
        return await self._check_bindings(event.key, priority=True) or await self._check_bindings(event.key)

    def _begin(self) -> None:
        self.run_worker(self._keep_signed_in(), group="line", exclusive=True)
        self.run_worker(self.session.watch_status(), group="status", exclusive=True)
        self.run_worker(self.session.dossiers.watch(), group="wanted", exclusive=True)
        self.run_worker(self._say_what_is_shown(), group="presence", exclusive=True)

    async def _keep_signed_in(self) -> None:
        """Follow the server; ask for login and password whenever there is no session."""
        # Deferred: not needed for the first frame.
        from tocsin_tui.screens.enrol import EnrolScreen  # noqa: PLC0415
        from tocsin_tui.screens.login import LoginScreen  # noqa: PLC0415

        while True:
            if not self.session.client.token:
                password = await self.push_screen_wait(LoginScreen(self.session, self.painter))
                enrolling = EnrolScreen(self.session, self.painter, password=password)
                if password and not await self.push_screen_wait(enrolling):
                    self.session.client.token = ""  # it is good for nothing else
                    continue
            await self.session.run()
            self.session.client.token = ""

    async def _say_what_is_shown(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.session.presence.tell(self._look(), self._monotonic())

    def _look(self) -> Look | None:
        """The ticket that one is at: what is being written is about it, or it fills the screen."""
        for screen in reversed(self.screen_stack):  # empty for a moment while the console ends
            if isinstance(screen, Page):
                return screen.looks_at()
            writes: Look | None = getattr(screen, "writes", None)
            if writes is not None:
                return writes
        return None

    def _connect(self) -> "Client":
        # Deferred: httpx takes 66 ms, and the first frame does without it.
        from tocsin_tui.client import Client  # noqa: PLC0415

        return Client(self._url, token=self._token, fingerprint=self._fingerprint, transport=self._transport)

    def _paint(self) -> None:
        """Show what has changed since the last time."""
        is_idle = self._monotonic() - self._touched_s >= IDLE_S
        self.session.settle(is_idle=is_idle)
        pages = [screen for screen in self.screen_stack if isinstance(screen, Page)]
        # One that is still coming has no lines yet, one that is going (not `display`) has none any more.
        for page in [page for page in pages if page.is_mounted and page.display][-1:]:
            page.refresh_page()
        if self.session.rings != self._rung:
            self._rung = self.session.rings
            if self._settings.bell:
                self.bell()
