"""As which item of its contract a ticket is clocked is written down: no later table changes a promise."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts import contract_of
from tests.examples import share
from tests.lifecycle import TABLES, selecting
from tests.server.desk.world import ALICE, World

from tocsin_protocol.acts import NewTicket, Prioritisation
from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.tickets import TicketDetail
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import NO_TABLES, Tables
from tocsin_server.desk import opening, queue, work
from tocsin_server.desk.promised import Terms
from tocsin_server.errors import Conflict

ACME = {"acme": (contract_of("acme"),)}
BY_PRIORITY = b"""U,priority:integer(1..4),=> clocked:bool,=> item:string
urgent,1,true,server
less,2,true,desktop
planned,[3..4],false,server
"""
NOTHING_CLOCKED = b"U,client:string,=> clocked:bool,=> item:string\nnone,-,false,none\n"
BY_SEVERITY = b"""F,severity:enum(critical|warning|info|none),rule:string,=> clocked:bool,=> item:string
bad,critical,FilesystemFull,true,server
rest,-,-,true,desktop
"""


def detail(world: World, ticket_id: int = 1, tables: Tables = TABLES) -> TicketDetail:
    """The ticket, with its clocks, where these tables are in force now."""
    terms = Terms(ACME, tables, world.now_ms, {})
    return world.storage.read(lambda session: queue.ticket_detail(session, EVERYWHERE, ticket_id, terms=terms))


def clock_by(world: World, agreement: str) -> TicketClock:
    """The newest clock of an agreement until the ticket is solved."""
    return [each for each in detail(world).clocks if (each.kind, each.agreement) == ("resolve", agreement)][-1]


def say(world: World, priority: int, *, tables: Tables) -> None:
    world.act(work.prioritise, 1, wish=Prioritisation(priority=priority, text="so it is"), tables=tables)


def agreements(world: World, **changes: Any) -> list[tuple[str, str]]:
    """Of the clocks until it is solved: by which agreement, and how they stand."""
    return [(each.agreement, each.state) for each in detail(world, **changes).clocks if each.kind == "resolve"]


def rows_told(world: World) -> list[str]:
    services = [entry.data["service"] for entry in world.events() if "service" in entry.data]
    return [f"{each['row'].rpartition(' ')[2]} {each.get('item')}" for each in services]


@pytest.mark.parametrize("table", [BY_PRIORITY, NOTHING_CLOCKED, None])
def test_a_table_that_is_changed_later_changes_nothing_of_what_was_promised(
    world: World, table: bytes | None
) -> None:
    world.fire(severity="critical")
    world.consume()
    before = detail(world)

    assert detail(world, tables=NO_TABLES if table is None else selecting(table)) == before
    assert rows_told(world) == ["server server"]
    assert before.clocks


def test_another_priority_is_asked_anew_and_counts_from_the_same_start(world: World) -> None:
    tables = selecting(BY_PRIORITY)
    world.fire(severity="warning")
    world.consume(tables=tables)
    world.move(seconds=10 * 3600)
    say(world, 1, tables=tables)

    assert rows_told(world) == ["less desktop", "urgent server"]
    assert agreements(world) == [("silver", "superseded"), ("gold", "running")]
    assert clock_by(world, "gold").started_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_what_is_clocked_no_more_stays_to_be_seen_and_what_is_again_counts_from_then(world: World) -> None:
    tables = selecting(BY_PRIORITY)
    world.fire(severity="critical")
    world.consume(tables=tables)
    world.move(seconds=10 * 3600)
    say(world, 4, tables=tables)
    ended = agreements(world)
    world.move(seconds=3600)
    say(world, 2, tables=tables)

    assert ended == [("gold", "superseded")]
    assert agreements(world) == [("gold", "superseded"), ("silver", "running")]
    assert clock_by(world, "silver").started_at == datetime(2023, 11, 15, 9, 13, 20, tzinfo=UTC)


def test_what_was_not_clocked_as_it_was_opened_is_promised_from_then_on(world: World) -> None:
    tables = selecting(BY_PRIORITY)
    world.fire(severity="info")
    world.consume(tables=tables)
    unclocked = detail(world).unclocked
    world.move(seconds=10 * 3600)
    say(world, 1, tables=tables)

    assert unclocked.startswith("not clocked, says sla_selection@")
    assert agreements(world) == [("gold", "running")]
    assert clock_by(world, "gold").elapsed_s == 0


def test_an_alert_that_is_worse_is_asked_anew_by_the_tickets_own_world(world: World) -> None:
    tables = selecting(BY_SEVERITY)
    world.fire(severity="warning")
    world.consume(tables=tables)
    world.fire(severity="critical", mountpoint="/")
    world.consume(tables=tables)
    world.fire(severity="critical")
    world.consume(tables=tables)

    assert rows_told(world) == ["rest desktop", "bad server"]


def test_what_becomes_worse_as_it_is_opened_is_asked_twice(world: World) -> None:
    tables = selecting(BY_SEVERITY)
    world.fire(severity="warning")
    world.fire(severity="critical")
    world.consume(tables=tables)

    assert rows_told(world) == ["rest desktop", "bad server"]


def test_the_same_priority_by_other_words_is_not_asked_anew(world: World) -> None:
    world.fire(severity="warning")
    world.consume(tables=selecting(BY_PRIORITY))
    wish = Prioritisation(impact="medium", urgency="high")
    world.act(work.prioritise, 1, wish=wish, tables=selecting(NOTHING_CLOCKED))

    assert world.ticket().priority == 2
    assert rows_told(world) == ["less desktop"]


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["prio", "none", "shipped"])), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=share(12))
def test_whatever_tables_come_later_what_was_promised_is_reckoned_the_same(
    world: World, said: list[tuple[int, str]]
) -> None:
    tables = {"prio": selecting(BY_PRIORITY), "none": selecting(NOTHING_CLOCKED), "shipped": TABLES}
    new = NewTicket(client="acme", title="it is slow", host_id=1, priority=2)
    opened = world.storage.write(
        lambda session: opening.open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=world.now_ms, tables=tables["prio"]
        )
    )
    for priority, name in said:
        world.move(seconds=900)
        wish = Prioritisation(priority=priority, text="so it is")
        with suppress(Conflict):
            world.act(work.prioritise, opened.ticket_id, wish=wish, tables=tables[name])

    found = [detail(world, opened.ticket_id, tables=each) for each in (*tables.values(), NO_TABLES)]

    assert all(each == found[0] for each in found[1:])
    assert found[0].clocks
