"""Transitions become tickets, each told once, and the same trouble stays one ticket."""

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select, update
from tests.server.desk.world import NOW, REOPEN_MS, World, change_alert

from tocsin_protocol.vocabulary import ActorKind, AlertState, TicketEventKind, TicketState
from tocsin_server.alerts.alert import REASON
from tocsin_server.alerts.store import Transition
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import intake, work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.store import Ticket, TicketAlert
from tocsin_server.desk.trouble import ticket_key
from tocsin_server.estate.store import Host

OPENED, FIRED = TicketEventKind.OPENED, TicketEventKind.ALERT_FIRED
UNKNOWN, CLEARED = TicketEventKind.ALERT_UNKNOWN, TicketEventKind.ALERT_RESOLVED
REOPENED = TicketEventKind.REOPENED


def test_a_firing_alert_opens_a_ticket_with_the_rules_words(world: World) -> None:
    world.fire()

    world.consume()

    ticket = world.ticket()
    assert ticket.title == "/ on atlas is full"
    assert ticket.state is TicketState.NEW
    assert ticket.priority == 1
    assert (ticket.client_id, ticket.site_id, ticket.host_id) == (1, 1, 1)


def test_an_alert_that_ends_for_a_reason_of_its_own_tells_it(world: World) -> None:
    world.fire()
    world.clear()
    world.fire()
    world.clear(annotations={REASON: "the host is watched no longer"})

    world.consume()

    assert [world.events()[at].text for at in (1, 3)] == [
        "the condition is seen false",
        "the host is watched no longer",
    ]


def test_what_fires_again_on_a_host_enrolled_anew_moves_its_ticket_there(world: World) -> None:
    world.fire()
    world.consume()
    world.storage.write(enrol_atlas_anew)

    world.fire(host_id=3)
    world.consume()

    assert (world.ticket_ids(), world.ticket().host_id) == ([1], 3)


def enrol_atlas_anew(session: Session) -> None:
    old = session.get_one(Host, 1)
    old.retired_ms = NOW
    session.flush()
    session.add(Host(**{**old.model_dump(), "id": 3, "retired_ms": None}))


def test_the_first_event_holds_the_evidence(world: World) -> None:
    world.fire(value=0.02)

    world.consume(tables=NO_TABLES)

    event = world.events()[0]
    assert (event.actor_kind, event.actor) == (ActorKind.RULE, "FilesystemFull")
    assert event.text == "2 % is free"
    assert event.data == {
        "value": 0.02,
        "expression": "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.03",
        "labels": {
            "alertname": "FilesystemFull",
            "instance": "atlas",
            "mountpoint": "/",
            "severity": "critical",
        },
        "sample_at": "2023-11-14T22:13:19.500Z",
    }


def test_the_happening_says_how_long_after_the_reading_the_ticket_came(world: World) -> None:
    world.fire(sample_ms=NOW - 1500)
    world.move(seconds=1)

    assert world.consume() == [Happening(1, OPENED, 2.5)]


def test_a_clock_that_was_set_back_makes_no_negative_detection(world: World) -> None:
    world.fire(sample_ms=NOW + 60_000)

    assert world.consume() == [Happening(1, OPENED, 0.0)]


@pytest.mark.parametrize(
    ("annotations", "labels", "title"),
    [
        ({"summary": "disk\nfull\x1b[31m"}, {}, "disk full[31m"),  # one line, nothing a terminal obeys
        ({}, {}, "FilesystemFull on atlas"),
        ({"summary": "  "}, {"instance": ""}, "FilesystemFull"),
        ({"summary": "x" * 500}, {}, "x" * 199 + "…"),
        ({"summary": "half a pair \ud800"}, {}, "half a pair"),  # would not fit into the database
    ],
)
def test_the_title_is_the_summary_else_the_alert_and_where_it_is(
    world: World, annotations: dict[str, str], labels: dict[str, str], title: str
) -> None:
    world.fire(annotations=annotations, **labels)

    world.consume()

    assert world.ticket().title == title


@pytest.mark.parametrize(("severity", "priority"), [("critical", 1), ("warning", 2), ("info", 3), ("page", 3)])
def test_the_priority_follows_the_severity(world: World, severity: str, priority: int) -> None:
    world.fire(severity=severity)

    world.consume()

    assert world.ticket().priority == priority


def test_two_severities_of_one_trouble_share_a_ticket_and_the_priority_rises(world: World) -> None:
    world.fire(severity="warning")
    world.consume()

    world.fire(severity="critical")
    world.consume()

    assert world.ticket_ids() == [1]
    assert (world.ticket().priority, world.ticket().severity) == (1, "critical")
    assert world.timeline() == [OPENED, FIRED]


def test_a_lesser_severity_does_not_lower_the_priority(world: World) -> None:
    world.fire(severity="critical")
    world.fire(severity="info")

    world.consume()

    assert (world.ticket().priority, world.ticket().severity) == (1, "critical")


def test_the_same_trouble_of_two_clients_is_two_tickets(world: World) -> None:
    world.fire(client_id=1)
    world.fire(client_id=2)

    world.consume()

    assert [world.ticket(number).client_id for number in (1, 2)] == [1, 2]


