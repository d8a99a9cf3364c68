"""Tickets are clocked by their client's contract and nobody else's, as their timelines stand."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlmodel import Session
from tests.contracts import contract_of
from tests.lifecycle import TABLES, selecting
from tests.server.desk.world import ALICE, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.teams import Assign
from tocsin_protocol.tickets import TicketDetail, TicketPage
from tocsin_protocol.vocabulary import TicketKind
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.decisions.folder import NO_TABLES, Tables
from tocsin_server.desk import due, opening, queue, teams, work
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.promised import Due, Terms, promised
from tocsin_server.desk.store import TICKETS
from tocsin_server.estate.store import Host
from tocsin_server.sla.register import NO_CONTRACTS

ACME = {"acme": (contract_of("acme"),)}
DAY_S = 86_400
HOSTS = Host.metadata.tables["host"]


def terms(world: World, **changes: Any) -> Terms:
    """What is in force now: Acme has a contract, Globex has none."""
    return Terms(ACME, TABLES, world.now_ms, {})._replace(**changes)


def detail(world: World, ticket_id: int = 1, **changes: Any) -> TicketDetail:
    return world.storage.read(
        lambda session: queue.ticket_detail(session, EVERYWHERE, ticket_id, terms=terms(world, **changes))
    )


def clock(world: World, kind: str, ticket_id: int = 1) -> TicketClock:
    """The only clock of a kind."""
    (found,) = (each for each in detail(world, ticket_id).clocks if each.kind == kind)
    return found


def clock_of(world: World, kind: str, party: str) -> TicketClock:
    """The only clock of a kind with somebody."""
    (found,) = (each for each in detail(world).clocks if (each.kind, each.counterparty) == (kind, party))
    return found


def page(world: World, held: Terms) -> TicketPage:
    return world.storage.read(
        lambda session: queue.ticket_page(session, EVERYWHERE, Filters(state="all"), terms=held)
    )


def times_read(world: World, held: Terms, *, state: str = "open") -> int:
    """How often a page asks for what has happened to tickets."""
    statements: list[str] = []

    def ask(session: Session) -> None:
        def note(*told: Any) -> None:
            statements.append(told[2])

        event.listen(session.get_bind(), "before_cursor_execute", note)
        queue.ticket_page(session, EVERYWHERE, Filters(state=state), terms=held)
        event.remove(session.get_bind(), "before_cursor_execute", note)

    world.storage.read(ask)
    return sum("ticket_event" in statement for statement in statements)


def open_by_hand(world: World, **said: Any) -> None:
    new = NewTicket(client="acme", title="it is slow", **said)
    world.storage.write(
        lambda session: opening.open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=NOW, tables=NO_TABLES
        )
    )


@pytest.fixture
def night(world: World) -> World:
    """On a Tuesday at 23:13 in Paris a critical alert has fired at Acme's."""
    world.fire(severity="critical")
    world.consume()
    return world


def at(hour: int, minute: int = 0, *, day: int = 15) -> datetime:
    """A time of November 2023 in Paris, in UTC."""
    return datetime(2023, 11, day, hour - 1, minute, tzinfo=UTC)


def test_a_ticket_of_an_alert_has_the_clocks_of_its_hosts_item_and_its_priority(night: World) -> None:
    found = detail(night)

    assert [(each.agreement, each.kind, each.target_s, each.due_at) for each in found.clocks] == [
        ("gold", "ack", 900, at(8, 15)),
        ("gold", "first_response", 1800, at(8, 30)),
        ("gold", "resolve", 14_400, at(12)),
    ]
    assert {each.state for each in found.clocks} == {"running"}
    assert found.unclocked == ""


def test_who_takes_it_meets_ack_and_who_solves_it_all_the_rest(night: World) -> None:
    night.move(seconds=10 * 3600)
    night.act(work.take, 1)
    taken = clock(night, "ack")
    night.act(work.comment, 1, text="a note among us")
    noted = clock(night, "first_response")
    night.move(seconds=3600)
    night.act(work.resolve, 1)

    assert (taken.state, taken.ended_at) == ("breached", datetime(2023, 11, 15, 8, 13, 20, tzinfo=UTC))
    assert noted.ended_at is None
    assert [(each.kind, each.state) for each in detail(night).clocks] == [
        ("ack", "breached"),
        ("first_response", "breached"),
        ("resolve", "met"),
    ]


