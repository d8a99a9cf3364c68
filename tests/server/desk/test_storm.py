"""Where alerts would open more tickets than people can work, the others join one ticket of their client."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, or_, select, update
from sqlmodel import Session, col
from tests.lifecycle import TABLES
from tests.server.desk.world import NOW, REOPEN_MS, World, change_alert

from tocsin_protocol.vocabulary import (
    OPEN_TICKET_STATES,
    ActorKind,
    AlertState,
    HostKind,
    TicketEventKind,
    TicketState,
)
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.decisions.folder import NO_TABLES, Tables, always
from tocsin_server.decisions.tablefile import read_table
from tocsin_server.desk import alarms, gathering, relations, work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail
from tocsin_server.desk.relapse import reopen_still_firing
from tocsin_server.desk.relations import Other
from tocsin_server.desk.ruling import Crowd, stormy
from tocsin_server.desk.ruling import World as Known
from tocsin_server.desk.store import TICKET_ALERTS, TICKETS
from tocsin_server.desk.storm import WINDOW_MS, Lately, Opening
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.estate.store import Host
from tocsin_server.storage.engine import Storage

OPENED, ATTACHED, FIRED = TicketEventKind.OPENED, TicketEventKind.ATTACHED, TicketEventKind.ALERT_FIRED
CLEARED, REOPENED = TicketEventKind.ALERT_RESOLVED, TicketEventKind.REOPENED
FEW = read_table(
    "storm.csv",
    b"F,severity:enum(critical|warning|info|none),storm:enum(none|open|host),opened:integer,"
    b"=> ticket:enum(own|storm)\n"
    b"calm,-,-,< 2,own\n"
    b"critical,critical,not(host),< 4,own\n"
    b"fallback,-,-,-,storm\n",
)
SOON = Tables({**TABLES, "storm": FEW}, is_open=always)
"""Two tickets in ten minutes, four that are critical; after that the storm."""


def make_busy(world: World) -> None:
    """Acme and Globex have ten hosts more, of the same names."""

    def hosts(session: Session) -> None:
        for client_id in (1, 2):
            for number in range(10):
                session.add(
                    Host(
                        id=client_id * 100 + number,
                        client_id=client_id,
                        site_id=client_id,
                        name=f"host-{number}",
                        kind=HostKind.SERVER,
                        job="node",
                        enrolled_ms=NOW,
                    )
                )

    world.storage.write(hosts)


@pytest.fixture
def world(busy: World) -> World:
    return busy


def fire(world: World, *numbers: int, client_id: int = 1, **more: Any) -> list[int]:
    """An alert of each of these hosts fires."""
    return [world.alert(AlertState.FIRING, **of_host(number, client_id, more)) for number in numbers]


def clear(world: World, *numbers: int, client_id: int = 1, **more: Any) -> list[int]:
    return [world.alert(AlertState.RESOLVED, **of_host(number, client_id, more)) for number in numbers]


def of_host(number: int, client_id: int, more: dict[str, Any]) -> dict[str, Any]:
    named = {"severity": "warning", "annotations": {}, **more}
    return {"client_id": client_id, "host_id": client_id * 100 + number, "instance": f"host-{number}", **named}


def on(world: World, ticket_id: int) -> set[int]:
    asked = select(TICKET_ALERTS.c.alert_id).where(TICKET_ALERTS.c.ticket_id == ticket_id)
    return world.storage.read(lambda session: set(session.execute(asked).scalars()))


def relapse(world: World) -> list[Any]:
    return world.storage.write(lambda session: reopen_still_firing(session, world.now_ms, after_ms=60_000))


def texts(world: World, ticket_id: int) -> list[str]:
    return [each.text for each in world.events(ticket_id)]


@pytest.fixture
def stormy_world(world: World) -> World:
    """Acme has tickets 1 and 2, and the storm 3 with the alerts of hosts 2 to 5."""
    fire(world, 0, 1, 2, 3, 4, 5)
    world.consume(tables=SOON)
    return world


def test_the_overflow_of_one_batch_is_one_ticket_that_says_what_it_is(world: World) -> None:
    alerts = fire(world, 0, 1, 2, 3, 4, 5)

    world.consume(tables=SOON)

    storm = world.ticket(3)
    assert world.ticket_ids() == [1, 2, 3]
    assert on(world, 3) == set(alerts[2:])
    assert storm.title == "Storm: 4 alerts of 4 hosts: FilesystemFull"
    assert (storm.client_id, storm.host_id, storm.site_id, storm.priority) == (1, None, None, 2)
    assert (storm.state, storm.version, storm.team) == (TicketState.NEW, 1, "servicedesk")


def test_the_entry_counts_and_quotes_the_row(stormy_world: World) -> None:
    (opened,) = stormy_world.events(3)

    assert (opened.kind, opened.actor_kind, opened.actor) == (OPENED, ActorKind.SYSTEM, "tocsin")
    assert opened.text == "4 alerts of 4 hosts, more than tickets are opened for"
    assert (opened.data["alerts"], opened.data["hosts"]) == (4, 4)
    assert opened.data["rules"] == {"FilesystemFull": "4"}
    assert opened.data["decided"][-1] == f"{FEW.table.label} row fallback"
    assert opened.data["service"]["item"] == "servicedesk"
    assert opened.transition_id is None


def test_consoles_hear_of_it_once_a_batch(world: World) -> None:
    fire(world, 0, 1, 2, 3, 4, 5)
    first = world.consume(tables=SOON)
    clear(world, 2, 3)
    fire(world, 6)

    assert first == [Happening(1, OPENED, 0.5), Happening(2, OPENED, 0.5), Happening(3, OPENED, 0.5)]
    assert world.consume(tables=SOON) == [Happening(3, ATTACHED)]


def test_what_comes_later_is_one_entry_a_batch_and_the_title_grows(stormy_world: World) -> None:
    fire(stormy_world, 6, 7, name="LoadHigh")
    clear(stormy_world, 2)
    stormy_world.consume(tables=SOON)

    assert stormy_world.timeline(3) == [OPENED, ATTACHED]
    assert texts(stormy_world, 3)[-1] == "2 alerts of 2 hosts more; 1 cleared"
    assert stormy_world.ticket(3).title == "Storm: 6 alerts of 6 hosts: FilesystemFull, LoadHigh"
    assert stormy_world.ticket(3).version == 2


def test_what_is_in_a_storm_is_heard_there_whatever_the_table_says_by_then(stormy_world: World) -> None:
    clear(stormy_world, 2)
    stormy_world.consume(tables=NO_TABLES)
    fire(stormy_world, 2)
    stormy_world.consume(tables=NO_TABLES)

    assert stormy_world.ticket_ids() == [1, 2, 3]
    assert stormy_world.timeline(3) == [OPENED, CLEARED, FIRED]
    assert texts(stormy_world, 3)[1:] == ["1 cleared", "1 fired again"]


def test_another_severity_of_a_trouble_in_the_storm_joins_it_and_raises_the_priority(
    stormy_world: World,
) -> None:
    (alert,) = fire(stormy_world, 2, severity="critical")
    stormy_world.consume(tables=SOON)

    assert alert in on(stormy_world, 3)
    assert (stormy_world.ticket(3).priority, stormy_world.ticket(3).severity) == (1, "critical")
    assert stormy_world.events(3)[-1].data["service"]["item"] == "servicedesk"
    assert stormy_world.events(3)[-1].data["priority"] == 1


def test_what_is_critical_and_of_another_host_has_its_own_ticket_for_longer(stormy_world: World) -> None:
    fire(stormy_world, 3, name="RaidDegraded", severity="critical")  # its host is in the storm
    fire(stormy_world, 6, 7, 8, severity="critical")
    stormy_world.consume(tables=SOON)

    assert stormy_world.ticket_ids() == [1, 2, 3, 4, 5]
    assert len(on(stormy_world, 3)) == 6


def test_each_client_has_a_storm_of_its_own(world: World) -> None:
    acme, globex = fire(world, 0, 1, 2, 3), fire(world, 0, 1, 2, 3, client_id=2)
    world.consume(tables=SOON)

    storms = {
        world.ticket(number).client_id: number for number in world.ticket_ids() if len(on(world, number)) > 1
    }
    assert {client: on(world, number) for client, number in storms.items()} == {
        1: set(acme[2:]),
        2: set(globex[2:]),
    }


def test_all_clients_together_are_counted_too(world: World) -> None:
    table = read_table(
        "storm.csv", b"F,opened_in_all:integer,=> ticket:enum(own|storm)\na,< 2,own\nfallback,-,storm\n"
    )
    fire(world, 0, 1)
    fire(world, 0, client_id=2)

    world.consume(tables=Tables({**TABLES, "storm": table}, is_open=always))

    assert [world.ticket(number).title[:5] for number in world.ticket_ids()] == ["Files", "Files", "Storm"]


def test_its_clocks_count_from_the_first_of_its_alerts(world: World) -> None:
    fire(world, 0, 1)
    world.move(seconds=60)
    fire(world, 2)
    world.move(seconds=60)
    fire(world, 3)
    world.consume(tables=SOON)

    assert world.ticket(3).opened_ms == NOW + 60_000
    assert world.events(3)[0].at_ms == NOW + 60_000


def test_it_has_recovered_once_none_of_its_alerts_goes_on(stormy_world: World) -> None:
    clear(stormy_world, 2, 3, 4)
    stormy_world.consume(tables=SOON)
    assert stormy_world.ticket(3).recovered_ms is None

    clear(stormy_world, 5)
    stormy_world.consume(tables=SOON)
    stormy_world.move(seconds=60)
    stormy_world.settle()

    assert stormy_world.ticket(3).state is TicketState.SOLVED
    assert stormy_world.ticket(1).state is TicketState.NEW


def test_once_it_is_solved_and_calm_the_next_alert_has_its_own_ticket(stormy_world: World) -> None:
    clear(stormy_world, 2, 3, 4, 5)
    stormy_world.consume(tables=SOON)
    stormy_world.act(work.resolve, 3)
    stormy_world.move(seconds=WINDOW_MS / 1000)

    fire(stormy_world, 2)
    stormy_world.consume(tables=SOON)

    assert stormy_world.ticket_ids() == [1, 2, 3, 4]
    assert stormy_world.ticket(3).state is TicketState.SOLVED
    assert stormy_world.ticket(4).title == "FilesystemFull on host-2"


def test_a_storm_that_goes_on_is_reopened_within_the_window_and_another_one_after_it(
    stormy_world: World,
) -> None:
    stormy_world.act(work.resolve, 3)
    fire(stormy_world, 6)
    stormy_world.consume(tables=SOON)
    assert (stormy_world.ticket(3).state, stormy_world.timeline(3)[-1]) == (TicketState.IN_PROGRESS, REOPENED)

    stormy_world.act(work.resolve, 3)
    stormy_world.move(seconds=REOPEN_MS / 1000 + 1)
    fire(stormy_world, 7, 8, 9)
    stormy_world.consume(tables=SOON)

    assert stormy_world.ticket(3).state is TicketState.SOLVED
    assert stormy_world.ticket(6).title == "Storm: 1 alert of 1 host: FilesystemFull"


def test_what_went_on_all_the_time_is_on_the_ticket_that_its_trouble_has_now(stormy_world: World) -> None:
    """The storm was resolved while they fired; another severity of one of them rings once it is calm."""
    warning = next(iter(fire(stormy_world, 2)))
    stormy_world.consume(tables=SOON)
    stormy_world.act(work.resolve, 3)
    stormy_world.move(seconds=WINDOW_MS / 1000)
    fire(stormy_world, 2, severity="critical")
    stormy_world.consume(tables=SOON)
    assert warning in on(stormy_world, 4)

    relapse(stormy_world)

    assert stormy_world.ticket(3).state is TicketState.IN_PROGRESS
    assert warning not in on(stormy_world, 3)


def test_a_ticket_of_its_own_is_not_reopened_while_the_storm_has_its_trouble(world: World) -> None:
    fire(world, 0)
    world.consume(tables=SOON)
    clear(world, 0)
    world.consume(tables=SOON)
    world.act(work.resolve, 1)
    world.move(seconds=REOPEN_MS / 1000 + 1)
    fire(world, 5, 6, 7, 0)
    world.consume(tables=SOON)
    assert len(on(world, 4)) == 2

    with pytest.raises(Conflict, match="ticket 4 is open for the same trouble"):
        world.act(work.reopen, 1)
    assert relapse(world) == []


def test_an_alert_is_shown_on_the_storm_though_a_ticket_of_its_own_is_newer(stormy_world: World) -> None:
    world = stormy_world
    world.move(seconds=WINDOW_MS / 1000)
    (alert,) = fire(world, 9)
    world.consume(tables=SOON)
    clear(world, 9)
    world.consume(tables=SOON)
    world.act(work.resolve, 4)
    world.move(seconds=REOPEN_MS / 1000 + 1)
    fire(world, 6, 7, 9)
    world.consume(tables=SOON)

    assert alert in on(world, 3)
    assert world.storage.read(lambda session: alarms.alert_view(session, EVERYWHERE, alert)).ticket_id == 3
    assert relapse(world) == []


def test_who_loses_the_race_for_a_storm_attaches_at_the_next_call(
    stormy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alert,) = fire(stormy_world, 6)
    with monkeypatch.context() as blind:
        blind.setattr(gathering, "records_of", lambda _session, _keys: ({}, {}))
        assert stormy_world.consume(tables=SOON) == []

    assert stormy_world.consume(tables=SOON) == [Happening(3, ATTACHED)]
    assert (stormy_world.ticket_ids(), alert in on(stormy_world, 3)) == ([1, 2, 3], True)


def test_what_nobody_is_to_be_woken_for_joins_no_storm(world: World) -> None:
    alerts = fire(world, 0, 1, 2)

    def withhold(session: Session) -> None:
        silenced = [{"kind": "silence", "name": "1", "words": "silence 1"}]
        session.execute(
            update(Transition).where(col(Transition.alert_id) == alerts[2]).values(withheld=silenced)
        )

    world.storage.write(withhold)
    world.consume(tables=SOON)

    assert world.ticket_ids() == [1, 2]


def test_acknowledging_it_acknowledges_all_of_it(stormy_world: World) -> None:
    stormy_world.act(work.acknowledge, 3)

    asked = select(AlertRow.id).where(col(AlertRow.acknowledged_ms).is_not(None))
    assert stormy_world.storage.read(lambda session: set(session.execute(asked).scalars())) == on(
        stormy_world, 3
    )


def test_a_storm_that_is_merged_goes_on_where_it_went(stormy_world: World) -> None:
    stormy_world.act(relations.merge, 3, into=Other(1))
    fire(stormy_world, 6)
    clear(stormy_world, 2)
    stormy_world.consume(tables=SOON)

    assert len(on(stormy_world, 1)) == 6
    assert stormy_world.ticket(1).title == "FilesystemFull on host-0"
    assert stormy_world.timeline(1)[-1] is ATTACHED
    stormy_world.act(relations.unmerge, 3)
    clear(stormy_world, 3)
    stormy_world.consume(tables=SOON)
    assert (len(on(stormy_world, 3)), stormy_world.timeline(3)[-1]) == (5, CLEARED)


def test_without_the_table_each_alert_opens_its_ticket(world: World) -> None:
    fire(world, *range(10))

    world.consume(tables=Tables({name: TABLES[name] for name in TABLES if name != "storm"}, is_open=always))

    assert len(world.ticket_ids()) == 10


def test_however_many_alerts_come_at_once_the_shipped_table_opens_few_tickets(world: World) -> None:
    def write(session: Session) -> None:
        for number in range(50):
            change_alert(session, AlertState.FIRING, NOW, mountpoint=f"/{number}", severity="warning")

    world.storage.write(write)
    world.consume()

    assert len(world.ticket_ids()) == 31
    assert len(on(world, 31)) == 20


def test_a_day_as_any_other_has_no_storm() -> None:
    crowd = Crowd(opened=20, opened_of_rule=15, opened_in_all=200, storm="none")

    assert stormy(TABLES, Known("acme", severity="info", rule="LoadHigh"), NOW, crowd) == ""


def test_a_table_that_does_not_know_what_it_is_asked_stops_no_bell(world: World) -> None:
    fire(world, 0, 1, 2)

    world.consume(tables=Tables({**TABLES, "storm": TABLES["escalation"]}, is_open=always))

    assert len(world.ticket_ids()) == 3


def test_a_storm_costs_a_bounded_number_of_statements(stormy_world: World) -> None:
    fire(stormy_world, 6, 7, 8)
    clear(stormy_world, 2, 3)
    statements: list[str] = []
    event.listen(
        stormy_world.storage._writer, "before_cursor_execute", lambda *told: statements.append(told[2])
    )

    stormy_world.consume(tables=SOON)

    assert len([one for one in statements if not one.startswith(("SAVEPOINT", "RELEASE"))]) <= 17


def test_of_very_many_alerts_the_worst_are_shown_and_the_others_counted(
    stormy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "MOST_OF_TICKET", 3)
    clear(stormy_world, 2)

    told = stormy_world.storage.read(lambda session: ticket_detail(session, EVERYWHERE, 3))

    assert ([alert.host for alert in told.alerts if alert.host == "host-2"], told.more_alerts) == ([], 1)
    assert told.ticket.alert_state is AlertState.FIRING


def test_a_console_is_shown_it_as_any_ticket(stormy_world: World) -> None:
    told = stormy_world.storage.read(lambda session: ticket_detail(session, EVERYWHERE, 3))

    assert (told.ticket.client, told.ticket.host) == ("acme", None)
    assert {alert.host for alert in told.alerts} == {"host-2", "host-3", "host-4", "host-5"}


@given(
    openings=st.lists(
        st.builds(
            Opening,
            st.integers(1, 2),
            st.sampled_from(("A", "B")),
            st.integers(NOW - 2 * WINDOW_MS, NOW + WINDOW_MS),
            st.integers(1, 3),
        )
    )
)
def test_what_was_opened_lately_is_what_was_opened_in_the_ten_minutes_before(openings: list[Opening]) -> None:
    late = [one for one in openings if NOW - WINDOW_MS < one.at_ms <= NOW]

    assert Lately(openings).counts(1, "A", NOW) == (
        sum(one.tickets for one in late if one.client_id == 1),
        sum(one.tickets for one in late if (one.client_id, one.rule) == (1, "A")),
        sum(one.tickets for one in late),
    )


STEPS = st.one_of(
    st.tuples(
        st.sampled_from(("fire", "clear")),
        st.integers(1, 2),
        st.integers(0, 5),
        st.sampled_from(("warning", "critical")),
    ),
    st.tuples(st.just("move"), st.sampled_from((1, 60, 700, 4000))),
    st.tuples(st.sampled_from(("consume", "relapse", "settle"))),
    st.tuples(st.sampled_from(("resolve", "reopen", "close", "unmerge")), st.integers(1, 8)),
    st.tuples(st.just("merge"), st.integers(1, 8), st.integers(1, 8)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30))
def test_no_alert_is_lost_or_on_two_open_tickets_and_nothing_is_told_twice(
    made: Any, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    with made.copied(tmp_path_factory.mktemp("storm")) as where, Storage(where) as opened:
        world = World(opened)
        for step in [*steps, ("consume",)]:
            walk(world, *step)
            require_one_place_for_each(world)
        before = snapshot(world)
        world.storage.write(forget_what_was_told)
        world.consume(tables=SOON)
        assert snapshot(world) == before


def forget_what_was_told(session: Session) -> None:
    """That it was consumed: of what has opened tickets, and of all that storms were told of."""
    heard = select(TICKET_ALERTS.c.alert_id).where(
        TICKET_ALERTS.c.alert_id == col(Transition.alert_id), TICKET_ALERTS.c.heard_id >= col(Transition.id)
    )
    is_told = or_(col(Transition.new) == AlertState.FIRING, heard.exists())
    session.execute(update(Transition).where(is_told).values(consumed_ms=None))


def walk(world: World, what: str, *more: Any) -> None:
    match what:
        case "fire" | "clear":
            client_id, number, severity = more
            state = AlertState.FIRING if what == "fire" else AlertState.RESOLVED
            world.alert(state, **of_host(number, client_id, {"severity": severity}))
        case "move":
            world.move(seconds=more[0])
        case "consume":
            world.consume(tables=SOON)
            require_nothing_lost(world)
        case "relapse":
            relapse(world)
        case "settle":
            world.settle()
        case "merge":
            with suppress(Conflict, NotFound, Unprocessable):
                world.act(relations.merge, more[0], into=Other(more[1]))
        case act:
            with suppress(Conflict, NotFound):
                world.act(relations.unmerge if act == "unmerge" else getattr(work, act), more[0])


def places(world: World) -> Iterable[tuple[int, int, int, int, str, AlertState]]:
    asked = (
        select(
            AlertRow.id,
            AlertRow.client_id.label("alert_client"),
            TICKETS.c.id.label("ticket_id"),
            TICKETS.c.client_id,
            TICKETS.c.state,
            AlertRow.state.label("alert_state"),
        )
        .join_from(TICKET_ALERTS, TICKETS, TICKETS.c.id == TICKET_ALERTS.c.ticket_id)
        .join(AlertRow, AlertRow.id == TICKET_ALERTS.c.alert_id)
    )
    return world.storage.read(lambda session: [tuple(row) for row in session.execute(asked)])


def require_one_place_for_each(world: World) -> None:
    rows = places(world)
    is_open = [alert for alert, _, _, _, state, _ in rows if state in OPEN_TICKET_STATES]
    assert len(is_open) == len(set(is_open))
    assert all(client == of_ticket for _, client, _, of_ticket, _, _ in rows)


def require_nothing_lost(world: World) -> None:
    """What fires has a ticket that is open, or that a person has resolved since."""
    firing = select(AlertRow.id).where(AlertRow.state == AlertState.FIRING)
    has_ticket = {alert for alert, *_ in places(world)}
    assert world.storage.read(lambda session: set(session.execute(firing).scalars())) <= has_ticket


def snapshot(world: World) -> Any:
    def ask(session: Session) -> Any:
        tickets = [tuple(row) for row in session.execute(select(TICKETS).order_by(TICKETS.c.id))]
        alerts = session.execute(select(TICKET_ALERTS).order_by(*TICKET_ALERTS.primary_key)).all()
        return tickets, [tuple(row) for row in alerts]

    return world.storage.read(ask), [world.timeline(number) for number in world.ticket_ids()]
