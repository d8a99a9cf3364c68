"""Write the changes of a round: the alerts' rows and the transitions that tell of them.

In bulk, because a storm is when it matters: a thousand alerts are a few statements. The caller's transaction
holds all of it or nothing.
"""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import ALERT_NAME, Alert, Change
from tocsin_server.alerts.state import ACTIVE, Life
from tocsin_server.alerts.store import ALERTS, TRANSITIONS, AlertRow
from tocsin_server.storage.statements import insert_or

_IDENTITY = ("client_id", "rule_key", "fingerprint")
_LASTING = frozenset({"id", *_IDENTITY, "alertname", "severity", "labels"})
"""What an alert's labels say; all else may change."""

_Identity = tuple[int, str, str]


def write_changes(session: Session, changes: Sequence[Change]) -> list[int]:
    """Write them; the ids of the alerts' rows, in the order given. What was active once has its row already."""
    # One row an alert: PostgreSQL refuses to change one twice. The last word on it counts.
    rows = [*{_identity(change.alert): _columns(change) for change in changes}.values()]
    given = session.execute(_upsert(session), rows)
    ids = {(client, rule, mark): row for row, client, rule, mark in given}
    told = [_transition(change, ids[_identity(change.alert)]) for change in changes if change.is_transition]
    if told:
        session.execute(insert(TRANSITIONS), told)
    return [ids[_identity(change.alert)] for change in changes]


def _upsert(session: Session) -> ReturningInsert[Any]:
    statement = insert_or(session, ALERTS)
    changing = {name: column for name, column in statement.excluded.items() if name not in _LASTING}
    identity = (ALERTS.c[name] for name in _IDENTITY)
    return statement.on_conflict_do_update(index_elements=_IDENTITY, set_=changing).returning(
        ALERTS.c.id, *identity
    )


def active_alerts(session: Session) -> list[Alert]:
    """The alerts that were active when they were last written."""
    return [_alert(row) for row in session.exec(select(AlertRow).where(col(AlertRow.state).in_(ACTIVE)))]


def _identity(alert: Alert) -> _Identity:
    return alert.client_id, alert.rule_key, alert.fingerprint


def _columns(change: Change) -> dict[str, Any]:
    alert = change.alert
    return {
        "client_id": alert.client_id,
        "host_id": alert.host_id,
        "rule_key": alert.rule_key,
        "fingerprint": alert.fingerprint,
        "alertname": alert.labels[ALERT_NAME],
        "severity": alert.labels.get("severity", "").replace("\0", ""),  # PostgreSQL's text has no NUL
        "expression": alert.expression,
        "labels": dict(alert.labels),
        "row_labels": dict(alert.row),
        "annotations": dict(alert.annotations),
        "state": alert.life.state,
        "value": _number(alert.value),
        "active_ms": alert.life.active_ms,
        "fired_ms": alert.life.fired_ms,
        "keep_firing_since_ms": alert.life.keep_firing_since_ms,
        "resolved_ms": alert.life.resolved_ms,
        "changed_ms": change.at_ms,
    }


def _transition(change: Change, alert_id: int) -> dict[str, Any]:
    return {
        "client_id": change.alert.client_id,
        "alert_id": alert_id,
        "at_ms": change.at_ms,
        "old": change.old,
        "new": change.alert.life.state,
        "value": _number(change.alert.value),
        "sample_ms": change.sample_ms,
        "annotations": dict(change.alert.annotations),
    }


def _alert(row: AlertRow) -> Alert:
    return Alert(
        rule_key=row.rule_key,
        expression=row.expression,
        client_id=row.client_id,
        host_id=row.host_id,
        labels=row.labels,
        fingerprint=row.fingerprint,
        row=row.row_labels,
        life=Life(
            AlertState(row.state), row.active_ms, row.fired_ms, row.keep_firing_since_ms, row.resolved_ms
        ),
        value=math.nan if row.value is None else row.value,
        annotations=row.annotations,
        id=row.id,
    )


def _number(value: float) -> float | None:
    """What the database can hold; it has no NaN."""
    return None if math.isnan(value) else value
