"""What is asked for is done whoever leaves meanwhile; no key or answer at a bad moment ends the console."""

import asyncio

import pytest
from tests.tui import scene
from tests.tui.console import in_a_burst, opened, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import TicketState
from tocsin_tui.screens.composer import Composer
from tocsin_tui.screens.login import LoginScreen
from tocsin_tui.screens.queue import QueueScreen
from tocsin_tui.screens.ticket import TicketScreen

pytestmark = pytest.mark.screen


def said(server: FakeServer) -> list[str]:
    return [event.text for event in server.details[4812].events if event.actor == "alice"]


async def test_who_leaves_while_it_is_sent_hears_of_it_and_has_no_draft_left(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("enter", "n", "x")
        server.is_free.clear()
        await pilot.press("ctrl+d", "escape")
        assert isinstance(app.screen, TicketScreen)
        server.is_free.set()
        await until(pilot, lambda: "noted on #4812" in text_of(app, "#message"))

        assert said(server) == ["x"]
        assert app.session.drafts == {}


async def test_what_is_refused_after_one_has_left_is_told_and_kept(server: FakeServer) -> None:
    server.refusals["/comment"] = Problem(title="no", status=403, detail="a viewer may not write")
    async with opened(server) as (app, pilot):
        await pilot.press("n", "x")
        screen = app.screen
        screen.action_send()
        screen.action_leave()
        await until(pilot, lambda: "a viewer may not write" in text_of(app, "#message"))

        assert app.session.drafts == {"note 4812": "x"}


async def test_an_answer_and_a_hand_that_leaves_at_once_leave_one_screen(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        for ticks in range(0, 40, 4):
            await pilot.press("n", "x")
            screen = app.screen
            screen.action_send()
            for _ in range(ticks):
                await asyncio.sleep(0)
            if app.screen is screen:
                screen.action_leave()
            await until(pilot, lambda ticks=ticks: len(said(server)) == ticks // 4 + 1)
            await until(pilot, lambda: not app.session.drafts)

            assert [type(each) for each in app.screen_stack] == [QueueScreen, TicketScreen], ticks


async def test_what_is_being_sent_is_not_sent_twice(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n", "x")
        server.is_free.clear()
        await pilot.press("ctrl+d", "ctrl+d", "ctrl+d")
        server.is_free.set()
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))

        assert said(server) == ["x"]


async def test_a_form_that_has_sent_goes_after_one_has_signed_in_again_above_it(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n", "x")
        composer = app.screen
        server.is_free.clear()
        await pilot.press("ctrl+d")
        login = LoginScreen(app.session, app.painter)
        app.push_screen(login)
        await until(pilot, lambda: app.screen is login)
        server.is_free.set()
        await until(pilot, lambda: said(server))
        await pilot.pause()
        assert app.screen_stack[1:] == [composer, login]
        login.dismiss("")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))


async def test_an_act_is_done_though_its_page_is_left_at_once(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        server.is_free.clear()
        await pilot.press("c", "q")
        await until(pilot, lambda: isinstance(app.screen, QueueScreen))
        server.is_free.set()
        await until(pilot, lambda: server.details[4812].ticket.owner == "alice")
        await until(pilot, lambda: "took #4812" in text_of(app, "#message"))


KEYS = [
    ["question_mark", "q"],
    ["n", "escape"],
    ["d", "escape"],
    ["w", "escape"],
    ["M", "escape"],
    ["U", "escape"],
    ["S", "escape"],
    ["enter", "q"],
    ["H", "q"],
    ["2", "q"],
    ["3", "q"],
    ["4", "1"],
    ["at", "escape"],
    ["exclamation_mark", "q"],
    ["space", "c", "n", "u"],
    ["M", "4", "7", "escape"],
]


async def test_what_is_opened_and_left_in_one_burst_leaves_the_queue(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await until(pilot, lambda: app.session.dossiers.tickets.get(4812))
        for keys in KEYS:
            in_a_burst(app, *keys, *keys)
            await until(pilot, lambda: app.screen_stack[1:] == [] and app._message_queue.empty())

            assert isinstance(app.screen, QueueScreen), keys
            assert app.is_running, keys


async def test_a_field_that_is_left_as_the_server_answers_is_painted_no_more(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_tui.others.TYPING_S", 0)
    for number in range(3):
        server.details[number] = scene.detail(scene.a_ticket(number, state=TicketState.SOLVED))
    async with opened(server) as (app, pilot):
        for ticks in range(0, 24, 3):
            await pilot.press("L")
            form = app.screen
            form.query_one("#other", Input).value = f"word{ticks}"
            for _ in range(ticks):
                await asyncio.sleep(0)
            form.action_leave()
            await until(pilot, lambda: isinstance(app.screen, QueueScreen))

        assert app.is_running
        assert not isinstance(app.screen, Composer)


async def test_a_key_behind_the_one_that_quits_is_for_nobody(server: FakeServer) -> None:
    async with opened(server) as (app, _):
        in_a_burst(app, "q", "enter", "n", "question_mark")

    assert app.return_code == 0
