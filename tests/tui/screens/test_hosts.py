"""The hosts, and one of them with its readings."""

import pytest
from tests.tui.console import opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_tui.screens.host import HostScreen
from tocsin_tui.screens.hosts import HostsScreen

pytestmark = pytest.mark.screen


async def test_2_lists_the_hosts_with_the_silent_first(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("2")
        await pilot.pause()

        assert isinstance(app.screen, HostsScreen)
        assert app.session.hosts.cursor == 7
        assert "○ 1 silent" in text_of(app, "#foot")
        await pilot.press("1")
        assert app.screen.HERE == "Queue"


async def test_a_host_shows_its_last_readings_and_finds_them(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("H")
        assert isinstance(app.screen, HostScreen)
        await until(pilot, lambda: 1 in app.session.host_details)
        assert "8 readings" in text_of(app, "#readings")
        await pilot.press("slash")
        app.screen.query_one("#filter", Input).value = "mode="
        await pilot.press("enter")

        assert "2 of 8 readings" in text_of(app, "#readings")
        assert "node_load1" not in text_of(app, "#readings")


async def test_m_draws_another_vital(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("H", "m")
        await until(pilot, lambda: (1, "memory") in app.session.host_charts)


async def test_hosts_are_filtered(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("2", "slash")
        app.screen.query_one("#filter", Input).value = "state:silent"
        await pilot.press("enter")

        assert list(app.session.hosts.order) == [7]
        assert "atlas" not in screen_text(app)