def test_a_reply_is_an_answer_and_begins_another_round_of_update(world: World) -> None:
    world.fire(severity="warning")
    world.consume()
    world.act(work.comment, 1, text="a note among us")
    world.move(seconds=9.5 * 3600)
    world.act(work.comment, 1, text="we are looking at it", public=True)

    assert [(each.kind, each.round, each.state) for each in detail(world).clocks] == [
        ("ack", 1, "breached"),
        ("first_response", 1, "met"),
        ("resolve", 1, "running"),
        ("update", 1, "met"),
        ("update", 2, "running"),
    ]


def test_waiting_for_the_customer_pauses_what_the_contract_says(night: World) -> None:
    night.move(seconds=10 * 3600)  # 09:13:20 in Paris
    night.act(work.wait, 1, reason="customer")
    night.move(seconds=1800)
    paused = clock(night, "resolve")
    night.act(work.resume, 1)
    resumed = clock(night, "resolve")

    assert (paused.state, paused.reason, paused.due_at) == ("paused", "customer", None)
    assert [(each.reason, each.counted_s) for each in paused.segments] == [
        ("running", 4400),
        ("paused:customer", 0),
    ]
    assert (resumed.state, resumed.due_at) == ("running", at(12, 30))
    assert clock(night, "first_response").state == "breached"


def test_waiting_for_what_the_contract_does_not_name_pauses_nothing(night: World) -> None:
    night.act(work.wait, 1, reason="schedule")

    assert clock(night, "resolve").state == "running"


def test_what_becomes_worse_has_the_clocks_of_its_new_priority(world: World) -> None:
    world.fire(severity="warning")
    world.consume()
    world.move(seconds=60)
    world.fire(severity="critical")
    world.consume()

    assert [(each.kind, each.priority, each.state) for each in detail(world).clocks] == [
        *[(kind, 2, "superseded") for kind in ("ack", "first_response", "resolve", "update")],
        *[(kind, 1, "running") for kind in ("ack", "first_response", "resolve")],
    ]


def test_what_is_reopened_goes_on_with_what_had_elapsed(night: World) -> None:
    night.move(seconds=10 * 3600)
    night.act(work.resolve, 1)
    night.move(seconds=3600)
    night.act(work.reopen, 1)

    again = clock(night, "resolve")

    assert (again.state, again.elapsed_s, again.due_at) == ("running", 4400, at(13))
    assert [each.reason for each in again.segments] == ["running", "solved", "running"]


def test_a_ticket_that_a_person_opens_has_the_priority_that_they_say(world: World) -> None:
    open_by_hand(world, host_id=1, priority=2)

    assert {each.priority for each in detail(world).clocks} == {2}


# -- teams and suppliers


@pytest.fixture
def given(world: World) -> World:
    """On a Wednesday at 09:00 in Paris Alice opens a ticket; she is of the network team, Bob of systems."""

    def made(session: Session) -> None:
        for slug, login in (("network", "alice"), ("systems", "bob")):
            teams.add_team(session, slug, teams.Wish(), NOW)
            teams.join(session, slug, login, teams.MemberWish(), NOW)

    world.storage.write(made)
    world.move(seconds=9 * 3600 + 46 * 60 + 40)
    new = NewTicket(client="acme", title="it is slow", host_id=1, priority=2)
    world.storage.write(
        lambda session: opening.open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=world.now_ms, tables=NO_TABLES
        )
    )
    return world


def assign(world: World, **whom: str) -> None:
    world.act(work.assign, 1, wish=Assign(**whom), contracts=ACME)


def of_party(world: World, party: str) -> list[tuple[str, str, float]]:
    """The clocks of a team or a supplier: kind, state, seconds elapsed."""
    found = detail(world).clocks
    return [(each.kind, each.state, each.elapsed_s) for each in found if each.counterparty == party]


def test_a_teams_clocks_begin_when_the_ticket_is_given_to_it(given: World) -> None:
    given.move(seconds=3600)
    assign(given, team="network")
    given.move(seconds=1800)

    assert of_party(given, "network") == [("ack", "breached", 1800), ("resolve", "running", 1800)]
    assert clock_of(given, "resolve", "network").started_at == at(10)
    assert clock_of(given, "resolve", "acme").elapsed_s == 5400


