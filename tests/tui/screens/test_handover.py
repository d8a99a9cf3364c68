"""A key gives a ticket to others."""

import pytest
from tests.tui.console import has_read, opened, text_of, until
from tests.tui.fake import FakeServer

from tocsin_tui.screens.handover import HandoverScreen

pytestmark = pytest.mark.screen


async def test_a_ticket_is_given_to_a_team_and_a_supplier(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "A")
        await until(pilot, lambda: isinstance(app.screen, HandoverScreen))
        await pilot.press(*"network", "tab", "tab", *"carrier")
        assert "to network, carrier" in text_of(app, "#hint")
        await pilot.press("tab", *"their line", "enter")
        await until(pilot, lambda: not isinstance(app.screen, HandoverScreen))

        assert "team network · with carrier" in text_of(app, "#what")
        assert "assigned alice  their line" in text_of(app, "#timeline")
        assert "gave #4812 to network, carrier" in text_of(app, "#message")
    assert (server.details[4812].ticket.team, server.details[4812].ticket.supplier) == ("network", "carrier")


async def test_it_is_not_given_to_nobody(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, HandoverScreen))
        await pilot.press("enter")

        await until(pilot, lambda: "not sent: name another team" in text_of(app, "#hint"))
        assert isinstance(app.screen, HandoverScreen)
