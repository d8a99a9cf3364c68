"""What clocks pass is told in the timeline, each threshold once, whatever happens meanwhile."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlmodel import Session
from tests.contracts import contract_text
from tests.databases import Mould
from tests.examples import share
from tests.lifecycle import TABLES
from tests.server.desk.world import NOW, World

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.clock import moment
from tocsin_server.decisions.folder import NO_TABLES, Tables, always
from tocsin_server.desk import told, work
from tocsin_server.desk.promised import Terms, promised
from tocsin_server.desk.queue import ticket_rows
from tocsin_server.desk.store import EVENTS, FAR_MS, TICKETS, TOLD
from tocsin_server.desk.told import Beat, due, tell
from tocsin_server.errors import Conflict, Unprocessable
from tocsin_server.sla.clock import ClockState
from tocsin_server.sla.contractfile import read_contract
from tocsin_server.sla.passed import LATE_MS, Key, look_at
from tocsin_server.sla.register import NO_CONTRACTS, Contracts
from tocsin_server.storage.engine import Storage

DUE_SOON, BREACHED = TicketEventKind.DUE_SOON, TicketEventKind.BREACHED
HOUR_S = 3600
OPENS_S = 8 * HOUR_S + 46 * 60 + 40
"""From NOW, Tuesday 23:13:20 in Paris, until the office opens."""


def in_force(old: str = "", new: str = "") -> Contracts:
    """Acme's contract, with some words of it replaced."""
    return {"acme": (read_contract("acme.yml", contract_text().replace(old, new), lambda name: ""),)}


ACME = in_force()


class Desk:
    """A desk whose clocks are told, beside the world."""

    def __init__(self, world: World, contracts: Contracts = ACME) -> None:
        self.world = world
        self.contracts = contracts
        self.tables = TABLES
        self.beat = Beat()

    @property
    def terms(self) -> Terms:
        return Terms(self.contracts, self.tables, self.world.now_ms, {})

    def look(self) -> list[tuple[int, TicketEventKind]]:
        """What the job tells now."""

        def act(session: Session) -> list[Any]:
            first = tell(session, due(session, self.world.now_ms), self.terms)
            return first + tell(session, self.beat.next(session, self.terms), self.terms)

        return [(happening.ticket_id, happening.kind) for happening in self.world.storage.write(act)]

    def texts(self, ticket_id: int = 1) -> list[str]:
        return [each.text for each in self.world.events(ticket_id) if each.kind in (DUE_SOON, BREACHED)]


@pytest.fixture
def desk(world: World) -> Desk:
    """A critical alert has fired at Acme's, at night; everything has been looked at."""
    world.fire()
    world.consume()
    desk = Desk(world)
    desk.look()
    return desk


def test_the_first_deadline_is_kept_for_the_queue_and_follows_what_happens(desk: Desk) -> None:
    def deadline() -> int:
        return desk.world.ticket().due_ms

    first = deadline()
    row = desk.world.storage.read(lambda session: ticket_rows(session, EVERYWHERE, [1], desk.terms)[1])
    desk.world.act(work.take, 1)
    unlooked = deadline()
    desk.look()
    taken = deadline()
    desk.contracts = NO_CONTRACTS
    desk.look()

    assert row.due_at == moment(first)
    assert unlooked == first < taken < FAR_MS
    assert deadline() == FAR_MS


def test_what_nobody_has_promised_is_not_due(world: World) -> None:
    world.fire(client_id=2)
    world.consume()
    Desk(world).look()

    assert world.ticket().due_ms == FAR_MS


def test_each_threshold_is_an_entry_of_the_timeline_when_it_is_passed_and_once(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 450)
    at_it = desk.look()
    desk.world.now_ms += 1
    first, again = desk.look(), desk.look()
    desk.world.move(seconds=450)

    assert (at_it, first, again) == ([], [(1, DUE_SOON)], [])
    assert desk.look() == [(1, BREACHED)]
    assert desk.texts() == [
        "ack of gold is at 50 %, due Wed 2023-11-15 08:15 CET",
        "first_response of gold is at 50 %, due Wed 2023-11-15 08:30 CET",
        "ack of gold is breached, it was due Wed 2023-11-15 08:15 CET",
    ]


