"""A question from a host is one ticket of that host, whatever it says and however often it is brought."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session
from tests.server.desk.world import World

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketKind, TicketState
from tocsin_protocol.wire import MAX_QUESTION_CHARACTERS
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail
from tocsin_server.desk.requests import MAX_SUBJECT, MAX_WHO, Request, open_request, request_of
from tocsin_server.errors import Forbidden, Unprocessable
from tocsin_server.estate.store import Host

READINGS: Mapping[str, str | float | None] = {"memory_ratio": 0.5, "sample_at": "2026-01-01T00:00:00.000Z"}


def asked(
    text: str = "the printer jams", *, key: bytes = bytes(16), host_id: int = 1, who: str = "alice"
) -> Request:
    return request_of(agent_id=f"agt_{host_id}", host_id=host_id, key=key, who=who, text=text)


def brought(world: World, request: Request) -> tuple[int, Happening | None]:
    return world.storage.write(
        lambda session: open_request(session, request, readings=READINGS, now_ms=world.now_ms, tables=NO_TABLES)
    )


def test_it_is_a_request_of_that_host_with_its_readings_in_the_entry_that_opens_it(world: World) -> None:
    number, happening = brought(world, asked("the printer jams\nagain, since noon"))

    ticket = world.ticket(number)
    (event,) = world.events(number)
    assert happening == Happening(number, TicketEventKind.OPENED)
    assert (ticket.kind, ticket.title, ticket.priority) == (TicketKind.REQUEST, "the printer jams", 3)
    assert (ticket.client_id, ticket.site_id, ticket.host_id) == (1, 1, 1)
    assert ticket.human
    assert (event.actor_kind, event.actor) == (ActorKind.HOST, "alice on atlas")
    assert event.text == "the printer jams\nagain, since noon"
    assert event.data == READINGS


def test_consoles_see_what_kind_of_ticket_it_is(world: World) -> None:
    number, _ = brought(world, asked())

    detail = world.storage.read(lambda session: ticket_detail(session, EVERYWHERE, number))

    assert detail.ticket.kind is TicketKind.REQUEST
    assert detail.events[0].actor_kind is ActorKind.HOST
    assert detail.events[0].data["memory_ratio"] == 0.5


def test_a_question_that_is_brought_again_finds_its_ticket_though_it_is_solved(world: World) -> None:
    number, _ = brought(world, asked())
    world.act(work.resolve, number, text="paper removed")

    again = brought(world, asked())

    assert again == (number, None)
    assert world.ticket(number).state is TicketState.SOLVED
    assert world.ticket_ids() == [number]


def test_another_key_is_another_question_and_so_is_the_same_key_of_another_agent(world: World) -> None:
    numbers = [
        brought(world, request)[0]
        for request in (asked(), asked(key=b"k" * 16), asked(host_id=2), asked(host_id=2, key=b"k" * 16))
    ]

    assert len(set(numbers)) == 4
    assert [world.ticket(number).client_id for number in numbers] == [1, 1, 2, 2]


def test_recovery_leaves_it_to_people(world: World) -> None:
    number, _ = brought(world, asked())
    world.move(seconds=86_400)

    world.settle()

    assert world.timeline(number) == [TicketEventKind.OPENED]


def test_a_host_that_was_retired_meanwhile_asks_in_vain(world: World) -> None:
    def retire(session: Session) -> None:
        session.get_one(Host, 1).retired_ms = world.now_ms

    world.storage.write(retire)

    with pytest.raises(Forbidden, match="retired"):
        brought(world, asked())
    assert world.ticket_ids() == []


@pytest.mark.parametrize("text", ["", "  \n\t ", "\x00\x1b\x7f", "\u200b\u202e\u2066", "\u2028\u3000\n"])
def test_what_cannot_be_seen_is_no_question(text: str) -> None:
    with pytest.raises(Unprocessable, match="empty"):
        asked(text)


def test_a_question_has_its_limit() -> None:
    assert asked("x" * MAX_QUESTION_CHARACTERS).text == "x" * MAX_QUESTION_CHARACTERS
    with pytest.raises(Unprocessable, match="4001 characters: say it in at most 4000"):
        asked("x" * (MAX_QUESTION_CHARACTERS + 1))


def test_a_long_line_is_cut_in_the_title_and_whole_in_the_text() -> None:
    request = asked("x" * 200)

    assert request.subject == "x" * (MAX_SUBJECT - 1) + "…"
    assert request.text == "x" * 200


@pytest.mark.parametrize(
    ("who", "told"),
    [("alice", "alice"), ("", "somebody"), ("\x1b[31malice\n", "[31malice"), ("\u202eecila", "ecila")],
)
def test_a_login_is_one_visible_word_or_somebody(who: str, told: str) -> None:
    assert asked(who=who).who == told


@given(text=st.text(), who=st.text())
def test_whatever_a_host_says_becomes_one_visible_line_and_a_text_without_controls(text: str, who: str) -> None:
    try:
        request = asked(text, who=who)
    except Unprocessable:
        return

    assert 0 < len(request.subject) <= MAX_SUBJECT
    assert 0 < len(request.who) <= MAX_WHO
    assert request.subject.isprintable()
    assert request.who.isprintable()
    assert all(letter.isprintable() or letter in "\n\t" or ord(letter) > 0x9F for letter in request.text)
