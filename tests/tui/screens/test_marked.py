"""Marking in the queue: the keys of acts are for what is marked, after a question that says on how many."""

import pytest
from tests.tui.console import opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_protocol.vocabulary import TicketState
from tocsin_tui.screens.composer import Composer
from tocsin_tui.screens.question import Question
from tocsin_tui.screens.queue import QueueScreen
from tocsin_tui.screens.refused import RefusedScreen
from tocsin_tui.screens.waiting import WaitScreen

pytestmark = pytest.mark.screen


async def test_space_marks_and_goes_on_and_u_takes_the_marks_away(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        first = app.session.tickets.cursor
        await pilot.press("space", "space")

        assert app.session.tickets.place == 2
        assert "2 marked, u unmarks" in text_of(app, "#foot")
        assert screen_text(app).count("\n+") == 2
        await pilot.press("k", "space")
        assert [row.id for row in app.session.marks.rows()] == [first]
        await pilot.press("u")
        assert "marked" not in text_of(app, "#foot")
        assert "\n+" not in screen_text(app)


async def test_an_act_on_what_is_marked_asks_first_and_shows_what_was_refused(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets("#48")
        for number in (4812, 4809):
            app.session.marks.toggle(number)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "Take 2 tickets?" in screen_text(app)
        assert "#4812 #4809" in screen_text(app)
        assert server.details[4812].ticket.owner is None
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, RefusedScreen))

        assert server.details[4812].ticket.owner == "alice"
        assert "1 ticket was refused" in screen_text(app)
        assert "bob has it" in screen_text(app)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))
        assert "1 marked" in text_of(app, "#foot")


async def test_no_leaves_all_as_it_is(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("space", "space", "X")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))

        assert "2 marked" in text_of(app, "#foot")
        assert not [asked for asked in server.asked if asked.startswith("POST")]


@pytest.mark.parametrize(
    ("key", "title"), [("d", "Resolve"), ("a", "Acknowledge"), ("n", "Note"), ("N", "Reply")]
)
async def test_words_for_all_that_are_marked_name_how_many(server: FakeServer, key: str, title: str) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("space", "space", key)
        await until(pilot, lambda: isinstance(app.screen, Composer))

        assert title in screen_text(app)
        assert "2 tickets #4812" in screen_text(app)


async def test_many_are_solved_with_one_sentence(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("space", "space")
        rows = app.session.marks.rows()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Composer))
        app.screen.query_one(Input).value = "the switch was rebooted"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))

        details = [server.details[row.id] for row in rows]
        assert {detail.ticket.state for detail in details} == {TicketState.SOLVED}
        assert {detail.events[-1].text for detail in details} == {"the switch was rebooted"}
        assert "solved 2 of 2 tickets" in text_of(app, "#message")


async def test_many_wait_and_are_gone_on_with(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("space", "space")
        rows = app.session.marks.rows()
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WaitScreen))
        assert "2 tickets are to wait" in screen_text(app)
        app.screen.query_one("#reason", Input).value = "vendor"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))
        assert {server.details[row.id].ticket.waits_for for row in rows} == {"vendor"}

        known = app.session.tickets.rows
        await until(pilot, lambda: {known[row.id].state for row in rows} == {TicketState.PENDING})
        for row in rows:
            app.session.marks.toggle(row.id)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))

        assert {server.details[row.id].ticket.waits_for for row in rows} == {""}
