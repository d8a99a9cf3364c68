"""Alerts of hosts behind a dead one are on its ticket, however many, and on their own once they ring."""

from typing import Any

import pytest
from sqlalchemy import event, select
from sqlmodel import Session
from tests.server.desk.world import NOW, World, change_alert

from tocsin_protocol.vocabulary import AlertState, HostKind, TicketEventKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.desk import cutoff, work
from tocsin_server.desk.cutoff import attach_cut_off
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail
from tocsin_server.desk.store import TICKET_ALERTS
from tocsin_server.estate.store import Host

SWITCH = 10
DEAD = [{"kind": "parent_down", "name": "switch", "words": "parent switch is down"}]


def make_busy(world: World) -> None:
    """Acme's switch is dead, of which ticket 1 tells; behind it are twenty hosts."""

    def hosts(session: Session) -> None:
        for number in range(SWITCH, SWITCH + 21):
            name = "switch" if number == SWITCH else f"host-{number}"
            kind = HostKind.NETWORK if number == SWITCH else HostKind.SERVER
            session.add(
                Host(id=number, client_id=1, site_id=1, name=name, kind=kind, job="node", enrolled_ms=NOW)
            )

    world.storage.write(hosts)
    world.fire(name="HostSilent", instance="switch", host_id=SWITCH)
    world.consume()


@pytest.fixture
def world(busy: World) -> World:
    return busy


def silent(world: World, number: int, *, client_id: int = 1, **more: Any) -> int:
    """A host behind the switch falls silent: its alert fires, and is withheld."""
    return withheld(world, number, AlertState.FIRING, DEAD, client_id=client_id, **more)


def withheld(
    world: World,
    number: int,
    state: AlertState,
    reasons: list[dict[str, str]],
    *,
    redelivers: bool = False,
    **more: Any,
) -> int:
    def write(session: Session) -> int:
        named = {"name": "HostSilent", "instance": f"host-{number}", "host_id": number, **more}
        alert_id = change_alert(session, state, world.now_ms, **named)
        alert = session.get_one(AlertRow, alert_id)
        alert.suppressed, alert.suppressed_ms = reasons, world.now_ms if reasons else None
        told = session.execute(
            select(Transition).where(Transition.alert_id == alert_id).order_by(Transition.id.desc())
        ).scalars()
        newest = next(told)
        newest.withheld, newest.redelivers = reasons, redelivers
        told.close()
        session.add_all([alert, newest])
        return alert_id

    return world.storage.write(write)


def attach(world: World) -> list[Happening]:
    world.consume()
    return world.storage.write(lambda session: attach_cut_off(session, world.now_ms))


def behind(world: World, ticket_id: int = 1) -> set[int]:
    asked = select(TICKET_ALERTS.c.alert_id).where(
        TICKET_ALERTS.c.ticket_id == ticket_id, TICKET_ALERTS.c.cut_off
    )
    return world.storage.read(lambda session: set(session.execute(asked).scalars()))


def test_what_is_behind_a_dead_host_is_on_its_ticket_with_one_entry_that_counts(world: World) -> None:
    alerts = {silent(world, number) for number in range(11, 31)}

    assert attach(world) == [Happening(1, TicketEventKind.ATTACHED)]

    assert world.ticket_ids() == [1]
    assert behind(world) == alerts
    entry = world.events()[-1]
    assert entry.text == "20 alerts of 20 hosts that cannot be reached past switch"
    assert entry.data == {"alerts": 20, "hosts": 20, "rules": {"HostSilent": "20"}}
    assert attach(world) == []


def test_they_are_counted_and_only_a_few_are_listed_after_its_own(world: World) -> None:
    for number in range(11, 31):
        silent(world, number)
        silent(world, number, name="PingLost")
    attach(world)

    told = world.storage.read(lambda session: ticket_detail(session, EVERYWHERE, 1))

    assert told.cut_off == 40
    assert (told.alerts[0].host, len(told.alerts)) == ("switch", 21)


def test_it_is_no_matter_which_comes_first(world: World) -> None:
    world.act(work.resolve, 1)
    silent(world, 11)
    assert attach(world) == []
    world.act(work.reopen, 1)

    assert attach(world) == [Happening(1, TicketEventKind.ATTACHED)]


def test_another_clients_switch_of_the_same_name_has_nothing_to_do_with_it(world: World) -> None:
    silent(world, 2, client_id=2)

    assert attach(world) == []


def test_what_has_an_open_ticket_stays_there(world: World) -> None:
    world.fire(name="HostSilent", instance="host-11", host_id=11)
    world.consume()
    silent(world, 11)

    assert attach(world) == []
    assert world.timeline(2)[-1] is TicketEventKind.ALERT_FIRED


def test_the_ticket_of_the_dead_host_recovers_without_what_is_behind_it(world: World) -> None:
    silent(world, 11)
    attach(world)
    world.clear(name="HostSilent", instance="switch", host_id=SWITCH)
    world.consume()
    world.move(seconds=60)

    world.settle()

    assert world.ticket(1).state is TicketState.SOLVED


def test_to_acknowledge_the_dead_hosts_alerts_keeps_nothing_behind_it_from_ringing_later(world: World) -> None:
    alert_id = silent(world, 11)
    attach(world)

    world.act(work.acknowledge, 1)

    alert = world.storage.read(lambda session: session.get_one(AlertRow, alert_id).acknowledged_ms)
    assert alert is None


def test_a_child_that_fires_on_once_its_parent_is_back_has_its_own_ticket(world: World) -> None:
    alert_id = silent(world, 11)
    silent(world, 12)
    attach(world)
    withheld(world, 11, AlertState.FIRING, [], redelivers=True)

    attach(world)

    assert world.ticket_ids() == [1, 2]
    assert world.ticket(2).host_id == 11
    assert alert_id not in behind(world)
    assert len(behind(world)) == 1


def test_however_many_there_are_the_statements_are_few(world: World) -> None:
    for number in range(11, 31):
        silent(world, number)
    world.consume()
    statements: list[str] = []
    event.listen(world.storage._writer, "before_cursor_execute", lambda *told: statements.append(told[2]))

    world.storage.write(lambda session: attach_cut_off(session, world.now_ms))

    assert len([one for one in statements if one.startswith(("SELECT", "UPDATE", "INSERT"))]) <= 10


def test_those_of_a_host_without_a_ticket_keep_others_not_from_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutoff, "_CUT_OFF", cutoff._CUT_OFF.limit(1))
    router = [{"kind": "parent_down", "name": "router", "words": "parent router is down"}]
    withheld(world, 11, AlertState.FIRING, router)
    alert_id = silent(world, 12)

    assert attach(world) == [Happening(1, TicketEventKind.ATTACHED)]

    assert behind(world) == {alert_id}
