"""The pictures of the README and the docs, painted anew: `python -m tests.tui.pictures`."""

import asyncio
import os
import time
from pathlib import Path

import msgspec
from tests.tui import scene
from tests.tui.console import Hands, has_read, opened
from tests.tui.fake import FakeServer

from tocsin_protocol.vocabulary import TicketState
from tocsin_tui.state import IDLE_S

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"


async def paint(name: str, server: FakeServer, *keys: str, size: tuple[int, int] = (120, 36)) -> None:
    """The screen after these keys, as `docs/images/NAME.svg`."""
    hands = Hands()
    async with opened(server, size=size, hands=hands) as (app, pilot):
        await pilot.press(*keys)
        await has_read(pilot, 4812)
        hands.rest(IDLE_S)
        app._paint()
        await pilot.pause()
        await asyncio.sleep(0.3)  # what the last screen has asked for
        app._paint()
        await pilot.pause()
        (FOLDER / f"{name}.svg").write_text(app.export_screenshot(title="tocsin") + "\n")


def a_server(*, minutes: float) -> FakeServer:
    """The scene with the ticket of the story opened so long ago."""
    server = FakeServer()
    row = scene.a_ticket(opened_at=scene.ago(minutes), updated_at=scene.ago(minutes))
    server.details[4812] = scene.detail(row)
    return server


async def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    FOLDER.mkdir(parents=True, exist_ok=True)
    await paint("queue", a_server(minutes=0.4))
    story = a_server(minutes=7)
    story.details[4812] = msgspec.structs.replace(
        story.details[4812],
        events=scene.story(),
        ticket=scene.a_ticket(owner="alice", state=TicketState.IN_PROGRESS, version=4),
    )
    await paint("ticket", story, "enter")
    await paint("host", a_server(minutes=7), "H")
    await paint("alerts", a_server(minutes=7), "3", *"jjjjjjjjj")
    await paint("queue-80x24", a_server(minutes=0.4), size=(80, 24))


if __name__ == "__main__":
    asyncio.run(main())
