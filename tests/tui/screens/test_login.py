"""Signing in, and in again."""

import pytest
from tests.tui.console import a_console, is_live, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_tui.screens.login import LoginScreen
from tocsin_tui.state import LinkState

pytestmark = pytest.mark.screen


async def test_without_a_token_it_asks_and_keeps_what_was_typed_when_it_is_refused(server: FakeServer) -> None:
    app = a_console(server, token="")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        app.screen.query_one("#login", Input).value = "alice"
        app.screen.query_one("#password", Input).value = "guessed"
        app.screen.query_one("#password", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: "login or password is wrong" in text_of(app, "#hint"))
        assert app.screen.query_one("#login", Input).value == "alice"

        app.screen.query_one("#password", Input).value = "correct"
        await pilot.press("enter")
        await is_live(pilot)
        server.hang_up()


async def test_a_session_that_ends_asks_again_over_what_was_known(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        server.token = "another"
        server.hang_up()
        await until(pilot, lambda: app.session.link.state is LinkState.STALE)
        app.session.hurry()
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))

        assert app.screen.query_one("#login", Input).value == "alice"
        assert "atlas" in screen_text(app)
