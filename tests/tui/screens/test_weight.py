"""A key says how urgent a ticket is."""

import pytest
from tests.tui.console import has_read, opened, text_of, until
from tests.tui.fake import FakeServer

from tocsin_tui.screens.weight import WeightScreen

pytestmark = pytest.mark.screen


async def test_a_priority_is_sent_with_its_reason(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "p")
        await until(pilot, lambda: isinstance(app.screen, WeightScreen))
        await pilot.press("3")
        assert "a priority needs its reason" in text_of(app, "#hint")
        await pilot.press("tab", *"only a test", "enter")
        await until(pilot, lambda: not isinstance(app.screen, WeightScreen))

        assert "priority alice  only a test" in text_of(app, "#timeline")
        assert "prioritised #4812" in text_of(app, "#message")
    assert server.details[4812].ticket.priority == 3


async def test_what_is_solved_is_not_prioritised(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: app.session.tickets.cursor not in {None, 4812})
        await pilot.press("p")

        await until(pilot, lambda: "nothing is to be done about it" in text_of(app, "#message"))
