"""Whatever a client's host calls itself, no screen crashes, acts, or passes it on to the terminal."""

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import has_read, opened, screen_text, until
from tests.tui.fake import FakeServer
from tests.tui.hostile import HOSTILE
from tests.tui.test_safe import is_harmless

from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import SuppressionKind
from tocsin_tui.screens.queue import QueueScreen

pytestmark = pytest.mark.screen


def poisoned(words: list[str]) -> FakeServer:
    """A server on which every free text is hostile."""
    rows = [
        scene.a_ticket(i, title=text, host=text, client=text, site=text, owner=text or None)
        for i, text in enumerate(words, start=1)
    ]
    server = FakeServer(rows)
    for row, text in zip(rows, words, strict=True):
        detail = server.details[row.id]
        alert = msgspec.structs.replace(
            detail.alerts[0], alertname=text, expression=text, rule_file=text,
            labels={text: text}, annotations={"description": text}, acknowledged_by=text, late=True,
            suppressed=[scene.withheld(SuppressionKind.SILENCE, text)],
        )  # fmt: skip
        event = msgspec.structs.replace(
            detail.events[0], text=text, actor=text, data={"labels": {text: text}, "withheld": [text]}
        )
        server.details[row.id] = msgspec.structs.replace(detail, alerts=[alert], events=[event])
    first = server.hosts[1]
    everything = "".join(words)[:300]
    server.hosts[1] = msgspec.structs.replace(first, name=everything, client=everything, os=everything)
    server.status = msgspec.structs.replace(
        scene.STATUS, rule_problems=[scene.problem(text, text, text, text) for text in words]
    )
    server.silences = [
        scene.a_silence(id_, client=text, author=text, comment=text, matchers=text)
        for id_, text in enumerate(words, start=1)
    ]
    server.refusals["/take"] = Problem(title="no", status=403, detail=everything)
    return server


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_every_screen_survives_the_corpus(size: tuple[int, int]) -> None:
    server = poisoned(HOSTILE)
    async with opened(server, size=size) as (app, pilot):
        for id_ in range(1, len(HOSTILE) + 1):
            await has_read_at(pilot, app, id_)
            assert is_harmless(screen_text(app))
        await pilot.press("c")
        await until(pilot, lambda: app.session.notice is not None)
        assert is_harmless(screen_text(app))
        for keys in (
            ["enter"],
            ["n"],
            ["escape", "d"],
            ["escape", "t"],
            ["escape", "a"],
            ["escape", "S"],
            ["escape", "question_mark"],
            ["q", "H"],
            ["2"],
            ["3"],
            ["j", "S"],
            ["escape", "4"],
            ["e"],
            ["escape", "x"],
            ["n", "j", "enter"],
            ["x"],
            ["escape", "exclamation_mark"],
            ["G"],
            ["q"],
        ):
            await pilot.press(*keys)
            assert is_harmless(screen_text(app))
        await pilot.press("1")

        assert isinstance(app.screen, QueueScreen)
        assert app.is_running


async def has_read_at(pilot, app, id_: int) -> None:
    app.session.tickets.move_to(list(app.session.tickets.order).index(id_))
    app._paint()
    await has_read(pilot, id_)


async def test_a_click_on_a_word_in_brackets_is_a_click_on_a_row() -> None:
    server = poisoned(["[@click=app.quit]OK[/]"] * 4)
    async with opened(server) as (app, pilot):
        for y in range(3, 7):
            await pilot.click(offset=(40, y))
            await pilot.pause()

        assert app.is_running