def test_a_team_that_gets_it_from_another_has_all_of_its_time(given: World) -> None:
    assign(given, team="network")
    given.move(seconds=4 * 3600)
    assign(given, team="systems")
    given.move(seconds=3600)

    assert of_party(given, "network")[-1] == ("resolve", "superseded", 4 * 3600)
    assert of_party(given, "systems")[-1] == ("resolve", "running", 3600)


def test_a_team_that_gives_it_to_one_of_its_own_goes_on_with_the_same_clock(given: World) -> None:
    assign(given, team="network")
    given.move(seconds=600)
    assign(given, person="alice")
    given.move(seconds=300)
    given.act(work.take, 1)

    assert of_party(given, "network") == [("ack", "met", 900), ("resolve", "running", 900)]


def test_a_suppliers_clock_goes_on_while_all_others_wait_for_it(given: World) -> None:
    assign(given, team="network")
    assign(given, supplier="Télécom")
    given.act(work.wait, 1, reason="vendor")
    given.move(seconds=3600)
    away = of_party(given, "Télécom"), of_party(given, "network")[-1]
    assign(given, team="network")

    assert away == ([("resolve", "running", 3600)], ("resolve", "paused", 0))
    assert of_party(given, "Télécom") == [("resolve", "superseded", 3600)]
    assert of_party(given, "network")[-1][:2] == ("resolve", "paused")
    assert given.ticket().supplier == ""


def test_the_team_that_a_ticket_is_opened_for_has_its_clock_from_then_on(world: World) -> None:
    world.storage.write(lambda session: session.execute(update(HOSTS).values(kind="network")))
    world.fire(severity="critical")
    world.consume(tables=selecting(b"F,client:string,=> clocked:bool,=> item:string\nall,-,true,server"))

    found = detail(world).clocks

    assert [(each.agreement, each.kind, each.due_at) for each in found if each.type == "ola"] == [
        ("network", "resolve", at(10))
    ]


def test_a_clients_own_people_see_what_is_promised_to_them_alone(given: World) -> None:
    assign(given, team="network")
    outside = Scope(frozenset({1}))

    found = given.storage.read(lambda session: queue.ticket_detail(session, outside, 1, terms=terms(given)))

    assert {each.type for each in detail(given).clocks} == {"sla", "ola"}
    assert {each.type for each in found.clocks} == {"sla"}
    assert found.ticket.due_at == at(9, 30)


def test_a_deadline_of_a_team_may_be_the_first_that_is_due(given: World) -> None:
    before = detail(given).ticket.due_at
    given.act(work.take, 1)
    given.act(work.comment, 1, text="we look", public=True)
    assign(given, team="network")

    assert (before, detail(given).ticket.due_at) == (at(9, 30), at(9, 20))


def test_the_queue_from_outside_says_when_what_the_client_was_promised_is_due(given: World) -> None:
    given.act(work.take, 1)
    given.act(work.comment, 1, text="we look", public=True)
    assign(given, team="network")

    def first_due(scope: Scope) -> datetime | None:
        def ask(session: Session) -> datetime | None:
            return queue.ticket_page(session, scope, Filters(), terms=terms(given)).tickets[0].due_at

        return given.storage.read(ask)

    outside = Scope(frozenset({1}))
    full = given.storage.read(lambda session: queue.ticket_detail(session, outside, 1, terms=terms(given)))

    assert first_due(EVERYWHERE) == at(9, 20)
    assert first_due(outside) == full.ticket.due_at != at(9, 20)


# -- whose clocks


def test_a_contract_clocks_no_other_clients_tickets(night: World) -> None:
    night.fire(severity="critical", client_id=2)
    night.consume()
    held = terms(night, contracts={"acme": (contract_of("acme"),), "globex": (contract_of("globex"),)})

    def told(held: Terms) -> dict[str, str]:
        return {row.client: row.due_state for row in page(night, held).tickets}

    assert told(terms(night)) == {"acme": "running", "globex": ""}
    assert (detail(night, 2).clocks, detail(night, 2).unclocked) == ([], "")
    assert told(held) == {"acme": "running", "globex": "running"}
    both = night.storage.read(lambda session: promised(session, [1, 2], held))
    assert {number: each.contract.client for number, each in both.items() if each.contract} == {
        1: "acme",
        2: "globex",
    }