def test_an_entry_is_tocsins_and_quotes_the_clock_and_the_row_that_says_who_hears_of_it(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 901)
    desk.look()

    breach = desk.world.events()[-1]
    assert (breach.kind, breach.actor_kind, breach.actor) == (BREACHED, ActorKind.SYSTEM, "tocsin")
    decided = breach.data.pop("decided")
    assert breach.data == {
        "clock": "ack",
        "agreement": "gold",
        "threshold": "100%",
        "used_percent": 100.0,
        "passed_ms": NOW + (OPENS_S + 900) * 1000,
        "to": "duty_manager",
        "by": "page",
    }
    assert [row.rpartition(" row ")[2] for row in decided] == ["breach-urgent"]


def test_each_entry_is_a_version_of_the_ticket_and_changes_nothing_else(desk: Desk) -> None:
    was = desk.world.ticket()
    desk.world.move(seconds=OPENS_S + 901)
    desk.look()

    now = desk.world.ticket()
    assert now.version == was.version + 2 == len(desk.world.events())
    assert (now.state, now.priority, now.owner_id, now.human) == (was.state, was.priority, None, False)


def test_what_is_passed_while_nobody_looks_is_told_as_it_stands_then(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 3600)

    desk.look()

    assert [text.partition(",")[0] for text in desk.texts()] == [
        "ack of gold is at 150 %",
        "first_response of gold is at 150 %",
    ]
    assert desk.look() == []


def test_the_table_is_told_whether_somebody_owns_it_by_then(world: World) -> None:
    world.fire(severity="info")
    world.fire(severity="info", mountpoint="/b")
    world.consume()
    world.act(work.take, 2)
    desk = Desk(world)
    world.move(seconds=12 * HOUR_S + 1)

    desk.look()

    assert [world.events(number)[-1].data["to"] for number in (1, 2)] == ["team", "nobody"]


def test_without_tables_nobody_is_named(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 451)
    desk.tables = Tables(
        {name: table for name, table in TABLES.items() if name != "escalation"}, is_open=always
    )
    desk.look()

    assert desk.world.events()[-1].data.keys().isdisjoint({"to", "by", "decided"})


def test_nothing_is_told_of_who_has_no_contract(world: World) -> None:
    world.fire(client_id=2)
    world.consume()
    desk = Desk(world)
    desk.look()
    world.move(seconds=100 * HOUR_S)

    assert desk.look() == []
    assert world.ticket().tells_ms is None


def test_what_is_solved_or_paused_passes_nothing_and_goes_on_with_what_is_left(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 60)
    desk.world.act(work.resolve, 1)
    desk.look()
    asleep = desk.world.ticket().tells_ms
    desk.world.move(seconds=24 * HOUR_S)
    desk.world.act(work.reopen, 1)
    desk.look()

    assert asleep is None
    assert desk.texts() == []
    assert desk.world.ticket().tells_ms == NOW + round((OPENS_S + 24 * HOUR_S + 2 * HOUR_S) * 1000)


def test_a_threshold_that_was_passed_just_before_the_solution_is_told_after_it(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 901)
    desk.world.act(work.resolve, 1)

    assert desk.look() == [(1, BREACHED)]
    assert desk.world.ticket().state is TicketState.SOLVED
    assert "ack of gold is breached, it was due Wed 2023-11-15 08:15 CET" in desk.texts()


def test_a_closed_ticket_takes_no_entry(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 901)
    desk.world.clear()
    desk.world.consume()
    desk.world.act(work.resolve, 1)
    desk.world.act(work.close, 1)

    assert desk.look() == []
    assert desk.world.ticket().tells_ms is None


