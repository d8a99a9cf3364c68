"""The silences: what holds and until when, and each can be looked at, extended and ended."""

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import Hands, at, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input, TextArea

from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import SilenceState
from tocsin_tui.board import OLD_S, REST_S
from tocsin_tui.screens.onesilence import OneSilenceScreen
from tocsin_tui.screens.question import Question
from tocsin_tui.screens.silence import SilenceScreen
from tocsin_tui.screens.silences import SilencesScreen

pytestmark = pytest.mark.screen


@pytest.fixture
def server() -> FakeServer:
    server = FakeServer()
    server.silences = scene.silences()
    return server


async def at_silences(pilot) -> None:
    await at(pilot, "4", SilencesScreen.HERE, lambda: pilot.app.session.silences.listing.order)


def order(app) -> list[int]:
    return list(app.session.silences.listing.order)


def readings(server: FakeServer) -> int:
    return server.asked.count("GET /silences")


def silence_of(server: FakeServer, silence_id: int):
    return next(each for each in server.silences if each.id == silence_id)


async def test_4_lists_those_that_hold_or_will_and_t_the_others_as_well(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        assert isinstance(app.screen, SilencesScreen)
        assert order(app) == [7, 3, 8]
        assert text_of(app, "#foot").strip() == "3 silences · 1 pending · t shows the expired as well"
        await pilot.press("t")
        await until(pilot, lambda: order(app) == [7, 3, 8, 5, 1])
        assert "5 silences · 1 pending · 2 expired" in text_of(app, "#foot")
        assert "with expired" in text_of(app, "#place")
        await pilot.press("t")

        assert order(app) == [7, 3, 8]


async def test_an_answer_to_the_question_before_is_not_taken(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("t", "t", "t")
        await until(pilot, lambda: order(app) == [7, 3, 8, 5, 1])
        await pilot.press("t", "t", "t", "t", "t")
        await until(pilot, lambda: not app.session.silences._is_reading)

        assert order(app) == [7, 3, 8]


async def test_enter_shows_all_of_one_and_q_goes_back(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("enter")
        assert isinstance(app.screen, OneSilenceScreen)
        assert silence_of(server, 7).comment in text_of(app, "#told")
        await pilot.press("q")

        assert isinstance(app.screen, SilencesScreen)


async def test_x_asks_and_no_leaves_it_as_it_is(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("x")
        assert isinstance(app.screen, Question)
        assert "End silence 7 of all clients?" in text_of(app, "#title")
        await pilot.press("n")

        assert isinstance(app.screen, SilencesScreen)
        assert not [asked for asked in server.asked if asked.startswith("DELETE")]


async def test_x_and_yes_end_it_and_it_stays_in_its_place_until_the_cursor_moves(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("x", "y")
        await until(pilot, lambda: isinstance(app.screen, SilencesScreen))

        assert silence_of(server, 7).state is SilenceState.EXPIRED
        assert "silence 7 has ended" in text_of(app, "#message")
        assert "· expired" in screen_text(app)
        await pilot.press("j")
        assert order(app) == [3, 8]


async def test_what_cannot_be_ended_says_why_and_asks_on(server: FakeServer) -> None:
    server.refusals["/silences/7"] = Problem(title="no", status=403, detail="a viewer may not end silences")
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("x", "enter")
        await until(pilot, lambda: "not done: a viewer may not end silences" in text_of(app, "#hint"))

        assert order(app) == [7, 3, 8]


async def test_one_that_is_over_is_not_ended_again(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("t")
        await until(pilot, lambda: len(order(app)) == 5)
        await pilot.press("G", "x")

        assert "silence 1 is over already" in text_of(app, "#message")


async def test_e_and_enter_make_it_an_hour_longer(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("j", "e")
        assert isinstance(app.screen, SilenceScreen)
        assert app.screen.query_one(TextArea).text == silence_of(server, 3).matchers
        assert "until 15:00 · enter extends" in text_of(app, "#hint")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SilencesScreen))

        assert silence_of(server, 3).ends_at == scene.ago(-135)
        assert "silence 3 until 15:00" in text_of(app, "#message")
        assert "until 15:00" in text_of(app, "#below")


async def test_what_was_only_proposed_is_no_draft(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("e")
        app.screen.query_one("#comment", Input).value = "until Monday"
        await pilot.pause()
        await pilot.press("escape")

        assert app.session.drafts == {"extend 7 comment": "until Monday"}


async def test_one_that_is_over_can_be_made_again_from_its_page(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("t")
        await until(pilot, lambda: len(order(app)) == 5)
        await pilot.press("G", "enter", "e")
        assert "Silence 1 again" in text_of(app, "#title")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OneSilenceScreen))

        assert silence_of(server, 9).matchers == silence_of(server, 1).matchers
        assert silence_of(server, 1).state is SilenceState.EXPIRED


async def test_a_filter_narrows_them(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("slash", *"author:me", "enter")
        assert order(app) == [7]
        await pilot.press("backslash", "slash", *"nothing", "enter")

        assert '0 of 3 match "nothing"' in text_of(app, "#empty")


async def test_where_there_is_none_it_says_how_to_make_one(server: FakeServer) -> None:
    server.silences = []
    async with opened(server) as (app, pilot):
        await pilot.press("4")
        await until(pilot, lambda: "No silence holds" in text_of(app, "#empty"))
        assert "S on an alert or a ticket makes one" in text_of(app, "#empty")
        await pilot.press("x")

        assert "there is no silence here" in text_of(app, "#message")


async def test_they_are_read_again_when_they_are_old_and_sooner_after_an_event(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await at_silences(pilot)
        hands.rest(OLD_S - 0.1)
        app.screen._look()
        await pilot.pause()
        assert readings(server) == 1
        hands.rest(0.1)
        app.screen._look()
        await until(pilot, lambda: readings(server) == 2 and not app.session.silences._is_reading)

        server.silences.append(scene.a_silence(11))
        for _ in range(50):
            server.tell("rules")
        await until(pilot, lambda: app.session.silences._has_news)
        app.screen._look()
        await pilot.pause()
        assert readings(server) == 2
        hands.rest(REST_S)
        app.screen._look()
        await until(pilot, lambda: 11 in order(app))


async def test_one_that_is_looked_at_in_full_follows_what_others_do(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await at_silences(pilot)
        await pilot.press("enter")
        at = server.silences.index(silence_of(server, 7))
        server.silences[at] = msgspec.structs.replace(server.silences[at], comment="they have come")
        hands.rest(OLD_S)
        app.screen._look()
        await until(pilot, lambda: "they have come" in text_of(app, "#told"))
