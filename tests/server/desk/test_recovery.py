"""A ticket is solved by itself only on good news that is proved, fresh and lasting."""

from tests.server.desk.world import NOW, QUIET_MS, World

from tocsin_protocol.vocabulary import ActorKind, AlertState, TicketEventKind, TicketState
from tocsin_server.alerts.alert import REASON
from tocsin_server.desk import work
from tocsin_server.desk.happening import Happening

SOLVED, RECOVERED = TicketEventKind.SOLVED, TicketEventKind.RECOVERED


def recovered(world: World, **kinds: object) -> None:
    """A ticket whose alert has fired and cleared."""
    world.fire(**kinds)
    world.clear(**kinds)
    world.consume()


def test_a_ticket_that_stays_clear_for_the_quiet_time_is_solved_with_the_evidence(world: World) -> None:
    recovered(world)
    world.move(seconds=QUIET_MS / 1000)

    assert world.settle() == [Happening(1, SOLVED)]

    event = world.events()[-1]
    assert (world.ticket().state, world.ticket().solved_ms) == (TicketState.SOLVED, NOW + QUIET_MS)
    assert (event.actor_kind, event.actor) == (ActorKind.SYSTEM, "tocsin")
    assert {name: event.data[name] for name in ("clear_since", "alerts")} == {
        "clear_since": "2023-11-14T22:13:20.000Z",
        "alerts": {"FilesystemFull critical": "resolved"},
    }


def test_nothing_is_solved_before_the_quiet_time_is_over(world: World) -> None:
    recovered(world)
    world.move(seconds=QUIET_MS / 1000 - 0.001)

    assert world.settle() == []


def test_nothing_is_solved_while_its_host_is_silent(world: World) -> None:
    recovered(world)
    world.move(seconds=3600)

    assert world.settle(is_fresh=lambda host: host != 1) == []
    assert world.settle(is_fresh=lambda host: host == 1) == [Happening(1, SOLVED)]


def test_an_alert_that_ended_with_its_rule_or_host_proves_nothing_and_a_person_is_asked(world: World) -> None:
    world.fire()
    world.clear(annotations={REASON: "the host is watched no longer"})
    world.consume()
    world.move(seconds=QUIET_MS / 1000)

    assert world.settle(is_fresh=lambda _host: False) == [Happening(1, RECOVERED)]

    assert (world.ticket().state, world.ticket().confirm) == (TicketState.NEW, True)
    assert world.events()[-1].text.startswith("its alerts have ended, which does not prove")


def test_what_is_seen_false_last_is_the_proof(world: World) -> None:
    world.fire()
    world.fire(severity="warning")
    world.clear(annotations={REASON: "the rule is no longer in force"})
    world.move(seconds=1)
    world.clear(severity="warning")
    world.consume()
    world.move(seconds=QUIET_MS / 1000)

    assert world.settle() == [Happening(1, SOLVED)]


def test_nothing_is_solved_while_one_of_its_alerts_is_unknown(world: World) -> None:
    recovered(world)
    world.alert(AlertState.UNKNOWN)  # not yet consumed: the alert's own row must be enough
    world.move(seconds=3600)

    assert world.settle() == []
    world.consume()
    assert world.settle() == []


def test_nothing_is_solved_while_an_alert_that_fired_again_waits_to_be_consumed(world: World) -> None:
    recovered(world)
    world.fire()
    world.move(seconds=3600)

    assert world.settle() == []


def test_a_condition_that_was_true_for_a_moment_begins_the_quiet_time_anew(world: World) -> None:
    recovered(world)
    world.move(seconds=15)
    world.alert(AlertState.PENDING)
    world.move(seconds=10)
    assert world.settle() == []

    world.alert(AlertState.INACTIVE)
    world.move(seconds=19)
    assert world.settle() == []

    world.move(seconds=1)
    assert world.settle() == [Happening(1, SOLVED)]


def test_where_a_person_has_spoken_confirmation_is_asked_once_and_the_ticket_stays_open(world: World) -> None:
    recovered(world)
    world.act(work.comment, 1, text="who fills this disk?")
    world.move(seconds=60)

    assert world.settle() == [Happening(1, RECOVERED)]
    world.move(seconds=60)
    assert world.settle() == []

    assert world.ticket().state is TicketState.NEW
    assert world.timeline().count(RECOVERED) == 1


def test_confirmation_is_asked_again_after_the_trouble_has_come_back(world: World) -> None:
    recovered(world)
    world.act(work.comment, 1, text="who fills this disk?")
    world.move(seconds=60)
    world.settle()

    recovered(world)
    world.move(seconds=60)

    assert world.settle() == [Happening(1, RECOVERED)]


def test_a_ticket_that_was_only_taken_is_solved_by_itself_and_keeps_its_owner(world: World) -> None:
    recovered(world)
    world.act(work.take, 1)
    world.move(seconds=60)

    assert world.settle() == [Happening(1, SOLVED)]
    assert world.ticket().owner_id == 1


def test_a_ticket_that_a_person_reopened_is_left_to_that_person(world: World) -> None:
    recovered(world)
    world.move(seconds=60)
    world.settle()
    world.act(work.reopen, 1)
    world.move(seconds=60)

    assert world.settle() == []


def test_tickets_of_people_are_never_solved_by_themselves(world: World) -> None:
    from tests.server.desk.test_work import opened

    opened(world)
    world.move(seconds=86_400)

    assert world.settle() == []


def test_what_a_host_put_into_a_label_does_not_keep_tickets_from_being_settled(world: World) -> None:
    hostile = {"summary": "disk \0 full", "description": "\0"}
    world.fire(annotations=hostile)
    world.consume()
    world.clear(annotations=hostile)
    world.consume()

    world.move(seconds=20)

    assert [happening.kind for happening in world.settle()] == [TicketEventKind.SOLVED]


def test_many_are_settled_together(world: World) -> None:
    for number in range(20):
        recovered(world, mountpoint=f"/{number}")
    world.move(seconds=60)

    assert len(world.settle()) == 20
    assert world.settle() == []