def test_a_contract_that_comes_later_is_told_as_it_stands_and_not_from_the_beginning(world: World) -> None:
    world.fire()
    world.consume()
    desk = Desk(world, NO_CONTRACTS)
    desk.look()
    world.move(seconds=OPENS_S + 6 * HOUR_S + 1)
    before = desk.look()

    desk.contracts = in_force()
    desk.look()

    assert before == []
    assert [text.partition(",")[0] for text in desk.texts()] == [
        "ack of gold is at 150 %",
        "first_response of gold is at 150 %",
        "resolve of gold is at 150 %",
    ]


def test_a_contract_that_is_mended_tells_nothing_twice(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 901)
    desk.look()
    had = desk.texts()
    desk.contracts = in_force("resolve: 4h", "resolve: 5h")
    unchanged = desk.look()
    desk.contracts = in_force("1: {ack: 15m, first_response: 30m", "1: {ack: 15m, first_response: 16m")
    desk.world.move(seconds=120)

    assert (unchanged, desk.look()) == ([], [(1, BREACHED)])
    assert desk.texts()[len(had) :] == [
        "first_response of gold is breached, it was due Wed 2023-11-15 08:16 CET",
    ]


def test_tables_that_change_are_asked_about_all_open_tickets(world: World) -> None:
    world.fire()
    world.consume(tables=NO_TABLES)  # so its timeline does not say as what it is clocked
    desk = Desk(world)
    desk.tables = NO_TABLES
    desk.look()

    assert desk.world.ticket().tells_ms is None
    desk.tables = TABLES
    desk.look()
    assert desk.world.ticket().tells_ms is not None


def test_all_open_tickets_have_their_turn_some_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "LIMIT", 2)
    for place in range(5):
        world.fire(mountpoint=f"/{place}")
    world.consume()
    world.storage.write(lambda session: session.execute(TICKETS.update().values(tells_ms=None)))
    desk = Desk(world)

    looked = []
    for _ in range(4):
        desk.look()
        looked.append(sum(world.ticket(number).tells_ms is not None for number in range(1, 6)))

    assert looked == [2, 4, 5, 5]


def test_what_could_not_be_written_has_its_turn_again(desk: Desk) -> None:
    desk.world.storage.write(lambda session: session.execute(TICKETS.update().values(tells_ms=None)))
    desk.beat.again()

    desk.look()

    assert desk.world.ticket().tells_ms is not None


def test_a_clock_that_was_set_back_tells_nothing_twice_and_goes_on(desk: Desk) -> None:
    desk.world.move(seconds=OPENS_S + 451)
    desk.look()
    desk.world.act(work.comment, 1, text="looking")
    desk.world.move(seconds=-HOUR_S)
    back = desk.look()
    desk.world.move(seconds=HOUR_S + 450)

    assert back == []
    assert desk.look() == [(1, BREACHED)]


# -- what always holds


OVER = (TicketState.SOLVED, TicketState.CLOSED)
GONE = (ClockState.SUPERSEDED, ClockState.CANCELLED)


