"""A client's own people see of a ticket what was said to them, and what they said; of the rest that it was."""

from dataclasses import replace

import pytest
from tests.server.desk.world import ALICE, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.people import Person
from tocsin_protocol.tickets import TicketDetail
from tocsin_protocol.vocabulary import ActorKind, Role, TicketEventKind
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import opening, queue, work
from tocsin_server.desk.filters import Filters, Order
from tocsin_server.errors import Forbidden, NotFound, Stale

CAROL = Person(id=2, login="bob", name="Carol", role=Role.CLIENT_APPROVER)
OUTSIDE = Scope(frozenset({1}))


def detail(world: World, scope: Scope) -> TicketDetail:
    return world.storage.read(lambda session: queue.ticket_detail(session, scope, 1))


@pytest.fixture
def said(world: World) -> World:
    """A ticket of Acme's with a note among technicians and a public comment."""
    world.fire()
    world.consume()
    world.act(work.comment, 1, text="he calls every hour")
    world.act(work.comment, 1, text="your disk comes tomorrow", public=True)
    return world


@pytest.mark.parametrize(
    "asked",
    [
        Filters(order=Order.DUE),
        Filters(due_to_ms=NOW),
        Filters(due_from_ms=NOW, due_to_ms=NOW + 1),
        Filters(due_to_ms=NOW, text="disk"),
    ],
)
def test_nobody_outside_finds_out_by_asking_when_teams_and_suppliers_are_due(
    said: World, asked: Filters
) -> None:
    with pytest.raises(Forbidden, match="provider's own people"):
        said.storage.read(lambda session: queue.ticket_page(session, OUTSIDE, asked))


def test_notes_are_not_there_from_outside(said: World) -> None:
    inside, outside = (detail(said, scope).events for scope in (EVERYWHERE, OUTSIDE))

    assert [event.kind for event in outside] == [TicketEventKind.OPENED, TicketEventKind.COMMENTED]
    assert (outside[1].text, outside[1].actor) == ("your disk comes tomorrow", "alice")
    assert (outside[0].text, outside[0].actor, outside[0].data) == ("", "", {})
    assert [event.id for event in outside] == [1, 2]
    assert len(inside) == 3
    assert inside[0].data


def test_what_ones_own_people_say_is_shown_and_is_no_answer_of_the_desks(said: World) -> None:
    said.act(work.comment, 1, text="when?", public=True, person=CAROL, scope=OUTSIDE)

    last = detail(said, OUTSIDE).events[-1]

    assert (last.text, last.actor_kind) == ("when?", ActorKind.CLIENT)


def test_a_ticket_that_ones_own_people_open_shows_their_words(said: World) -> None:
    new = NewTicket(client="acme", title="it is slow", text="since Monday")
    number = said.storage.write(
        lambda session: opening.open_ticket(session, OUTSIDE, new, person=CAROL, now_ms=NOW, tables=NO_TABLES)
    ).ticket_id

    opened = said.storage.read(lambda session: queue.ticket_detail(session, OUTSIDE, number)).events[0]

    assert (opened.text, opened.actor_kind) == ("since Monday", ActorKind.CLIENT)


def test_a_note_among_technicians_is_not_the_clients_to_write(said: World) -> None:
    with pytest.raises(Forbidden, match="among technicians"):
        said.act(work.comment, 1, text="psst", person=CAROL, scope=OUTSIDE)


def test_what_has_happened_since_a_version_is_not_told_outside(said: World) -> None:
    with pytest.raises(Stale, match="it has version 3"):
        said.act(work.comment, 1, text="x", public=True, person=CAROL, scope=OUTSIDE, version=1)
    with pytest.raises(Stale, match="commented by alice"):
        said.act(work.comment, 1, text="x", version=1)


def test_a_foreign_ticket_is_as_one_that_is_not_there(said: World) -> None:
    nobodys = replace(OUTSIDE, clients=frozenset({2}))
    for number in (1, 99):
        with pytest.raises(NotFound, match=f"there is no ticket {number}"):
            said.act(work.take, number, scope=nobodys)


@pytest.mark.parametrize("scope", [OUTSIDE, replace(OUTSIDE, is_inside=True)])
def test_who_does_not_see_all_clients_does_not_learn_who_signs_in(said: World, scope: Scope) -> None:
    def ask(login: str) -> list[int]:
        filters = Filters(state="all", owner=login)
        return [row.id for row in said.storage.read(lambda s: queue.ticket_page(s, scope, filters)).tickets]

    said.act(work.take, 1, person=ALICE)

    assert (ask("alice"), ask("bob"), ask("nobody")) == ([1], [], [])
    with pytest.raises(NotFound):
        said.storage.read(lambda s: queue.ticket_page(s, EVERYWHERE, Filters(owner="nobody")))


def test_words_of_notes_find_nothing_from_outside(said: World) -> None:
    def found(word: str, scope: Scope) -> int:
        filters = Filters(state="all", text=word)
        return len(said.storage.read(lambda s: queue.ticket_page(s, scope, filters)).tickets)

    assert (found("calls", EVERYWHERE), found("calls", OUTSIDE)) == (1, 0)
    assert (found("tomorrow", OUTSIDE), found("tomorrow", Scope(frozenset({2})))) == (1, 0)