def test_another_mountpoint_is_another_ticket(world: World) -> None:
    world.fire(mountpoint="/")
    world.fire(mountpoint="/var")

    world.consume()

    assert world.ticket_ids() == [1, 2]


def test_no_two_different_troubles_have_one_key() -> None:
    keys = {
        ticket_key(1, "Full", {"a": "b"}),
        ticket_key(2, "Full", {"a": "b"}),
        ticket_key(1, "Filling", {"a": "b"}),
        ticket_key(1, "Full", {"a": "b", "c": ""}),
        ticket_key(1, "Full", {'a", "b': ""}),
        ticket_key(1, "Full", {}),
    }

    assert len(keys) == 6


def test_the_severity_and_the_order_of_labels_make_no_difference_to_the_key() -> None:
    assert ticket_key(1, "Full", {"a": "1", "b": "2", "severity": "info"}) == ticket_key(
        1, "Full", {"severity": "critical", "b": "2", "a": "1"}
    )


def test_a_pending_alert_opens_nothing_and_is_not_asked_for_again(world: World) -> None:
    world.alert(AlertState.PENDING)
    world.alert(AlertState.INACTIVE)

    assert world.consume() == []
    assert world.ticket_ids() == []
    assert waiting(world) == 0


def test_the_end_of_an_alert_that_has_no_ticket_is_consumed_without_one(world: World) -> None:
    world.clear()

    assert world.consume() == []
    assert waiting(world) == 0


def test_a_cleared_alert_marks_the_ticket_as_recovered(world: World) -> None:
    world.fire()
    world.consume()
    world.move(seconds=60)
    world.clear()

    assert world.consume() == [Happening(1, CLEARED)]

    assert world.ticket().recovered_ms == NOW + 60_000
    assert world.ticket().state is TicketState.NEW


def test_a_ticket_has_not_recovered_while_another_of_its_alerts_fires(world: World) -> None:
    world.fire(severity="critical")
    world.fire(severity="warning")
    world.consume()

    world.clear(severity="critical")
    world.consume()
    assert world.ticket().recovered_ms is None

    world.clear(severity="warning")
    world.consume()
    assert world.ticket().recovered_ms == NOW


def test_a_ticket_has_not_recovered_while_one_of_its_alerts_is_unknown(world: World) -> None:
    world.fire(severity="critical")
    world.fire(severity="warning")
    world.alert(AlertState.UNKNOWN, severity="warning")
    world.clear(severity="critical")

    world.consume()

    assert world.ticket().recovered_ms is None
    assert world.timeline() == [OPENED, FIRED, UNKNOWN, CLEARED]


def test_an_alert_that_fires_again_takes_the_recovery_back(world: World) -> None:
    world.fire()
    world.clear()
    world.consume()

    world.fire()
    world.consume()

    assert world.ticket().recovered_ms is None
    assert world.timeline() == [OPENED, CLEARED, FIRED]


def test_a_whole_life_in_one_batch_is_told_like_one_in_many(world: World) -> None:
    world.fire()
    world.alert(AlertState.UNKNOWN)
    world.fire()
    world.clear()

    happened = world.consume()

    assert [one.kind for one in happened] == [OPENED, UNKNOWN, FIRED, CLEARED]
    assert world.timeline() == [OPENED, UNKNOWN, FIRED, CLEARED]
    assert world.ticket().version == 4
    assert world.ticket().recovered_ms == NOW


def test_a_solved_ticket_is_reopened_within_the_window(world: World) -> None:
    world.fire()
    world.consume()
    world.act(work.resolve, 1, text="log files removed")
    world.clear()
    world.move(seconds=REOPEN_MS / 1000)

    world.fire()
    happened = world.consume()

    ticket = world.ticket()
    assert happened[-1] == Happening(1, REOPENED, 0.5)
    assert ticket.state is TicketState.IN_PROGRESS
    assert ticket.owner_id == 1
    assert (ticket.solved_ms, ticket.recovered_ms) == (None, None)


def test_after_the_window_a_linked_ticket_is_opened(world: World) -> None:
    world.fire()
    world.consume()
    world.act(work.resolve, 1)
    world.clear()
    world.move(seconds=REOPEN_MS / 1000 + 0.001)

    world.fire()
    world.consume()

    assert world.ticket_ids() == [1, 2]
    assert world.ticket(2).reopens == 1
    assert world.ticket(1).state is TicketState.SOLVED


def test_a_closed_ticket_takes_nothing_and_is_followed_by_a_linked_one(world: World) -> None:
    world.fire()
    world.consume()
    world.act(work.resolve, 1)
    world.storage.write(lambda session: session.execute(text("UPDATE ticket SET state = 'closed'")) and None)

    world.clear()
    assert world.consume() == []
    world.fire()
    world.consume()

    assert world.ticket(2).reopens == 1
    assert world.ticket(1).version == 2


