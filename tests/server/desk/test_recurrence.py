"""Trouble that comes back after its ticket was over says so, and is a problem once it comes often."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from tests.lifecycle import TABLES
from tests.server.desk.world import NOW, REOPEN_MS, World

from tocsin_protocol.vocabulary import ActorKind, LinkKind, TicketEventKind, TicketKind, TicketState, Tie
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import NO_TABLES, Tables, always
from tocsin_server.desk import relations, work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail
from tocsin_server.desk.relations import Other
from tocsin_server.desk.ruling import World as Known
from tocsin_server.desk.ruling import is_problem

OPENED, LINKED = TicketEventKind.OPENED, TicketEventKind.LINKED
DAY_S = 86_400


def come_back(world: World, times: int = 1, *, days: float = 1, tables: Tables = TABLES, **more: Any) -> None:
    """It fires, is solved, clears, and nothing happens for longer than the reopen window."""
    for _ in range(times):
        world.fire(**more)
        world.consume(tables=tables)
        newest = max(n for n in world.ticket_ids() if world.ticket(n).kind is TicketKind.INCIDENT)
        world.act(work.resolve, newest)
        world.clear(**more)
        world.consume(tables=tables)
        world.move(seconds=days * DAY_S)


def ties(world: World, ticket_id: int) -> list[tuple[Tie, int]]:
    detail = world.storage.read(lambda session: ticket_detail(session, EVERYWHERE, ticket_id))
    return [(each.tie, each.ticket) for each in detail.ties]


def told(world: World, ticket_id: int) -> list[dict[str, Any]]:
    return [each.data for each in world.events(ticket_id) if each.kind is LINKED]


def test_both_tickets_say_that_it_recurs(world: World) -> None:
    come_back(world)

    world.fire()
    world.consume()

    assert (ties(world, 2), ties(world, 1)) == ([(Tie.RECURS, 1)], [(Tie.RECURS_AS, 2)])
    assert told(world, 2) == [{"tie": "recurs", "ticket": 1}]
    assert told(world, 1) == [{"tie": "recurs_as", "ticket": 2}]
    assert [world.ticket(number).version for number in (1, 2)] == [
        len(world.events(number)) for number in (1, 2)
    ]


def test_a_closed_ticket_takes_no_entry_and_shows_the_tie(world: World) -> None:
    come_back(world)
    world.act(work.close, 1)

    world.fire()
    world.consume()

    assert told(world, 1) == []
    assert ties(world, 1) == [(Tie.RECURS_AS, 2)]


def test_what_is_reopened_does_not_recur(world: World) -> None:
    come_back(world, days=(REOPEN_MS - 1000) / 1000 / DAY_S)

    world.fire()
    world.consume()

    assert (world.ticket_ids(), told(world, 1)) == ([1], [])


def test_the_third_in_thirty_days_opens_a_problem_that_names_them(world: World) -> None:
    come_back(world, 2)

    world.fire()
    happened = world.consume()

    problem = world.ticket(4)
    assert (problem.kind, problem.title, problem.state) == (
        TicketKind.PROBLEM,
        "Recurring: / on atlas is full",
        TicketState.NEW,
    )
    assert (problem.client_id, problem.host_id, problem.team) == (1, 1, "servers")
    assert ties(world, 4) == [(Tie.CAUSES, 1), (Tie.CAUSES, 2), (Tie.CAUSES, 3)]
    assert (Tie.CAUSED_BY, 4) in ties(world, 1)
    assert Happening(4, OPENED) in happened


def test_its_first_entry_counts_and_quotes_the_row(world: World) -> None:
    come_back(world, 3)

    (opened,) = world.events(4)

    assert (opened.kind, opened.actor_kind) == (OPENED, ActorKind.SYSTEM)
    assert opened.text == "3 tickets of this trouble in 30 days: #1, #2, #3"
    assert opened.data["tickets"] == ["1", "2", "3"]
    assert opened.data["decided"][-1] == f"{TABLES['recurrence'].table.label} row often"
    assert "item" not in opened.data["service"]  # problems are planned, and nothing is promised
    assert told(world, 3)[-1] == {"tie": "caused_by", "ticket": 4}


def test_while_it_is_open_each_further_ticket_is_tied_to_it(world: World) -> None:
    come_back(world, 4)

    assert [world.ticket(number).kind for number in world.ticket_ids()].count(TicketKind.PROBLEM) == 1
    assert ties(world, 4)[-1] == (Tie.CAUSES, 5)
    assert told(world, 4) == [{"tie": "causes", "ticket": 5}]
    assert ties(world, 5) == [(Tie.RECURS, 3), (Tie.CAUSED_BY, 4)]


def test_once_it_is_solved_it_takes_as_many_anew(world: World) -> None:
    come_back(world, 3)
    world.act(work.resolve, 4)

    come_back(world, 2)
    assert {world.ticket(number).kind for number in (5, 6)} == {TicketKind.INCIDENT}
    come_back(world)

    assert world.ticket(8).kind is TicketKind.PROBLEM
    assert ties(world, 8) == [(Tie.CAUSES, 5), (Tie.CAUSES, 6), (Tie.CAUSES, 7)]


def test_what_comes_seldom_is_no_problem(world: World) -> None:
    come_back(world, 5, days=15)

    assert {world.ticket(number).kind for number in world.ticket_ids()} == {TicketKind.INCIDENT}


def test_another_trouble_and_another_client_are_not_counted_with_it(world: World) -> None:
    come_back(world, 2)
    come_back(world, client_id=2)
    come_back(world, mountpoint="/var")

    assert world.ticket_ids() == [1, 2, 3, 4]
    assert [each for number in (3, 4) for each in ties(world, number)] == []


def test_what_a_person_says_is_caused_by_a_problem_is_not_counted(world: World) -> None:
    come_back(world, 3)
    world.act(relations.unlink, 1, kind=LinkKind.CAUSED_BY, other=Other(4))
    world.act(work.resolve, 4)

    come_back(world)

    assert world.ticket_ids() == [1, 2, 3, 4, 5]


def test_without_the_table_it_recurs_and_is_no_problem(world: World) -> None:
    come_back(world, 4, tables=NO_TABLES)

    assert world.ticket_ids() == [1, 2, 3, 4]
    assert ties(world, 4) == [(Tie.RECURS, 3)]


def test_a_table_that_does_not_know_what_it_is_asked_stops_no_bell(world: World) -> None:
    come_back(world, 3, tables=Tables({**TABLES, "recurrence": TABLES["escalation"]}, is_open=always))

    assert world.ticket_ids() == [1, 2, 3]


def test_a_batch_that_is_applied_twice_opens_no_second_problem(
    world: World, consumed_again: Callable[[], None]
) -> None:
    come_back(world, 3)
    before = [world.timeline(number) for number in world.ticket_ids()]

    consumed_again()

    assert [world.timeline(number) for number in world.ticket_ids()] == before


@pytest.fixture
def consumed_again(world: World) -> Callable[[], None]:
    def again() -> None:
        world.storage.write(
            lambda session: (
                session.connection().exec_driver_sql("UPDATE transition SET consumed_ms = NULL") and None
            )
        )
        world.consume()

    return again


def test_many_that_recur_cost_a_bounded_number_of_statements(world: World) -> None:
    for number in range(4):
        come_back(world, 2, days=0.5, mountpoint=f"/{number}")
    for number in range(4):
        world.fire(mountpoint=f"/{number}")
    statements: list[str] = []
    event.listen(world.storage._writer, "before_cursor_execute", lambda *told: statements.append(told[2]))

    world.consume()

    assert [world.ticket(number).kind for number in world.ticket_ids()].count(TicketKind.PROBLEM) == 4
    assert len([one for one in statements if not one.startswith(("SAVEPOINT", "RELEASE"))]) <= 32


@given(times=st.integers(1, 10_000))
def test_the_shipped_table_sees_a_problem_in_three(times: int) -> None:
    assert bool(is_problem(TABLES, Known("acme"), NOW, times=times)) is (times >= 3)
