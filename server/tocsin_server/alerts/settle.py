"""Write the changes of a round: the alerts' rows and the transitions that tell of them.

In bulk, because a storm is when it matters: a thousand alerts are a few statements. The caller's transaction
holds all of it or nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.alert import ALERT_NAME, REASON, Alert, Change, Key, Reason
from tocsin_server.alerts.flapping import QUIET, SLOT_MS, SLOTS, Flaps, advance, is_change
from tocsin_server.alerts.state import ACTIVE, ALARMING, Life
from tocsin_server.alerts.store import ALERTS, TRANSITIONS, AlertRow
from tocsin_server.storage.statements import insert_or

_IDENTITY = ("client_id", "rule_key", "fingerprint")
_MARK = ("client_id", "fingerprint")
_MOVE = ("at_ms", "old", "new")
_UNTIL_CLEAR = ("acknowledged_ms", "acknowledged_by")
_LASTING = frozenset({"id", *_IDENTITY, "alertname", "severity", "labels"})
"""What an alert's labels say; all else may change."""

Identity = tuple[int, str, str]
"""Client, rule and fingerprint: what an alert's row is known by."""


def write_changes(session: Session, changes: Sequence[Change]) -> list[int]:
    """Write them; the ids of the alerts' rows, in the order given. What was active once has its row already."""
    ids = write_rows(session, changes)
    told = [change for change in changes if change.is_told]
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
    now = statement.excluded
    changing: dict[str, ColumnElement[Any]] = {
        name: column for name, column in now.items() if name not in _LASTING
    }
    goes_on = (now.state == ALERTS.c.state) & _is_one_of(now.state, ACTIVE)
    changing["changed_ms"] = sa.case((goes_on, ALERTS.c.changed_ms), else_=now.changed_ms)
    for name in _UNTIL_CLEAR:
        changing[name] = sa.case((_is_one_of(now.state, ALARMING), ALERTS.c[name]))
    known_by = (ALERTS.c[name] for name in _IDENTITY)
    return statement.on_conflict_do_update(index_elements=_IDENTITY, set_=changing).returning(
        ALERTS.c.id, *known_by
    )


def _is_one_of(state: ColumnElement[Any], states: Iterable[AlertState]) -> ColumnElement[bool]:
    """Without IN, which takes its values apart and so bars many rows at once."""
    return sa.or_(*(state == each for each in sorted(states)))


def active_alerts(session: Session) -> list[Alert]:
    """The alerts that were active when they were last written."""
    return [_alert(row) for row in session.exec(select(AlertRow).where(col(AlertRow.state).in_(ACTIVE)))]


def calm_and_flapping(session: Session) -> list[Alert]:
    """The alerts that had ended and still flapped when they were last written."""
    ended = select(AlertRow).where(col(AlertRow.state).not_in(ACTIVE), col(AlertRow.suppressed_ms).is_not(None))
    return [_alert(row) for row in session.exec(ended)]


def histories(session: Session, now_ms: int) -> dict[Key, Flaps]:
    """How alerts have begun and ended of late."""
    since_ms = now_ms - SLOTS * SLOT_MS
    columns = (*(ALERTS.c[name] for name in _MARK), *(TRANSITIONS.c[name] for name in _MOVE))
    asked = (
        sa.select(*columns)
        .join_from(TRANSITIONS, ALERTS, ALERTS.c.id == TRANSITIONS.c.alert_id)
        .where(ALERTS.c.changed_ms > since_ms, TRANSITIONS.c.at_ms > since_ms, ~TRANSITIONS.c.late)
        .order_by(TRANSITIONS.c.id)
    )
    found: dict[Key, Flaps] = {}
    for row in session.execute(asked):
        key = row.client_id, row.fingerprint
        found[key] = advance(found.get(key, QUIET), row.at_ms, changed=is_change(row.old, row.new))
    return found


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
        "suppressed": told_reasons(alert.suppressed),
        "suppressed_ms": alert.suppressed_ms,
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
        "annotations": {**change.alert.annotations, **({REASON: change.words} if change.words else {})},
        "withheld": told_reasons(change.withheld),
        "redelivers": change.redelivers,
    }


def told_reasons(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Reasons as a row keeps them."""
    return [{"kind": each.kind.value, "name": each.name, "words": each.words} for each in reasons]


def read_reasons(told: Iterable[Mapping[str, str]]) -> tuple[Reason, ...]:
    """The reasons that a row keeps."""
    return tuple(Reason(SuppressionKind(each["kind"]), each["name"], each["words"]) for each in told)


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
        suppressed=read_reasons(row.suppressed),
        suppressed_ms=row.suppressed_ms,
    )


def _number(value: float) -> float | None:
    """What the database can hold; it has no NaN."""
    return None if math.isnan(value) else value
