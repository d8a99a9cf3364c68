"""One ticket: evidence, timeline, and words that are never lost."""

from datetime import timedelta

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import Hands, has_read, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input, TextArea

from tocsin_protocol.events import LookersChanged
from tocsin_protocol.lookers import Looker
from tocsin_protocol.problems import Problem
from tocsin_protocol.tickets import TicketTie
from tocsin_protocol.vocabulary import TicketState, Tie
from tocsin_tui.presence import BEAT_S
from tocsin_tui.screens.composer import Composer

pytestmark = pytest.mark.screen


async def test_it_shows_expression_value_labels_chart_and_timeline(server: FakeServer) -> None:
    server.details[4812] = msgspec.structs.replace(server.details[4812], events=scene.story())
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        await has_read(pilot, 4812)

        shown = text_of(app, "#alerts") + text_of(app, "#timeline") + text_of(app, "#chart")
        for words in (
            "node_filesystem_avail_bytes /",
            "0.0231",
            'mountpoint="/srv/mail"',
            "▲ fired 12:38",
            "use nas-02",
        ):
            assert words in shown


async def test_a_note_is_sent_with_ctrl_d(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n", "o", "n", "space", "i", "t", "ctrl+d")
        await until(pilot, lambda: not isinstance(app.screen, Composer))

    assert server.details[4812].events[-1].text == "on it"


async def test_n_writes_among_technicians_and_shift_n_to_who_asked(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n", "x", "ctrl+d")
        await until(pilot, lambda: not isinstance(app.screen, Composer))
        await pilot.press("N")
        assert "Reply to who asked: they will read it · #4812" in text_of(app, "#title")
        await pilot.press("o", "n", "space", "i", "t", "ctrl+d")
        await until(pilot, lambda: not isinstance(app.screen, Composer))
        await pilot.press("enter")
        await has_read(pilot, 4812)

        assert "reply    alice  on it" in text_of(app, "#timeline")
        assert "note     alice  x" in text_of(app, "#timeline")
    assert [event.public for event in server.details[4812].events[-2:]] == [False, True]


async def test_a_note_that_is_begun_is_no_draft_of_a_reply(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n")
        app.screen.query_one(TextArea).text = "he calls every hour"
        await pilot.press("escape", "N")

        assert app.screen.query_one(TextArea).text == ""


async def test_a_note_that_cannot_be_sent_stays_and_says_why(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n")
        app.screen.query_one(TextArea).text = "a long story"
        await pilot.pause()
        server.down = "no route to host"
        await pilot.press("ctrl+d")
        await until(pilot, lambda: "no route to host" in text_of(app, "#hint"))
        await pilot.press("escape", "n")

        assert app.screen.query_one(TextArea).text == "a long story"


async def test_d_resolves_with_what_was_done(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("d")
        app.screen.query_one(Input).value = "moved the archive"
        await pilot.press("enter")
        await until(pilot, lambda: server.details[4812].ticket.state is TicketState.SOLVED)

    assert server.details[4812].events[-1].text == "moved the archive"


async def test_a_solved_ticket_says_when_it_closes_by_itself(server: FakeServer) -> None:
    closes_at = scene.NOW + timedelta(days=3)
    row = scene.a_ticket(state=TicketState.SOLVED, solved_at=scene.NOW, closes_at=closes_at)
    server.details[4812] = scene.detail(row)
    async with opened(server) as (app, pilot):
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: app.session.tickets.cursor == 4812)

        assert "closes itself 28 Nov 12:45" in " ".join(text_of(app, "#preview").split())


async def test_a_acknowledges_with_a_note_or_without(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("a")
        assert "Acknowledge #4812" in text_of(app, "#title")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, Composer))
        await pilot.press("enter")
        await has_read(pilot, 4812)

        assert "acknowledged by alice, 12:45" in text_of(app, "#alerts")
        assert "ack      alice" in text_of(app, "#timeline")


async def test_a_note_of_an_acknowledgement_that_fails_stays(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("enter", "a")
        app.screen.query_one(Input).value = "it is the archive"
        server.down = "no route to host"
        await pilot.press("enter")
        await until(pilot, lambda: "no route to host" in text_of(app, "#hint"))
        await pilot.press("escape", "a")

        assert app.screen.query_one(Input).value == "it is the archive"


async def test_what_somebody_has_acknowledged_is_said_at_once(server: FakeServer) -> None:
    server.details[4812] = scene.hushed(server.details[4812])
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("a")

        assert "ada has acknowledged #4812" in text_of(app, "#message")


@pytest.mark.parametrize("ticket_id", [4748, 4781, 4790])  # none, one that has cleared, one that waits
async def test_where_no_alert_fires_there_is_nothing_to_acknowledge(server: FakeServer, ticket_id: int) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets(f"#{ticket_id}")
        await pilot.press("a")

        assert f"#{ticket_id} has no alert that fires" in text_of(app, "#message")
        assert not isinstance(app.screen, Composer)


async def test_an_empty_note_is_not_sent(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n", "ctrl+d")

        assert "nothing is written yet" in text_of(app, "#hint")


async def test_a_new_ticket_is_for_the_client_and_host_in_hand(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("t")
        app.screen.query_one(Input).value = "second disk for atlas"
        await pilot.press("enter")
        await until(pilot, lambda: 5000 in server.details)

    assert server.details[5000].ticket.client == "acme"


async def test_j_and_k_in_capitals_walk_through_the_queue(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("enter", "J")

        assert app.screen.ticket_id == app.session.tickets.order[1]


async def test_a_ticket_of_a_storm_says_how_many_alerts_it_has_that_are_not_shown(server: FakeServer) -> None:
    server.details[4812] = msgspec.structs.replace(server.details[4812], more_alerts=4800)
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        await has_read(pilot, 4812)

        assert "the worst of its alerts; 4800 more" in text_of(app, "#alerts")


async def test_what_it_recurs_and_which_problem_causes_it_is_said_beside_its_alerts(server: FakeServer) -> None:
    ties = [
        TicketTie(tie=Tie.RECURS, ticket=41, title="/ is full", state=TicketState.CLOSED),
        TicketTie(tie=Tie.CAUSED_BY, ticket=60, title="Recurring: / is full", state=TicketState.NEW),
    ]
    server.details[4812] = msgspec.structs.replace(server.details[4812], ties=ties)
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        await has_read(pilot, 4812)

        assert "recurs #41 / is full" in text_of(app, "#alerts")
        assert "caused by #60 Recurring: / is full" in text_of(app, "#alerts")


async def test_a_ticket_without_alerts_has_no_chart(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets("#4748")
        await pilot.press("enter")
        await has_read(pilot, 4748)

        assert not app.screen.query_one("#chart").display
        assert "new starter on 2 December" in screen_text(app)


async def test_what_may_not_be_done_is_said_where_one_looks(server: FakeServer) -> None:
    server.refusals["/take"] = Problem(title="Forbidden", status=403, detail="viewers may not take tickets")
    async with opened(server) as (app, pilot):
        await pilot.press("enter", "c")
        await until(pilot, lambda: app.session.notice is not None)

        assert text_of(app, "#message").strip() == "viewers may not take tickets"


async def test_keys_that_come_faster_than_the_screen_are_all_sent(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("n")
        app.screen.query_one(TextArea).insert("on it")
        app.screen.action_send()  # before the field has told of what was typed
        await until(pilot, lambda: not isinstance(app.screen, Composer))

    assert server.details[4812].events[-1].text == "on it"


async def test_a_request_says_so_and_who_has_asked_from_where_and_how_that_host_was(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets("kind:request")
        await pilot.press("enter")
        await has_read(pilot, 4748)

        assert "▪ REQUEST · NEW" in text_of(app, "#what")
        assert "asked    carla on ws-0442  new starter on 2 December" in text_of(app, "#timeline")
        assert "the host: cpu 7.0 % · memory 41 % · disk 62 %" in text_of(app, "#timeline")


async def test_w_in_capitals_watches_and_the_heading_says_who_does(server: FakeServer) -> None:
    server.details[4812] = msgspec.structs.replace(server.details[4812], watchers=["bob"])
    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "watched by bob" in text_of(app, "#what"))
        await pilot.press("W")
        await until(pilot, lambda: "watched by you, bob" in text_of(app, "#what"))
        assert "watching #4812" in text_of(app, "#message")
        await pilot.press("W")
        await until(pilot, lambda: "watched by bob" in text_of(app, "#what"))

        assert server.details[4812].watchers == ["bob"]


async def test_who_else_is_at_a_ticket_is_seen_as_they_come_write_and_go(server: FakeServer) -> None:
    server.lookers[4812] = [Looker(login="alice"), Looker(login="bob")]

    def told(*lookers: Looker) -> None:
        server.tell("looking", LookersChanged(ticket_id=4812, client="acme", lookers=list(lookers)))

    async with opened(server) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "bob is looking" in text_of(app, "#what"))
        assert "alice" not in text_of(app, "#what")
        told(Looker(login="bob", writing="reply"), Looker(login="eve"))
        await until(pilot, lambda: "bob is writing a reply · eve is looking" in text_of(app, "#what"))
        told(Looker(login="alice"))
        await until(pilot, lambda: "bob" not in text_of(app, "#what"))


async def test_a_console_that_is_ending_looks_at_nothing(server: FakeServer) -> None:
    async with opened(server) as (app, _):
        pass

    assert app.screen_stack == []
    assert app._look() is None


async def test_others_are_told_what_is_shown_and_what_is_being_written(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: server.looked == [(4812, "")])
        await pilot.press("N")
        await until(pilot, lambda: server.looked[1:] == [(4812, "reply")])
        hands.rest(BEAT_S)
        await until(pilot, lambda: server.looked[2:] == [(4812, "reply")])
        await pilot.press("escape")
        await until(pilot, lambda: server.looked[3:] == [(4812, "")])
        await pilot.press("J")
        await until(pilot, lambda: len(server.looked) == 6)
        await pilot.press("q")
        await until(pilot, lambda: len(server.looked) == 7)

        following = server.looked[5][0]
        assert following != 4812
        assert server.looked[4:] == [(4812, "gone"), (following, ""), (following, "gone")]
        assert app.session.presence.others(4812) == []


async def test_a_note_from_the_queue_is_seen_by_who_looks_at_the_ticket(server: FakeServer) -> None:
    async with opened(server) as (_, pilot):
        await pilot.press("n")
        await until(pilot, lambda: server.looked == [(4812, "note")])
        await pilot.press("escape")
        await until(pilot, lambda: server.looked == [(4812, "note"), (4812, "gone")])
