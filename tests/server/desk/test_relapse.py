"""A ticket that was resolved while its alert goes on rings again, once, and no bell is missed."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, text
from sqlmodel import Session, col, select
from tests.examples import share
from tests.server.desk.world import ALICE, BOB, NOW, REOPEN_MS, World

from tocsin_protocol.vocabulary import ActorKind, AlertState, TicketEventKind, TicketState
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.desk import relapse, work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.relapse import reopen_still_firing
from tocsin_server.desk.store import Ticket, TicketAlert, TicketEventRow, TicketText
from tocsin_server.errors import Conflict

AFTER_MS = 600_000
REOPENED = TicketEventKind.REOPENED


def reopen(world: World, **more: int) -> list[Happening]:
    return world.storage.write(
        lambda session: reopen_still_firing(session, world.now_ms, **{"after_ms": AFTER_MS, **more})
    )


def resolved(world: World, **kinds: object) -> None:
    """A ticket that Alice has resolved while its alert fires."""
    world.fire(**kinds)
    world.consume()
    world.move(seconds=5)
    world.act(work.resolve, world.ticket_ids()[-1], text="mended")


def wait(world: World) -> None:
    world.move(seconds=AFTER_MS / 1000)


def make_busy(world: World) -> None:
    """One such ticket."""
    resolved(world)


@pytest.fixture
def ripe(busy: World) -> World:
    """Its time has come."""
    busy.move(seconds=5)
    wait(busy)
    return busy


def test_it_is_reopened_by_tocsin_for_the_one_who_resolved_it(ripe: World) -> None:
    assert reopen(ripe) == [Happening(1, REOPENED)]

    ticket = ripe.ticket()
    assert (ticket.state, ticket.owner_id, ticket.solved_ms) == (TicketState.IN_PROGRESS, ALICE.id, None)
    assert ticket.human
    event = ripe.events()[-1]
    assert (event.actor_kind, event.actor, event.at_ms) == (ActorKind.SYSTEM, "tocsin", ripe.now_ms)
    assert event.text == "still firing 10 min after it was resolved"


def test_the_event_holds_the_evidence(ripe: World) -> None:
    reopen(ripe)

    assert ripe.events()[-1].data == {
        "alertname": "FilesystemFull",
        "value": 0.02,
        "value_at": "2023-11-14T22:13:20.000Z",
        "expression": "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.03",
        "labels": {
            "alertname": "FilesystemFull",
            "instance": "atlas",
            "mountpoint": "/",
            "severity": "critical",
        },
        "since": "2023-11-14T22:13:20.000Z",
    }


def test_it_rings_once_and_again_only_after_it_is_resolved_again(ripe: World) -> None:
    reopen(ripe)
    wait(ripe)
    assert reopen(ripe) == []

    ripe.act(work.resolve, 1)
    assert reopen(ripe) == []
    wait(ripe)

    assert reopen(ripe) == [Happening(1, REOPENED)]


def test_a_resolution_has_its_time_to_show(world: World) -> None:
    resolved(world)
    world.move(seconds=AFTER_MS / 1000 - 0.001)

    assert reopen(world) == []


def test_an_alert_that_has_cleared_leaves_the_ticket_solved(ripe: World) -> None:
    ripe.clear()
    ripe.consume()

    assert reopen(ripe) == []


def test_what_is_unknown_is_left_to_the_person_until_data_shows_it_again(ripe: World) -> None:
    ripe.alert(AlertState.UNKNOWN)
    ripe.consume()
    assert reopen(ripe) == []

    ripe.fire()
    ripe.consume()

    assert ripe.ticket(1).state is not TicketState.SOLVED


@pytest.mark.parametrize("state", [AlertState.PENDING, AlertState.INACTIVE])
def test_a_pending_alert_has_not_rung_yet(ripe: World, state: AlertState) -> None:
    ripe.clear()
    ripe.alert(state)
    ripe.consume()

    assert reopen(ripe) == []


def test_an_alert_that_fires_anew_is_left_to_intake_which_may_ask_for_a_new_ticket(ripe: World) -> None:
    ripe.clear()
    ripe.consume()
    ripe.move(seconds=REOPEN_MS / 1000)
    ripe.fire()  # its transition waits

    assert reopen(ripe) == []
    ripe.consume()

    assert (ripe.ticket(1).state, ripe.ticket(2).reopens) == (TicketState.SOLVED, 1)
    wait(ripe)
    assert reopen(ripe) == []


def test_the_end_of_an_alert_that_waits_to_be_consumed_is_believed(ripe: World) -> None:
    ripe.clear()

    assert reopen(ripe) == []


def test_of_many_tickets_of_the_same_trouble_the_one_that_was_solved_last_is_reopened(ripe: World) -> None:
    ripe.clear()
    ripe.move(seconds=REOPEN_MS / 1000)
    resolved(ripe)
    ripe.move(seconds=5)
    ripe.act(work.reopen, 1)
    ripe.act(work.resolve, 1, person=BOB)
    wait(ripe)

    assert reopen(ripe) == [Happening(1, REOPENED)]
    wait(ripe)
    assert reopen(ripe) == []


def test_an_older_ticket_of_the_same_trouble_that_was_reopened_is_enough(ripe: World) -> None:
    ripe.clear()
    ripe.move(seconds=REOPEN_MS / 1000)
    resolved(ripe)
    ripe.act(work.reopen, 1)
    wait(ripe)

    assert reopen(ripe) == []


def test_an_older_ticket_that_was_just_resolved_again_has_its_time_to_show(ripe: World) -> None:
    ripe.clear()
    ripe.move(seconds=REOPEN_MS / 1000)
    resolved(ripe)
    ripe.act(work.reopen, 1)
    wait(ripe)
    ripe.act(work.resolve, 1)

    assert reopen(ripe) == []


def test_a_reopened_ticket_is_about_whatever_goes_on_of_the_trouble(ripe: World) -> None:
    ripe.clear()
    ripe.move(seconds=REOPEN_MS / 1000)
    resolved(ripe, severity="warning")
    ripe.move(seconds=5)
    ripe.act(work.reopen, 1)
    ripe.act(work.resolve, 1)
    wait(ripe)
    assert attached(ripe, 1) == [1]

    reopen(ripe)

    assert attached(ripe, 1) == [1, 2]


def attached(world: World, ticket_id: int) -> list[int]:
    return world.storage.read(
        lambda session: sorted(
            session.exec(select(TicketAlert.alert_id).where(TicketAlert.ticket_id == ticket_id))
        )
    )


def test_two_severities_of_one_trouble_ring_once_with_the_worst(world: World) -> None:
    world.fire(severity="info")
    world.fire(severity="critical", value=0.01)
    world.fire(severity="warning")
    resolved(world, severity="page")
    world.alert(AlertState.UNKNOWN, severity="critical")
    world.consume()
    wait(world)

    assert reopen(world) == [Happening(1, REOPENED)]
    assert world.events()[-1].data["labels"]["severity"] == "warning"


def test_a_ticket_of_another_client_is_left_alone(ripe: World) -> None:
    resolved(ripe, client_id=2)

    assert reopen(ripe) == [Happening(1, REOPENED)]
    assert ripe.ticket(2).state is TicketState.SOLVED


def test_a_ticket_that_was_closed_stays_closed(ripe: World) -> None:
    ripe.storage.write(lambda session: session.execute(text("UPDATE ticket SET state = 'closed'")) and None)

    assert reopen(ripe) == []


def test_after_it_has_recovered_the_person_who_spoke_is_asked(ripe: World) -> None:
    reopen(ripe)
    ripe.clear()
    ripe.consume()
    ripe.move(seconds=60)

    assert ripe.settle() == [Happening(1, TicketEventKind.RECOVERED)]


def test_a_call_looks_at_no_more_alerts_than_its_limit(world: World) -> None:
    for number in range(5):
        resolved(world, mountpoint=f"/{number}")
    wait(world)

    assert len(reopen(world, limit=3)) == 3
    assert len(reopen(world, limit=3)) == 2
    assert reopen(world, limit=3) == []


def test_an_infinite_value_is_told_in_words_that_json_can_carry(world: World) -> None:
    resolved(world, value=float("-inf"))
    wait(world)
    reopen(world)

    assert world.events()[-1].data["value"] == "-inf"


def test_a_ticket_that_has_changed_meanwhile_is_not_overwritten(
    ripe: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = relapse.read_records

    def somebody_is_faster(session, where):
        records = read(session, where)
        session.execute(text("UPDATE ticket SET version = version + 1"))
        return records

    monkeypatch.setattr(relapse, "read_records", somebody_is_faster)

    with pytest.raises(Conflict, match="changed meanwhile"):
        reopen(ripe)
    assert (ripe.ticket().state, ripe.ticket().version) == (TicketState.SOLVED, 2)


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
def test_it_starts_from_the_alarming_alerts_and_walks_indexes_only(ripe: World) -> None:
    statements: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        statements.append((statement, parameters))

    def ask(session: Session) -> list[str]:
        event.listen(session.get_bind(), "before_cursor_execute", note)
        assert reopen_still_firing(session, NOW, after_ms=AFTER_MS) == []
        event.remove(session.get_bind(), "before_cursor_execute", note)
        asked, given_to_it = statements[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", given_to_it)
        return [row.detail for row in plan]

    plan = ripe.storage.read(ask)

    assert len([one for one in statements if one[0].startswith("SELECT")]) == 1
    assert plan[0] == "SEARCH alert USING INDEX ix_alert_state (state=?)"
    assert "SEARCH ticket_alert USING COVERING INDEX ticket_alert_newest (alert_id=?)" in plan
    assert "SEARCH ticket USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert "SEARCH other USING INDEX ix_ticket_key (key=?)" in plan
    # A scan is of a partial index only: of the transitions that wait, and of no other.
    assert [step for step in plan if "SCAN" in step] == ["SCAN transition USING INDEX transition_waiting"]
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_many_are_reopened_in_a_bounded_number_of_statements(world: World) -> None:
    for number in range(20):
        resolved(world, mountpoint=f"/{number}")
    wait(world)
    statements: list[str] = []
    event.listen(world.storage._writer, "before_cursor_execute", lambda *told: statements.append(told[2]))

    assert len(reopen(world)) == 20

    assert len([one for one in statements if not one.startswith(("SAVEPOINT", "RELEASE"))]) <= 10


mountpoints = st.sampled_from(["/", "/var"])
severities = st.sampled_from(["critical", "warning"])
states = st.sampled_from([AlertState.FIRING, AlertState.UNKNOWN, AlertState.RESOLVED, AlertState.PENDING])
steps = st.one_of(
    st.tuples(st.just("alert"), states, mountpoints, severities),
    st.tuples(st.just("resolve"), st.integers(0, 3)),
    st.tuples(st.just("reopen"), st.integers(0, 3)),
    st.tuples(st.just("move"), st.sampled_from([1, 300, 600, 3700])),
    st.tuples(st.sampled_from(["consume", "settle", "relapse"])),
)


def test_whatever_has_happened_nothing_that_fires_is_left_without_an_open_ticket(world: World) -> None:
    @settings(max_examples=share(40))
    @given(st.lists(steps, max_size=25))
    def check(story) -> None:
        world.storage.write(forget)
        world.now_ms = NOW
        for step in story:
            do(world, *step)
        world.consume()
        wait(world)

        reopen(world)

        assert unheard(world) == []
        assert reopen(world) == []
        assert all(world.ticket(one).version == len(world.events(one)) for one in world.ticket_ids())

    check()


def do(world: World, what: str, *given_to_it) -> None:
    """One step of a story; an act that is refused is none."""
    tickets = world.ticket_ids()
    match what, given_to_it:
        case "alert", (state, mountpoint, severity):
            world.alert(state, mountpoint=mountpoint, severity=severity)
        case (("resolve" | "reopen"), (number,)) if number < len(tickets):
            with contextlib.suppress(Conflict):
                world.act(getattr(work, what), tickets[number])
        case "move", (seconds,):
            world.move(seconds=seconds)
        case "consume", _:
            world.consume()
        case "settle", _:
            world.settle()
        case "relapse", _:
            before = [one for one in tickets if world.ticket(one).state is TicketState.SOLVED]
            assert {happening.ticket_id for happening in reopen(world)} <= set(before)


def unheard(world: World) -> list[int]:
    """Firing alerts that are on no open ticket."""

    def ask(session: Session) -> list[int]:
        heard = (
            select(TicketAlert.alert_id)
            .join(Ticket, col(Ticket.id) == TicketAlert.ticket_id)
            .where(col(Ticket.state).not_in([TicketState.SOLVED, TicketState.CLOSED]))
        )
        asked = select(AlertRow.id).where(
            AlertRow.state == AlertState.FIRING,
            col(AlertRow.id).not_in(heard),
            col(AlertRow.fired_ms).is_not(None),
        )
        return [one for one in session.exec(asked) if one is not None]

    return world.storage.read(ask)


def forget(session: Session) -> None:
    for table in (TicketEventRow, TicketAlert, TicketText, Ticket, Transition, AlertRow):
        session.execute(delete(table))
