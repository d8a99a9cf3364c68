"""Write the changes of a round: the alerts' rows and the transitions that tell of them.

In bulk, because a storm is when it matters: a thousand alerts are a few statements. The caller's transaction
holds all of it or nothing.
"""

import math
from collections.abc import Mapping, Sequence
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

Identity = tuple[int, str, str]
"""Client, rule and fingerprint: what an alert's row is known by."""


def write_changes(session: Session, changes: Sequence[Change]) -> list[int]:
    """Write them; the ids of the alerts' rows, in the order given. What was active once has its row already."""
    ids = write_rows(session, changes)
    told = [change for change in changes if change.is_transition]
    write_transitions(session, told, ids)
    return [ids[identity(change.alert)] for change in changes]


def write_rows(session: Session, changes: Sequence[Change], *, late: bool = False) -> dict[Identity, int]:
    """Let the alerts' rows stand like this; their ids."""
    # One row an alert: PostgreSQL refuses to change one twice. The last word on it counts.
    rows = [*{identity(change.alert): {**_columns(change), "late": late} for change in changes}.values()]
    given = session.execute(_upsert(session), rows) if rows else ()
    return {(client, rule, mark): row for row, client, rule, mark in given}


def write_transitions(
    session: Session,
    changes: Sequence[Change],
    ids: Mapping[Identity, int],
    *,
    late: bool = False,
    consumed_ms: int | None = None,
) -> None:
    """Tell of changes; `consumed_ms` is for those that the desk is not to hear of."""
    more = {"late": late, "consumed_ms": consumed_ms}
    told = [{**_transition(change, ids[identity(change.alert)]), **more} for change in changes]
    if told:
        session.execute(insert(TRANSITIONS), told)


def _upsert(session: Session) -> ReturningInsert[Any]:
    statement = insert_or(session, ALERTS)
    changing = {name: column for name, column in statement.excluded.items() if name not in _LASTING}
    known_by = (ALERTS.c[name] for name in _IDENTITY)
    return statement.on_conflict_do_update(index_elements=_IDENTITY, set_=changing).returning(
        ALERTS.c.id, *known_by
    )


def active_alerts(session: Session) -> list[Alert]:
    """The alerts that were active when they were last written."""
    return [_alert(row) for row in session.exec(select(AlertRow).where(col(AlertRow.state).in_(ACTIVE)))]


def identity(alert: Alert) -> Identity:
    """What its row is known by."""
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
