"""The queue: keys do what the README says, rows stay under the hand, and nothing typed is lost."""

from datetime import timedelta

import pytest
from tests.tui import scene
from tests.tui.console import Hands, a_console, has_read, in_a_burst, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.events import Paste
from textual.widgets import Input, TextArea

from tocsin_protocol.vocabulary import TicketEventKind, TicketState
from tocsin_tui.screens.queue import QueueScreen
from tocsin_tui.screens.ticket import TicketScreen
from tocsin_tui.session import DUE_S
from tocsin_tui.state import LinkState, View

pytestmark = pytest.mark.screen


async def test_it_opens_on_the_most_urgent_ticket(server: FakeServer) -> None:
    async with opened(server) as (app, _):
        assert app.session.tickets.cursor == 4812
        assert "▲1 1" in text_of(app, "#status")
        assert "● live" in text_of(app, "#status")


async def test_enter_opens_q_comes_back_and_q_leaves(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        assert isinstance(app.screen, TicketScreen)
        await pilot.press("q")
        assert isinstance(app.screen, QueueScreen)
        await pilot.press("q")

    assert app.return_code == 0


async def test_c_takes_what_the_cursor_is_on(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: server.details[4812].ticket.owner == "alice")

        assert "took #4812" in text_of(app, "#message")


async def test_the_slower_of_two_is_told_in_one_line_and_sees_the_row_as_it_is(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        theirs = scene.a_ticket(version=2, owner="bob", state=TicketState.IN_PROGRESS)
        server.details[4812] = scene.detail(theirs)
        await pilot.press("c")
        await until(pilot, lambda: app.session.notice is not None)

        assert text_of(app, "#message").strip() == "bob was faster: #4812 is theirs"
        assert app.session.tickets.current.owner == "bob"


async def test_a_ticket_that_a_colleague_has_is_left_to_them(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets("#4809")
        await pilot.press("c")

        assert "bob has #4809" in text_of(app, "#message")
        assert not [asked for asked in server.asked if asked.startswith("POST")]


async def test_enter_never_hits_another_ticket_than_the_one_under_the_cursor(
    server: FakeServer,
) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await pilot.press("j")
        wanted = app.session.tickets.cursor
        server.happen(scene.a_ticket(5001), TicketEventKind.OPENED)
        server.happen(scene.a_ticket(version=9, state=TicketState.SOLVED), TicketEventKind.SOLVED)
        await until(pilot, lambda: 5001 in app.session.tickets.rows)
        assert "+1 new above ▲" in text_of(app, "#foot")
        await pilot.press("enter")

        assert app.screen.ticket_id == wanted


async def test_what_is_new_appears_once_hands_are_still(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await pilot.press("j")
        server.happen(scene.a_ticket(5001), TicketEventKind.OPENED)
        await until(pilot, lambda: 5001 in app.session.tickets.rows)
        before = list(app.session.tickets.order)
        hands.rest()
        app._paint()

        assert 5001 not in before
        assert 5001 in app.session.tickets.order


async def test_a_filter_narrows_as_it_is_typed_and_escape_clears_it(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("slash")
        app.screen.query_one("#filter", Input).value = "client:kiel"
        await pilot.pause()
        narrowed = list(app.session.tickets.order)
        await pilot.press("escape")

        assert narrowed == [4811, 4788]
        assert len(app.session.tickets.order) == 13


async def test_what_narrows_is_seen_and_each_part_is_taken_away_by_a_key(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", *"client:acme p:2 eth0", "enter")
        await until(pilot, lambda: app.screen.focused is app.screen.table)
        narrowed = text_of(app, "#narrowed")
        await pilot.press("minus")
        await until(pilot, lambda: "2 p:2" in text_of(app, "#about"))
        await pilot.press("2")
        await until(pilot, lambda: app.session.ticket_filter.text == "client:acme eth0")
        assert "p:2" not in text_of(app, "#narrowed")
        await pilot.press("minus", "9", "q")
        assert app.session.ticket_filter.text == "client:acme eth0"
        await pilot.press("minus", "2", "minus")

        assert narrowed.startswith(" only  client:acme  p:2  eth0")
        assert app.session.ticket_filter.text == ""
        assert not app.screen.has_class("-narrowed")


async def test_escape_takes_all_that_narrows_away(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", *"client:kiel", "enter")
        await until(pilot, lambda: len(app.session.tickets) == 2)
        await pilot.press("escape")

        assert app.session.ticket_filter.text == ""
        assert len(app.session.tickets) == 13


async def test_tab_completes_what_is_typed(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("slash", "c")
        assert "tab client:" in text_of(app, "#keys")
        await pilot.press("tab", "k", "tab")
        await pilot.pause()
        assert app.screen.query_one("#filter", Input).value == "client:kiel "
        assert list(app.session.tickets.order) == [4811, 4788]
        await pilot.press("enter", "tab")

        assert "? keys" in text_of(app, "#keys")
        assert app.screen.focused is app.screen.table


async def test_a_word_that_means_nothing_here_is_said_while_it_is_typed(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("slash")
        app.screen.query_one("#filter", Input).value = "kind:reqest"
        await pilot.pause()

        assert "kind:reqest is nothing that is here · kind:request is near" in text_of(app, "#keys")


async def test_what_is_looked_for_as_text_is_said_while_it_is_typed(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", *"client:acme disk")
        await until(pilot, lambda: "looked for as text: disk" in text_of(app, "#keys"))


async def test_what_becomes_due_is_seen_though_nothing_happens(server: FakeServer) -> None:
    hands, later = Hands(), scene.NOW + timedelta(minutes=30)
    soon = scene.a_ticket(due_at=scene.NOW + timedelta(minutes=70), due_state="running")
    server.details = {soon.id: scene.detail(soon)}
    async with opened(server, hands=hands) as (app, _):
        app.session.filter_tickets("due:1h")
        before = len(app.session.tickets)
        app.session._wall = lambda: later
        hands.rest(DUE_S + 1)
        app._paint()

        assert (before, len(app.session.tickets)) == (0, 1)


async def test_the_server_is_asked_once_for_what_is_typed_in_one_go(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_tui.search.TYPING_S", 0)
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", "d", "i", "s", "k")
        while not server.searches:
            await pilot.pause()

        assert server.searches == ["disk"]


async def test_what_is_typed_in_one_burst_goes_where_it_would_go_key_by_key(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", "c", "d")
        await pilot.pause()

        assert app.session.ticket_filter.text == "cd"
        assert not app.session.underway


async def test_enter_twice_leaves_the_filter_and_opens_the_ticket(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "/", *"client:kiel", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, TicketScreen))

        assert app.screen.ticket_id == 4811


async def test_a_page_that_is_not_there_yet_is_not_painted(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.action_hosts()
        app._paint()
        assert not app.screen.is_mounted
        await pilot.pause()

        assert "Hosts" in text_of(app, "#place")


async def test_a_note_typed_in_one_burst_is_whole(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        in_a_burst(app, "n", *"cable")
        await pilot.pause()

        assert app.screen.query_one(TextArea).text == "cable"
        assert not app.session.underway


async def test_a_filter_that_hides_all_says_so(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets("nobody has this")
        await until(pilot, lambda: '0 of 13 match "nobody has this"' in text_of(app, "#empty"))


async def test_the_solved_are_another_view(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: app.session.tickets.order)

        assert app.session.view is View.SOLVED
        assert list(app.session.tickets.order) == [4795, 4760]


async def test_a_line_that_breaks_blanks_nothing_and_quits_nothing(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        server.down = "connection refused"
        server.hang_up()
        await until(pilot, lambda: app.session.link.state is LinkState.STALE)
        app.session.hurry()
        await until(pilot, lambda: app.session.link.state is LinkState.OFFLINE)

        assert "◌ offline" in text_of(app, "#status")
        assert "as of 12:45:00" in text_of(app, "#message")
        assert "atlas" in screen_text(app)

        server.down = ""
        await pilot.press("R")
        await until(pilot, lambda: app.session.link.state is LinkState.LIVE)


async def test_a_ghost_is_named_and_dim_until_the_cursor_moves(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        row = scene.a_ticket(version=2, state=TicketState.SOLVED, solved_at=scene.NOW)
        server.happen(row, TicketEventKind.SOLVED)
        await until(pilot, lambda: app.session.tickets.ghosts)
        assert "solved: /srv/mail" in screen_text(app)
        await pilot.press("j")

        assert "solved: /srv/mail" not in screen_text(app)


async def test_the_keys_can_be_others(server: FakeServer) -> None:
    from tocsin_tui.config import Settings

    async with opened(server, settings=Settings(keys={"ticket.take": "a"})) as (_, pilot):
        await pilot.press("a")  # by default this acknowledges
        await until(pilot, lambda: server.details[4812].ticket.owner == "alice")


def test_every_key_has_an_id_and_says_what_it_does() -> None:
    from tocsin_tui import app
    from tocsin_tui.screens import (
        alerts,
        composer,
        host,
        hosts,
        keys,
        login,
        marked,
        page,
        queue,
        refused,
        silence,
        ticket,
        verbs,
    )
    from tocsin_tui.widgets import lines, table

    modules = [
        alerts,
        app,
        composer,
        host,
        hosts,
        keys,
        login,
        marked,
        page,
        queue,
        refused,
        silence,
        ticket,
        verbs,
        lines,
        table,
    ]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    ours = [
        binding
        for kind in classes
        if kind.__module__.startswith("tocsin_tui")
        for binding in vars(kind).get("BINDINGS", [])
    ]

    assert len(ours) > 40
    assert not [binding for binding in ours if not (binding.id and binding.tooltip)]


def test_without_colours_there_are_none_and_not_shades_of_grey(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    app = a_console(server, own_palette=False)

    assert "NoColor" in {type(line_filter).__name__ for line_filter in app._filters}


async def test_a_list_that_was_empty_for_a_moment_takes_keys_again(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: app.session.view is View.SOLVED and app.session.tickets.order)
        first = app.session.tickets.cursor
        await pilot.press("j")

        assert app.session.tickets.cursor != first
        assert app.screen.focused is app.screen.table


async def test_what_is_pasted_loses_what_a_terminal_would_act_on(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n")
        app.post_message(Paste("one\x1b]52;c;cm0=\x07\r\ntwo\u202e"))
        await pilot.pause()

        assert app.screen.query_one(TextArea).text == "one]52;c;cm0=\ntwo"


async def test_on_a_small_terminal_a_ticket_with_much_to_say_still_shows_its_alert(server: FakeServer) -> None:
    row = scene.a_ticket(
        title="a title of many words " * 6, team="infrastructure-and-networks", site="a long way from anywhere",
        state=TicketState.PENDING, waits_for="vendor", wakes_at=scene.NOW,
    )  # fmt: skip
    server.details = {row.id: scene.detail(row)}
    async with opened(server, size=(80, 24)) as (app, pilot):
        await has_read(pilot, row.id)
        _, title, stands, alert = text_of(app, "#preview").split("\n")

        assert title.endswith("…")
        assert "waits for vendor" in stands
        assert alert.startswith("● firing")
