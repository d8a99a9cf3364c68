"""Write the changes of a round: the alerts' rows and the transitions that tell of them.

In bulk, because a storm is when it matters: a thousand alerts are a few statements. The caller's transaction
holds all of it or nothing.
"""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import ALERT_NAME, Alert, Change
from tocsin_server.alerts.state import ACTIVE, Life
from tocsin_server.alerts.store import AlertRow, Transition

_CHUNK = 500
"""How many values one question carries; SQLite takes 32,766."""

_Identity = tuple[int, str, str]


def write_changes(session: Session, changes: Sequence[Change]) -> list[int]:
    """Write them; the ids of the alerts' rows, in the order given."""
    ids = _known_ids(session, [change.alert for change in changes])
    known = [change for change in changes if _identity(change.alert) in ids]
    fresh = [change for change in changes if _identity(change.alert) not in ids]
    if known:
        rows = [{"id": ids[_identity(change.alert)], **_columns(change)} for change in known]
        session.execute(update(AlertRow), rows)
    if fresh:
        ids |= _insert(session, fresh)
    told = [_transition(change, ids[_identity(change.alert)]) for change in changes if change.is_transition]
    if told:
        session.execute(insert(Transition), told)
    return [ids[_identity(change.alert)] for change in changes]


def active_alerts(session: Session) -> list[Alert]:
    """The alerts that were active when they were last written."""
    return [_alert(row) for row in session.exec(select(AlertRow).where(col(AlertRow.state).in_(ACTIVE)))]


def _known_ids(session: Session, alerts: Sequence[Alert]) -> dict[_Identity, int]:
    """The rows that are there already: of active alerts, and of those that were active once."""
    ids = {_identity(alert): alert.id for alert in alerts if alert.id is not None}
    wanted = [alert.fingerprint for alert in alerts if alert.id is None]
    for start in range(0, len(wanted), _CHUNK):
        asked = select(AlertRow.id, AlertRow.client_id, AlertRow.rule_key, AlertRow.fingerprint).where(
            col(AlertRow.fingerprint).in_(wanted[start : start + _CHUNK])
        )
        ids |= {(client, rule, mark): row for row, client, rule, mark in session.exec(asked) if row is not None}
    return ids


def _insert(session: Session, changes: Sequence[Change]) -> dict[_Identity, int]:
    asked = insert(AlertRow).returning(col(AlertRow.id), sort_by_parameter_order=True)
    given = session.scalars(asked, [_columns(change) for change in changes])
    return {_identity(change.alert): row for change, row in zip(changes, given, strict=True) if row is not None}


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
        "severity": alert.labels.get("severity", ""),
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
