"""The rows of alerts, as either database can hold them."""

from sqlmodel import col, select
from tests.server.alerts.conftest import ACME, ATLAS, START_MS

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import Alert, Change
from tocsin_server.alerts.settle import write_changes
from tocsin_server.alerts.state import Life
from tocsin_server.alerts.store import AlertRow


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
