"""Signing in, and in again."""

import pytest
from tests.tui.console import a_console, is_live, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.pilot import Pilot
from textual.widgets import Input

from tocsin_tui.app import Console
from tocsin_tui.screens.enrol import EnrolScreen
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


async def test_a_code_is_asked_for_and_the_password_is_not_typed_again(server: FakeServer) -> None:
    server.code = "123456"
    app = a_console(server, token="")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        code = app.screen.query_one("#code", Input)
        assert not code.display
        await types(pilot, "#login", "alice")
        await types(pilot, "#password", "correct")
        await until(pilot, lambda: "a code is needed as well" in text_of(app, "#hint"))
        assert (code.display, code.has_focus) == (True, True)

        await types(pilot, "#code", "999999")
        await until(pilot, lambda: "wrong, or was used" in text_of(app, "#hint"))
        assert (code.value, app.screen.query_one("#password", Input).value) == ("", "correct")

        await types(pilot, "#code", "123456")
        await is_live(pilot)
        server.hang_up()


async def test_whose_role_needs_a_device_enrols_one_and_is_at_work(server: FakeServer) -> None:
    server.must_enrol = True
    app = a_console(server, token="")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        await types(pilot, "#login", "alice")
        await types(pilot, "#password", "correct")
        await until(pilot, lambda: isinstance(app.screen, EnrolScreen) and is_offered(app))
        assert "otpauth://totp/tocsin:alice?secret=JBSWY3DPEHPK3PXP" in screen_text(app).replace("\n", "")

        await types(pilot, "#code", "000000")
        await until(pilot, lambda: "not the code of now" in text_of(app, "#hint"))
        await types(pilot, "#code", "654321")
        await until(pilot, lambda: "abcd-efgh-ijkl-mnoj" in text_of(app, "#told"))
        await pilot.press("enter")
        await is_live(pilot)
        server.hang_up()


async def test_who_leaves_before_is_asked_to_sign_in_again(server: FakeServer) -> None:
    server.must_enrol = True
    app = a_console(server, token="")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))
        await types(pilot, "#login", "alice")
        await types(pilot, "#password", "correct")
        await until(pilot, lambda: isinstance(app.screen, EnrolScreen) and is_offered(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))

    assert "GET /tickets" not in server.asked


async def test_a_session_that_has_to_enrol_since_is_asked_to_sign_in(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        server.must_enrol = True
        server.hang_up()
        await until(pilot, lambda: app.session.link.state is LinkState.STALE)
        app.session.hurry()
        await until(pilot, lambda: isinstance(app.screen, LoginScreen))

        assert "needs one-time codes" in text_of(app, "#hint")


async def test_another_device_takes_the_place_of_the_first_by_its_code(server: FakeServer) -> None:
    server.code = "123456"
    async with opened(server) as (app, pilot):
        await pilot.press("at")
        await until(pilot, lambda: isinstance(app.screen, EnrolScreen))
        await types(pilot, "#password", "guessed")
        await until(pilot, lambda: "login or password is wrong" in text_of(app, "#hint"))
        await types(pilot, "#password", "correct")
        await until(pilot, lambda: "a code is needed as well" in text_of(app, "#hint"))
        await types(pilot, "#code", "123456")
        await until(pilot, lambda: is_offered(app))
        await types(pilot, "#code", "654321")
        await until(pilot, lambda: "not shown again" in text_of(app, "#told"))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, EnrolScreen))

        assert server.code == "654321"
        assert app.session.link.state is LinkState.LIVE


def is_offered(app: Console) -> bool:
    return "JBSW Y3DP" in text_of(app, "#told")


async def types(pilot: Pilot[int], field: str, text: str) -> None:
    """What stands in the field is another, and Enter."""
    found = pilot.app.screen.query_one(field, Input)
    found.value = text
    found.focus()
    await pilot.press("enter")
