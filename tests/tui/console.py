"""A console on a fake server, its clocks standing still."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.tui import scene
from tests.tui.fake import FakeServer
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from tocsin_tui.app import Console
from tocsin_tui.config import Settings
from tocsin_tui.state import LinkState
from tocsin_tui.widgets.lines import Lines

URL = "http://127.0.0.1:8443"


class Hands:
    """The monotonic clock of the console."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def rest(self, seconds: float = 5.0) -> None:
        self.seconds += seconds


def a_console(server: FakeServer, hands: Hands | None = None, **changes) -> Console:
    settings = {"token": server.token, "settings": Settings(), "transport": server, "wall": lambda: scene.NOW}
    return Console(URL, monotonic=hands or Hands(), **(settings | changes))


@asynccontextmanager
async def opened(
    server: FakeServer, *, size: tuple[int, int] = (120, 36), hands: Hands | None = None, **changes
) -> AsyncIterator[tuple[Console, Pilot[int]]]:
    """The console with the queue on the screen."""
    app = a_console(server, hands, **changes)
    async with app.run_test(size=size) as pilot:
        await is_live(pilot)
        yield app, pilot
        server.hang_up()


def in_a_burst(app: Console, *keys: str) -> None:
    """Keys that come in one read of the terminal, as from a fast hand or over a slow line."""
    for key in keys:
        is_letter = len(key) == 1
        app.post_message(Key(_character_to_key(key) if is_letter else key, key if is_letter else None))


async def until(pilot: Pilot[int], question: Callable[[], object]) -> None:
    """Let the application run until the answer is true and the screen has its shape."""
    for _ in range(4000):
        if question() and has_shape(pilot.app):
            pilot.app._paint()
            await pilot.pause()
            return
        await asyncio.sleep(0.001)  # give way to the application's own tasks
    raise AssertionError(f"waited in vain; the screen says:\n{screen_text(pilot.app)}")


def has_shape(app: Console) -> bool:
    """Whether the screen is there and laid out: before that its lines have no room to say anything."""
    screen = app.screen
    return screen.is_mounted and screen._compositor.size == app.size and not screen._layout_required


async def at(pilot: Pilot[int], key: str, here: str, is_read: Callable[[], object]) -> None:
    """Have the screen that a key leads to shown, with what it has read; the one before it is no sign of it."""
    await pilot.press(key)
    await until(pilot, lambda: here == pilot.app.screen.HERE and is_read())


async def is_live(pilot: Pilot[int]) -> None:
    await until(pilot, lambda: pilot.app.session.link.state is LinkState.LIVE)


async def has_read(pilot: Pilot[int], ticket_id: int) -> None:
    """Have the ticket's timeline and chart read and shown, as happens while the cursor rests on it."""
    session = pilot.app.session
    detail = await session.dossiers.read_ticket(ticket_id)
    assert detail is not None
    await session.dossiers.read_chart(detail)
    pilot.app._paint()
    await pilot.pause()


def text_of(app: Console, selector: str) -> str:
    """What the lines of a widget say."""
    return app.screen.query_one(selector, Lines).text


def screen_text(app: Console) -> str:
    """Everything on the screen as plain text."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips[:height])[: width * height * 2]
