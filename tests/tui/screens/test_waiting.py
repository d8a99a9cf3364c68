"""A ticket waits, goes on, and is closed, each with a key."""

from datetime import timedelta

import pytest
from tests.tui import scene
from tests.tui.console import has_read, in_a_burst, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import TicketState
from tocsin_tui.screens.waiting import WaitScreen

pytestmark = pytest.mark.screen


async def at_form(pilot) -> None:
    await has_read(pilot, 4812)
    await until(pilot, lambda: pilot.app.session.server)
    await pilot.press("enter", "w")
    await until(pilot, lambda: isinstance(pilot.app.screen, WaitScreen))


async def test_it_waits_for_what_is_typed_and_says_so_wherever_it_is_shown(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        assert "for customer, until somebody goes on with it" in text_of(app, "#hint")
        await pilot.press("v", "tab", *"2d", "tab", *"disk comes")
        assert "for vendor, until 27 Nov 12:45 at most" in text_of(app, "#hint")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, WaitScreen))

        assert "waits for vendor until 27 Nov 12:45, w goes on" in text_of(app, "#what")
        assert "waits    alice  disk comes" in text_of(app, "#timeline")
        assert text_of(app, "#message").strip() == "#4812 waits for vendor"
        await pilot.press("q")
        await until(pilot, lambda: "waits for vendor: " in screen_text(app))
    row = server.details[4812].ticket
    assert (row.state, row.wakes_at) == (TicketState.PENDING, scene.NOW + timedelta(days=2))


async def test_the_same_key_goes_on_with_it(server: FakeServer) -> None:
    server.details[4812] = scene.detail(scene.a_ticket(state=TicketState.PENDING, waits_for="vendor"))
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "w")
        await until(pilot, lambda: "POST /tickets/4812/resume" in server.asked)
        await until(pilot, lambda: "goes on" in text_of(app, "#message"))


async def test_a_reason_that_is_none_sends_nothing_and_what_is_refused_is_said(server: FakeServer) -> None:
    server.refusals["/wait"] = Problem(
        type="conflict", title="no", status=409, detail="it is solved", remedy=""
    )
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        app.screen.query_one("#reason", Input).value = "godot"
        await pilot.press("enter")
        assert "godot is none of customer, vendor, approval, schedule" in text_of(app, "#hint")
        assert "POST /tickets/4812/wait" not in server.asked

        app.screen.query_one("#reason", Input).value = "app"
        await pilot.press("enter")
        await until(pilot, lambda: "it is solved" in text_of(app, "#hint"))
        await pilot.press("escape", "w")
        await until(pilot, lambda: isinstance(app.screen, WaitScreen))
        assert app.screen.query_one("#reason", Input).value == "app"


async def test_a_solved_ticket_is_closed_after_a_question_and_an_open_one_is_not(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "X")
        await until(pilot, lambda: "#4812 is not solved: d resolves it" in text_of(app, "#message"))
        await pilot.press("d", "enter")
        await until(pilot, lambda: server.details[4812].ticket.state is TicketState.SOLVED)
        await until(pilot, lambda: app.screen.query("#timeline"))
        await until(pilot, lambda: app.screen.in_hand().state is TicketState.SOLVED)
        await pilot.press("X")
        await until(pilot, lambda: "Close #4812 for good?" in text_of(app, "#title"))
        await pilot.press("y")
        await until(pilot, lambda: server.details[4812].ticket.state is TicketState.CLOSED)


async def test_a_fast_hand_fills_the_form_in_one_burst(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await until(pilot, lambda: app.session.server)
        in_a_burst(app, "w", "v", "tab", *"2d", "tab", *"disk", "enter")
        await until(pilot, lambda: server.details[4812].ticket.waits_for)

    row, event = server.details[4812].ticket, server.details[4812].events[-1]
    assert (row.waits_for, row.wakes_at, event.text) == ("vendor", scene.NOW + timedelta(days=2), "disk")
