"""The files that are not in force: one key away from everywhere, and told as they are now."""

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import opened, screen_text, text_of, until
from tests.tui.fake import FakeServer

from tocsin_tui.screens.files import FilesScreen
from tocsin_tui.screens.ticket import TicketScreen
from tocsin_tui.widgets.lines import Reader

pytestmark = pytest.mark.screen


def spoil(server: FakeServer, problems: list) -> None:
    server.status = msgspec.structs.replace(scene.STATUS, rule_problems=problems)


async def test_it_comes_over_what_one_is_at_and_q_goes_back_there(server: FakeServer) -> None:
    spoil(server, scene.PROBLEMS)
    async with opened(server) as (app, pilot):
        await pilot.press("enter", "exclamation_mark")
        await until(pilot, lambda: "no client is called 'acmee'" in screen_text(app))
        assert isinstance(app.screen, FilesScreen)
        assert "! files: 3" in text_of(app, "#status")
        await pilot.press("exclamation_mark", "q")

        assert isinstance(app.screen, TicketScreen)


async def test_what_is_mended_goes_as_soon_as_it_is_heard_of(server: FakeServer) -> None:
    spoil(server, scene.PROBLEMS)
    async with opened(server) as (app, pilot):
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "4 problems in 3 files" in text_of(app, "#what"))
        spoil(server, [])
        server.tell("rules")
        await until(pilot, lambda: "All files are in force: 31 rules." in text_of(app, "#what"))

        assert text_of(app, "#problems") == ""


async def test_many_can_be_scrolled_through_to_the_last(server: FakeServer) -> None:
    spoil(server, [scene.problem("a.yml", "g", f"Rule{at}", "line 1: no") for at in range(300)])
    async with opened(server, size=(80, 24)) as (app, pilot):
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "Rule0" in screen_text(app))
        await pilot.press("G")
        reader = app.screen.query_one(Reader)
        await until(pilot, lambda: reader.scroll_offset.y == reader.max_scroll_y > 500)

        await until(pilot, lambda: "Rule299" in screen_text(app))


async def test_a_mark_that_is_typed_is_a_letter(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("slash", "exclamation_mark")

        assert not isinstance(app.screen, FilesScreen)