class Office(RuleBasedStateMachine):
    """Alerts, people, time, contracts and restarts, in any order, and now and then the job."""

    where: Any = None
    variants = (
        in_force(),
        in_force("[50%, 100%, 150%, 30m]", "[25%, 50%, 90%]"),
        in_force("resolve: 4h", "resolve: 2h"),
        in_force("resolve: 8h, update: 2h", "resolve: 90m, update: 1h"),
        NO_CONTRACTS,
    )

    def __init__(self) -> None:
        super().__init__()
        self.copy = self.where()
        self.address = self.copy.__enter__()
        self.world = World(Storage(self.address))
        self.desk = Desk(self.world, self.variants[0])
        self.written: dict[tuple[int, Key], int] = {}

    def teardown(self) -> None:
        self.world.storage.close()
        self.copy.__exit__(None, None, None)

    @rule(severity=st.sampled_from(["critical", "warning"]), place=st.sampled_from("ab"))
    def fire(self, severity: str, place: str) -> None:
        self.world.fire(severity=severity, mountpoint=place)
        self.world.consume()

    @rule(place=st.sampled_from("ab"))
    def clear(self, place: str) -> None:
        self.world.clear(severity="critical", mountpoint=place)
        self.world.consume()
        self.world.move(seconds=20)
        self.world.settle()

    @rule(
        act=st.sampled_from([work.take, work.release, work.resolve, work.reopen, work.resume, work.close]),
        ticket=st.integers(1, 2),
    )
    def do(self, act: Any, ticket: int) -> None:
        self._act(act, ticket)

    @rule(ticket=st.integers(1, 2))
    def reply(self, ticket: int) -> None:
        self._act(work.comment, ticket, text="well", public=True)

    @rule(ticket=st.integers(1, 2), reason=st.sampled_from(["customer", "vendor"]))
    def wait(self, ticket: int, reason: str) -> None:
        self._act(work.wait, ticket, reason=reason)

    def _act(self, act: Any, ticket: int, **more: Any) -> None:
        if ticket in self.world.ticket_ids():
            with suppress(Conflict, Unprocessable):  # unlawful now
                self.world.act(act, ticket, **more)

    @rule(minutes=st.one_of(st.integers(1, 30), st.integers(30, 2880)))
    def pass_time(self, minutes: int) -> None:
        self.world.move(seconds=60 * minutes)

    @rule(variant=st.sampled_from(range(len(variants))))
    def mend_contract(self, variant: int) -> None:
        self.desk.contracts = self.variants[variant]

    @rule()
    def restart(self) -> None:
        self.world.storage.close()
        self.world.storage = Storage(self.address)
        self.desk.beat = Beat()

    @rule()
    def look(self) -> None:
        ids, now_ms, before = self.world.ticket_ids(), self.world.now_ms, self._told_rows()
        found = self.world.storage.read(lambda session: promised(session, ids, self.desk.terms))
        had = len(self._entries())
        self.desk.look()
        after, expected = self._told_rows(), list[tuple[int, str, str]]()
        for ticket_id, each in found.items():
            state = self.world.ticket(ticket_id).state
            for clock in each.clocks:
                past = [(ticket_id, key) for key, _ in look_at([clock], (), now_ms).passed]
                assert state in OVER or set(past) <= after.keys()
                is_heard = clock.ended_ms is None or now_ms - clock.ended_ms <= LATE_MS
                is_heard &= clock.state not in GONE and state is not TicketState.CLOSED
                if past and past[-1] in after.keys() - before.keys() and is_heard:
                    expected.append((ticket_id, past[-1][1].kind, past[-1][1].threshold))
        assert sorted(self._entries()[had:]) == sorted(expected)
        self.written |= after

    def _told_rows(self) -> dict[tuple[int, Key], int]:
        asked = select(TOLD.c.ticket_id, TOLD.c.told_ms, *(TOLD.c[name] for name in Key._fields))
        rows = self.world.storage.read(lambda session: session.execute(asked).all())
        return {(of, Key(*key)): told_ms for of, told_ms, *key in rows}

    def _entries(self) -> list[tuple[int, str, str]]:
        asked = select(EVENTS).where(EVENTS.c.kind.in_([DUE_SOON, BREACHED])).order_by(EVENTS.c.id)
        rows = self.world.storage.read(lambda session: session.execute(asked).mappings().all())
        return [(row["ticket_id"], row["data"]["clock"], row["data"]["threshold"]) for row in rows]

    @invariant()
    def what_was_written_down_stays_so(self) -> None:
        assert self.written.items() <= self._told_rows().items()

    @invariant()
    def a_version_is_an_entry(self) -> None:
        for number in self.world.ticket_ids():
            assert self.world.ticket(number).version == len(self.world.events(number))


def test_each_threshold_is_told_once_whatever_happens(quiet: Mould, tmp_path: Path) -> None:
    class Here(Office):
        where = staticmethod(lambda: quiet.copied(tmp_path))

    run_state_machine_as_test(Here, settings=settings(max_examples=share(15), stateful_step_count=25))