@pytest.fixture
def earlier(world: World) -> World:
    """What `night` is, of an earlier version, which has not written down as what it is clocked."""
    world.fire(severity="critical")
    world.consume(tables=NO_TABLES)
    return world


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tables": NO_TABLES}, "no table 'sla_selection' is in force"),
        ({"contracts": {"acme": ()}}, "acme had no contract on 2023-11-14"),
    ],
)
def test_where_a_client_with_a_contract_has_no_clocks_it_is_said_why(
    earlier: World, changes: dict[str, Any], why: str
) -> None:
    found = detail(earlier, **changes)

    assert (found.clocks, found.unclocked) == ([], why)


def test_an_item_that_no_line_has_is_named(world: World) -> None:
    open_by_hand(world)

    assert detail(world).unclocked == "contract 'ACME-1' has no item 'servicedesk' with an SLA on 2023-11-14"


def test_a_kind_of_ticket_that_the_table_does_not_clock_has_none(earlier: World) -> None:
    earlier.storage.write(
        lambda session: session.execute(update(TICKETS).values(kind=TicketKind.PROBLEM))  # as nobody can yet
    )

    assert detail(earlier).clocks == []
    assert detail(earlier).unclocked.startswith("not clocked, says sla_selection@")


URGENT_ONLY = b"""A,priority:integer(1..4),client:string,rule:string,=> clocked:bool,=> item:string
urgent,1,acme,FilesystemFull,true,server
less,>1,-,-,false,none
others,-,not(acme),-,false,none
other-rules,-,-,not(FilesystemFull),false,none
"""


@pytest.mark.parametrize("at_opening", [selecting(URGENT_ONLY), NO_TABLES])
def test_the_table_is_told_with_which_priority_and_by_which_rule_the_ticket_was_opened(
    world: World, at_opening: Tables
) -> None:
    for severity, mountpoint in (("critical", "/"), ("warning", "/srv")):
        world.fire(severity=severity, mountpoint=mountpoint)
    world.consume(tables=at_opening)
    tables = selecting(URGENT_ONLY)

    assert [bool(detail(world, number, tables=tables).clocks) for number in (1, 2)] == [True, False]


def test_a_clock_on_the_wall_that_was_set_back_hides_nothing(night: World) -> None:
    night.act(work.take, 1)

    assert next(each.state for each in detail(night, now_ms=NOW - DAY_S * 1000).clocks) == "met"


# -- what is due


def test_the_queue_says_what_is_due_first(night: World) -> None:
    def first() -> tuple[datetime | None, str]:
        (row,) = page(night, terms(night)).tickets
        return row.due_at, row.due_state

    new = first()
    night.move(seconds=9.1 * 3600)
    late = first()
    night.act(work.take, 1)
    taken = first()
    night.act(work.resolve, 1)
    solved = first()

    assert new == (at(8, 15), "running")
    assert late == (at(8, 15), "breached")
    assert taken == (at(8, 30), "running")
    assert solved == (None, "")


def test_where_all_clocks_wait_the_queue_says_so(world: World) -> None:
    world.fire(severity="info")  # of which only the time to solve it is promised
    world.consume()
    world.act(work.wait, 1, reason="customer")
    held = terms(world)
    agreement = held.contracts["acme"][0].agreements["gold"]
    assert [target.kind for target in agreement.targets[3]] == ["resolve"]

    (row,) = page(world, held).tickets

    assert (row.due_at, row.due_state) == (None, "paused")


def test_a_page_asks_once_for_all_its_tickets_and_then_for_those_that_have_changed(night: World) -> None:
    night.fire(severity="warning", mountpoint="/srv")
    night.consume()
    held = terms(night)

    reads = [times_read(night, held), times_read(night, held)]
    night.act(work.take, 1)
    reads.append(times_read(night, held))

    assert reads == [1, 0, 1]
    assert {row.id: row.due_at for row in page(night, held).tickets} == {1: at(8, 30), 2: at(8, 30)}


def test_nothing_is_asked_without_contracts_and_of_what_is_solved(night: World) -> None:
    night.act(work.resolve, 1)

    assert times_read(night, terms(night), state="solved") == 0
    assert times_read(night, terms(night, contracts=NO_CONTRACTS), state="all") == 0


def test_what_is_kept_does_not_grow_for_ever(night: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "MOST_KEPT", 1)
    held = terms(night, kept={8: (1, due.NOTHING), 9: (1, due.NOTHING)})

    page(night, held)

    assert list(held.kept) == [1]


def test_a_deadline_is_past_a_moment_after_it() -> None:
    assert [Due(5, goes=True).state(now_ms) for now_ms in (5, 6)] == ["running", "breached"]