def test_a_linked_ticket_is_about_whatever_still_fires_of_the_trouble(world: World) -> None:
    world.fire(severity="critical")
    world.fire(severity="warning")
    world.consume()
    world.act(work.resolve, 1)
    world.clear(severity="warning")
    world.move(seconds=REOPEN_MS / 1000 + 1)

    world.fire(severity="warning")
    world.clear(severity="warning")
    world.consume()

    assert attached(world, 2) == attached(world, 1)
    assert world.ticket(2).recovered_ms is None


def test_a_transition_that_is_consumed_twice_is_told_once(world: World) -> None:
    world.fire()
    world.clear()
    world.consume()
    world.storage.write(lambda session: session.execute(update(Transition).values(consumed_ms=None)) and None)

    assert world.consume() == []

    assert world.timeline() == [OPENED, CLEARED]
    assert world.ticket().version == 2
    assert waiting(world) == 0


def test_a_call_consumes_no_more_than_its_limit_oldest_first(world: World) -> None:
    for number in range(5):
        world.fire(mountpoint=f"/{number}")

    happened = world.consume(limit=3)

    assert [one.ticket_id for one in happened] == [1, 2, 3]
    assert waiting(world) == 2
    assert world.storage.read(intake.is_waiting)

    world.consume()
    assert not world.storage.read(intake.is_waiting)


def test_whoever_loses_the_race_for_a_key_attaches_at_the_next_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fire(severity="warning")
    world.fire(mountpoint="/var", severity="warning")
    read = intake.records_of

    def somebody_is_faster(session, keys):
        records = read(session, keys)
        monkeypatch.undo()
        intake.consume(session, world.now_ms, reopen_ms=REOPEN_MS, tables=NO_TABLES, limit=1)
        session.execute(text("UPDATE transition SET consumed_ms = NULL"))
        session.execute(text("DELETE FROM ticket_alert"))
        session.execute(text("DELETE FROM ticket_event"))
        return records

    monkeypatch.setattr(intake, "records_of", somebody_is_faster)
    first = world.consume()
    second = world.consume()

    assert [(happening.kind, happening.detected_s) for happening in first] == [(OPENED, 0.5)]
    assert second == [Happening(1, FIRED)]
    assert waiting(world) == 0
    assert attached(world, 1) == [1]


def test_a_failure_on_the_way_leaves_everything_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fire()
    monkeypatch.setattr(intake, "write_alerts", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        world.consume()

    assert world.ticket_ids() == []
    assert waiting(world) == 1


def test_an_infinite_value_is_told_in_words_that_json_can_carry(world: World) -> None:
    world.fire(value=float("inf"))

    world.consume()

    assert world.events()[0].data["value"] == "inf"


def waiting(world: World) -> int:
    return world.storage.read(
        lambda session: len(
            session.exec(select(Transition.id).where(col(Transition.consumed_ms).is_(None))).all()
        )
    )


def attached(world: World, ticket_id: int) -> list[int]:
    return world.storage.read(
        lambda session: sorted(
            session.exec(select(TicketAlert.alert_id).where(TicketAlert.ticket_id == ticket_id))
        )
    )


def test_many_transitions_cost_a_bounded_number_of_statements(world: World) -> None:
    from sqlalchemy import event

    def many(session) -> None:
        for number in range(50):
            change_alert(session, AlertState.FIRING, NOW, mountpoint=f"/{number}")

    world.storage.write(many)
    statements: list[str] = []
    event.listen(world.storage._writer, "before_cursor_execute", lambda *told: statements.append(told[2]))

    assert len(world.consume()) == 50

    assert len([one for one in statements if not one.startswith(("SAVEPOINT", "RELEASE"))]) <= 15


def test_a_flapping_alert_stays_one_ticket(world: World) -> None:
    for _ in range(3):
        world.fire()
        world.consume()
        world.clear()
        world.consume()

    def open_tickets(session) -> int:
        return len(session.exec(select(Ticket.id)).all())

    assert world.storage.read(open_tickets) == 1


def test_a_new_ticket_is_what_the_tables_say_and_its_history_says_why(world: World) -> None:
    world.fire(severity="critical")
    world.consume()

    ticket, opened = world.ticket(), world.events()[-1]
    assert (ticket.priority, ticket.impact, ticket.urgency, ticket.team) == (1, "high", "high", "servers")
    assert (opened.data["priority"], opened.data["reason"]) == (
        1,
        "much of the client is touched, and it hurts now",
    )
    assert opened.data["decided"][2].startswith("routing@")
    assert "value" in opened.data


def test_a_worse_severity_is_decided_anew_and_the_team_stays(world: World) -> None:
    world.fire(severity="warning")
    world.consume()
    world.fire(severity="critical")
    world.consume()

    ticket, raised = world.ticket(), world.events()[-1]
    assert (ticket.priority, ticket.urgency, ticket.team) == (1, "high", "servers")
    assert raised.data["priority"] == 1


def test_without_tables_an_alert_opens_its_ticket_all_the_same(world: World) -> None:
    world.fire(severity="critical")
    world.consume(tables=NO_TABLES)

    ticket = world.ticket()
    assert (ticket.priority, ticket.impact, ticket.team) == (1, "", "")
    assert "decided" not in world.events()[-1].data
