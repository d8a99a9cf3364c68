"""Alerts, the worst first, with the ticket each is on, and never another client's."""

import math

import pytest
from sqlalchemy import text
from tests.server.desk.world import NOW, World

from tocsin_protocol.alerts import Alert
from tocsin_protocol.vocabulary import AlertState, Severity
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.clock import moment
from tocsin_server.desk.alarms import alert_page, alert_view
from tocsin_server.errors import NotFound, Unprocessable


def make_busy(world: World) -> None:
    """1 pending, 2 firing, 3 unknown, 4 resolved at Acme; 5 firing at Globex."""
    world.alert(AlertState.PENDING, mountpoint="/a")
    world.fire(mountpoint="/b")
    world.fire(mountpoint="/c")
    world.alert(AlertState.UNKNOWN, mountpoint="/c")
    world.fire(mountpoint="/d")
    world.clear(mountpoint="/d")
    world.fire(mountpoint="/b", client_id=2)
    world.consume()


def alerts(world: World, **asked: object) -> list[Alert]:
    return world.storage.read(lambda session: alert_page(session, EVERYWHERE, **asked)).alerts


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [2, 5, 3, 1]),
        ({"state": "all"}, [2, 5, 3, 1, 4]),
        ({"client": "acme"}, [2, 3, 1]),
        ({"client": "globex", "state": "all"}, [5]),
        ({"host_id": 2}, [5]),
        ({"client": "acme", "host_id": 2}, []),  # a host of another client's: no rows, not its rows
    ],
)
def test_the_worst_come_first_within_what_was_asked(
    busy: World, asked: dict[str, object], expected: list[int]
) -> None:
    assert [alert.id for alert in alerts(busy, **asked)] == expected


def test_an_alert_says_what_a_technician_needs_to_judge_it(busy: World) -> None:
    alert = busy.storage.read(lambda session: alert_view(session, EVERYWHERE, 5))

    assert (alert.client, alert.host, alert.host_id, alert.ticket_id) == ("globex", "atlas", 2, 4)
    assert (alert.rule_file, alert.rule_group) == ("datacenter.yml", "datacenter-filesystem")
    assert (alert.severity, alert.state, alert.value) == (Severity.CRITICAL, AlertState.FIRING, 0.02)
    assert (alert.active_at, alert.fired_at, alert.resolved_at) == (moment(NOW), moment(NOW), None)


def test_an_alert_that_never_rang_has_no_ticket(busy: World) -> None:
    assert busy.storage.read(lambda session: alert_view(session, EVERYWHERE, 1)).ticket_id is None


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("a.yml/disks/FilesystemFull", ("a.yml", "disks")),
        ("a.yml/disks/FilesystemFull#2", ("a.yml", "disks")),
        ("a.yml/disks / all/FilesystemFull", ("a.yml", "disks / all")),
    ],
)
def test_file_and_group_are_read_off_the_rules_key(busy: World, key: str, place: tuple[str, str]) -> None:
    busy.storage.write(
        lambda session: (
            session.execute(text("UPDATE alert SET rule_key = :key WHERE id = 5"), {"key": key}) and None
        )
    )

    alert = busy.storage.read(lambda session: alert_view(session, EVERYWHERE, 5))

    assert (alert.rule_file, alert.rule_group) == place


@pytest.mark.parametrize(
    ("live", "expected"),
    [(0.01, 0.01), (None, 0.02), (math.nan, None), (math.inf, None)],  # JSON carries neither of the last two
)
def test_the_live_value_stands_before_the_last_one_written(
    busy: World, live: float | None, expected: float | None
) -> None:
    assert (
        busy.storage.read(lambda s: alert_view(s, EVERYWHERE, 5, live_value=lambda _id: live)).value == expected
    )


def test_a_resolved_alert_keeps_the_value_that_was_written(busy: World) -> None:
    assert busy.storage.read(lambda s: alert_view(s, EVERYWHERE, 4, live_value=lambda _id: 0.9)).value == 0.02


def test_a_question_that_makes_no_sense_is_refused(busy: World) -> None:
    with pytest.raises(Unprocessable, match="state=active or state=all"):
        alerts(busy, state="firing")
    with pytest.raises(NotFound, match="'initech'"):
        alerts(busy, client="initech")
    with pytest.raises(NotFound, match="no alert 99"):
        busy.storage.read(lambda session: alert_view(session, EVERYWHERE, 99))
