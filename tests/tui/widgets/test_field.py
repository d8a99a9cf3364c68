"""What is typed in one go is what it would be key by key."""

import pytest
from tests.tui.console import in_a_burst, opened, until
from tests.tui.fake import FakeServer
from textual.widgets import Input, TextArea

pytestmark = pytest.mark.screen

KEYS = [*"disk fulk", "backspace", *"l", "home", *"a ", "delete", *"D", "end", *"!"]


async def test_a_line_takes_its_keys_in_their_order(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("d")
        in_a_burst(app, *KEYS)
        await until(pilot, lambda: app.screen.query_one(Input).value.endswith("!"))

        assert app.screen.query_one(Input).value == "a Disk full!"


async def test_a_text_takes_its_keys_in_their_order(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n")
        in_a_burst(app, *KEYS)
        await until(pilot, lambda: app.screen.query_one(TextArea).text.endswith("!"))

        assert app.screen.query_one(TextArea).text == "a Disk full!"


async def test_a_filter_takes_its_keys_in_their_order(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", *"kiek", "backspace", *"l", "enter")
        await until(pilot, lambda: app.screen.focused is app.screen.table)

        assert app.session.ticket_filter.text == "kiel"
