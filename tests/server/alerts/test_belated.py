"""What was found late is written once, where nothing is known better, and is behind the desk from the first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.alerts.conftest import ACME, ATLAS, START_MS, Bell

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import Alert, Change
from tocsin_server.alerts.belated import write_episodes
from tocsin_server.alerts.episode import Episode, is_known, stretches
from tocsin_server.alerts.settle import write_changes
from tocsin_server.alerts.state import UNBORN, Life
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk.intake import consume, is_waiting

NOW_MS = START_MS + 10_000_000
PENDING, FIRING, UNKNOWN, RESOLVED, INACTIVE = (
    AlertState.PENDING,
    AlertState.FIRING,
    AlertState.UNKNOWN,
    AlertState.RESOLVED,
    AlertState.INACTIVE,
)
HOT = Alert(
    rule_key="mine.yml/hot/Hot",
    expression="temperature > 80",
    client_id=ACME,
    host_id=ATLAS,
    labels={"alertname": "Hot", "severity": "critical"},
    fingerprint="0123456789abcdef",
    row={"__name__": "temperature"},
    value=81.0,
)


def changes(begin: int, *moves: tuple[int, AlertState], alert: Alert = HOT) -> list[Change]:
    """What happens to an alert, in seconds since the start; it begins at the first."""
    made, old, life = [], INACTIVE, UNBORN
    for at, state in moves:
        at_ms = START_MS + at * 1000
        life = (
            UNBORN
            if state is INACTIVE
            else Life(
                state,
                START_MS + begin * 1000,
                at_ms if life.fired_ms is None and state is FIRING else life.fired_ms,
                None,
                at_ms if state is RESOLVED else None,
            )
        )
        made.append(Change(old, replace(alert, life=life), at_ms))
        old = state
    return made


def episode(begin: int, end: int, *, alert: Alert = HOT) -> Episode:
    middle = (begin + end) // 2
    return Episode(tuple(changes(begin, (begin, PENDING), (middle, FIRING), (end, RESOLVED), alert=alert)))


def write(bell: Bell, *episodes: Episode) -> list[Episode]:
    return bell.storage.write(lambda session: write_episodes(session, episodes, NOW_MS))


def saw(bell: Bell, *moves: tuple[int, AlertState]) -> None:
    """Live evaluation saw this, and wrote it change by change."""
    for change in changes(moves[0][0], *moves):
        bell.storage.write(lambda session, one=change: write_changes(session, [one]))


def row(bell: Bell) -> tuple[AlertState, int | None, int | None, bool]:
    (alert,) = bell.alerts()
    seconds = [None if at is None else (at - START_MS) // 1000 for at in (alert.fired_ms, alert.resolved_ms)]
    return alert.state, *seconds, alert.late


def test_an_alert_that_nobody_knew_is_there_resolved_and_late(bell: Bell) -> None:
    news = write(bell, episode(100, 200))

    assert news == [episode(100, 200)]
    assert row(bell) == (RESOLVED, 150, 200, True)
    assert [(one.old, one.new, one.late, one.consumed_ms) for one in bell.transitions()] == [
        (INACTIVE, PENDING, True, NOW_MS),
        (PENDING, FIRING, True, NOW_MS),
        (FIRING, RESOLVED, True, NOW_MS),
    ]


def test_the_desk_has_nothing_to_consume(bell: Bell) -> None:
    write(bell, episode(100, 200))

    assert not bell.storage.read(is_waiting)
    assert (
        bell.storage.write(lambda session: consume(session, NOW_MS, reopen_ms=60_000, tables=NO_TABLES)) == []
    )


def test_the_same_again_writes_nothing(bell: Bell) -> None:
    write(bell, episode(100, 200), episode(300, 400))
    before = bell.transitions()

    assert write(bell, episode(100, 200), episode(300, 400)) == []
    assert write(bell, episode(90, 210)) == []
    assert bell.transitions() == before


@pytest.mark.parametrize(
    "seen",
    [
        [(50, PENDING), (120, INACTIVE)],
        [(120, PENDING), (150, FIRING), (160, RESOLVED)],
        [(50, FIRING), (90, UNKNOWN), (210, RESOLVED)],
        [(150, FIRING)],
        [(50, PENDING), (100, INACTIVE)],
    ],
)
def test_what_touches_a_stretch_that_was_seen_is_left_out(bell: Bell, seen: list) -> None:
    saw(bell, *seen)
    before = row(bell), bell.transitions()

    assert write(bell, episode(100, 200)) == []
    assert (row(bell), bell.transitions()) == before


def test_an_active_alerts_row_stays_while_its_history_is_told(bell: Bell) -> None:
    saw(bell, (300, PENDING), (360, FIRING))
    before = row(bell)

    assert len(write(bell, episode(100, 200))) == 1
    assert row(bell) == before
    assert [one.late for one in bell.transitions()] == [False, False, True, True, True]


def test_a_row_that_ended_before_tells_of_the_late_one_and_a_later_one_does_not(bell: Bell) -> None:
    saw(bell, (10, FIRING), (20, RESOLVED))
    write(bell, episode(100, 200))
    later = row(bell)
    write(bell, episode(30, 60))

    assert later == (RESOLVED, 150, 200, True)
    assert row(bell) == later


def test_an_alert_that_fires_again_is_late_no_longer(bell: Bell) -> None:
    write(bell, episode(100, 200))
    saw(bell, (300, FIRING))

    assert row(bell) == (FIRING, 300, None, False)


def test_rules_that_name_their_alerts_alike_are_kept_apart(bell: Bell) -> None:
    saw(bell, (100, FIRING), (200, RESOLVED))
    other = replace(HOT, rule_key="mine.yml/hot/Hot#2")

    assert len(write(bell, episode(100, 200, alert=other))) == 1
    assert [alert.late for alert in bell.alerts()] == [False, True]


STATES = st.sampled_from([PENDING, FIRING, UNKNOWN, RESOLVED, INACTIVE])


@given(st.lists(st.tuples(st.integers(1, 9), STATES), max_size=12))
def test_a_stretch_is_wherever_the_alert_was_there(steps: list[tuple[int, AlertState]]) -> None:
    at, moves = 0, []
    for after, state in steps:
        at += after
        moves.append((at, state))
    there = list(stretches(moves))

    for moment in range(at + 2):
        state = next((state for at, state in reversed(moves) if at <= moment), INACTIVE)
        if state in (PENDING, FIRING, UNKNOWN):
            assert any(begin <= moment <= end for begin, end in there)
    assert not is_known(episode(at + 1, at + 2), [one for one in there if one[1] < at])
