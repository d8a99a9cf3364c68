"""The rows of alerts, as either database can hold them."""

import itertools
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlmodel import col, select
from tests.server.alerts.conftest import ACME, ATLAS, START_MS

from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.alert import Alert, Change, Reason
from tocsin_server.alerts.flapping import SLOT_MS
from tocsin_server.alerts.settle import active_alerts, histories, write_changes
from tocsin_server.alerts.state import Life
from tocsin_server.alerts.store import ALERTS, AlertRow


def change(state: AlertState, **labels: str) -> Change:
    alert = Alert(
        rule_key="mine.yml/hot/Hot",
        expression="temperature > 80",
        client_id=ACME,
        host_id=ATLAS,
        labels={"alertname": "Hot", **labels},
        fingerprint="0123456789abcdef",
        row={"__name__": "temperature"},
        life=Life(state, START_MS, START_MS, None, None),
        value=81.0,
    )
    return Change(AlertState.INACTIVE, alert, at_ms=START_MS)


def test_two_changes_of_one_alert_are_one_row_and_two_transitions(bell) -> None:
    changes = [change(AlertState.PENDING), change(AlertState.FIRING)]

    ids = bell.storage.write(lambda session: write_changes(session, changes))

    assert ids[0] == ids[1]
    assert [alert.state for alert in bell.alerts()] == [AlertState.FIRING]
    assert [told.new for told in bell.transitions()] == [AlertState.PENDING, AlertState.FIRING]


def test_a_label_that_no_text_of_a_database_can_hold_stops_nobody(bell) -> None:
    hostile = change(AlertState.FIRING, severity="crit\0ical", zone="\0")

    bell.storage.write(lambda session: write_changes(session, [hostile]))

    kept = bell.storage.read(lambda session: session.exec(select(AlertRow).order_by(col(AlertRow.id))).one())
    assert kept.severity == "critical"
    assert kept.labels["zone"] == "\0"


@pytest.mark.parametrize("state", [AlertState.FIRING, AlertState.UNKNOWN])
def test_what_is_acknowledged_stays_so_while_it_goes_on(bell, state) -> None:
    acknowledged(bell)

    bell.storage.write(lambda session: write_changes(session, [change(state)]))

    assert (bell.alerts()[0].acknowledged_ms, bell.alerts()[0].acknowledged_by) == (START_MS, "ada")


@pytest.mark.parametrize("state", [AlertState.RESOLVED, AlertState.INACTIVE, AlertState.PENDING])
def test_what_is_acknowledged_is_no_more_once_it_has_cleared(bell, state) -> None:
    acknowledged(bell)

    bell.storage.write(lambda session: write_changes(session, [change(state)]))

    assert (bell.alerts()[0].acknowledged_ms, bell.alerts()[0].acknowledged_by) == (None, None)


def test_reasons_alone_do_not_change_since_when_an_alert_stands_so(bell) -> None:
    first = change(AlertState.FIRING)
    reason = Reason(SuppressionKind.SILENCE, "3", "silence 3")
    later = replace(
        first, old=AlertState.FIRING, at_ms=START_MS + 5, alert=replace(first.alert, suppressed=(reason,))
    )

    for each in (first, later):
        bell.storage.write(lambda session, each=each: write_changes(session, [each]))

    (kept,) = bell.storage.read(active_alerts)
    assert kept.suppressed == (reason,)
    assert bell.alerts()[0].changed_ms == START_MS
    assert len(bell.transitions()) == 1


def test_how_alerts_have_flapped_is_read_back_from_their_transitions(bell) -> None:
    slots = range(10)
    moves = itertools.cycle([AlertState.FIRING, AlertState.RESOLVED])
    was = AlertState.INACTIVE
    for slot, state in zip(slots, moves, strict=False):
        moved = replace(change(state), old=was, at_ms=START_MS + slot * SLOT_MS)
        bell.storage.write(lambda session, moved=moved: write_changes(session, [moved]))
        was = state

    found = bell.storage.read(lambda session: histories(session, START_MS + 10 * SLOT_MS))

    assert found[ACME, "0123456789abcdef"].is_flapping
    assert bell.storage.read(lambda session: histories(session, START_MS + 40 * SLOT_MS)) == {}


def acknowledged(bell) -> None:
    bell.storage.write(lambda session: write_changes(session, [change(AlertState.FIRING)]))
    bell.storage.write(
        lambda session: session.execute(
            update(ALERTS).values(acknowledged_ms=START_MS, acknowledged_by="ada")
        ).close()
    )
