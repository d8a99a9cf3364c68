"""What is written of an alert: how it stands, each of its changes, what withheld it, and which ticket heard.

Whoever may not see a client is told of its alerts and tickets what is told of those that are not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, func, select
from sqlmodel import Session

from tocsin_protocol.alerts import Alert, Suppression
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import AlertState
from tocsin_protocol.why import AlertStep
from tocsin_server.access.scope import Scope
from tocsin_server.alerts.alert import REASON
from tocsin_server.alerts.state import ACTIVE
from tocsin_server.alerts.store import ALERTS, TRANSITIONS, AlertRow
from tocsin_server.clock import moment
from tocsin_server.desk.alarms import LiveValue, alert_view, alerts_of_ticket
from tocsin_server.desk.evidence import evidence_of
from tocsin_server.desk.queue import ticket_row
from tocsin_server.desk.store import EVENTS, TICKETS
from tocsin_server.errors import NotFound
from tocsin_server.promql.spelling import decimal

MOST_STEPS = 200
MOST_ALERTS = 20
_ENDED = (AlertState.INACTIVE, AlertState.RESOLVED)


@dataclass(frozen=True, slots=True)
class Case:
    """An alert with its changes, oldest first; `left_out` are older ones."""

    alert: Alert
    client_id: int
    rule_key: str
    row_labels: Mapping[str, str]
    steps: Sequence[AlertStep]
    left_out: int
    from_ms: int
    """When its condition became true the last time."""
    to_ms: int | None
    """When that was over, where it is."""
    marks: Sequence[int]
    """Moments in between that matter."""


def alert_case(session: Session, scope: Scope, alert_id: int, *, live_value: LiveValue | None = None) -> Case:
    """One alert of the clients that are seen."""
    row = session.get(AlertRow, alert_id)
    if row is None or not scope.sees(row.client_id):
        raise NotFound(
            f"there is no alert {alert_id}", remedy="tocsin-server rules why names those that are active"
        )
    return _case(session, row, alert_view(session, scope, alert_id, live_value=live_value))


def ticket_cases(
    session: Session, scope: Scope, ticket_id: int, *, live_value: LiveValue | None = None
) -> tuple[TicketRow, list[Case], int]:
    """A ticket, the worst of its alerts, and how many more there are."""
    owner = session.execute(select(TICKETS.c.client_id).where(TICKETS.c.id == ticket_id)).scalar()
    if owner is None or not scope.sees(owner):
        raise NotFound(f"there is no ticket {ticket_id}", remedy="take its number as the console shows it")
    alerts = alerts_of_ticket(session, scope, ticket_id, live_value=live_value)
    cases = [_case(session, session.get_one(AlertRow, alert.id), alert) for alert in alerts[:MOST_ALERTS]]
    return ticket_row(session, scope, ticket_id), cases, len(alerts) - len(cases)


def _case(session: Session, row: AlertRow, alert: Alert) -> Case:
    steps = _steps(session, alert.id)
    from_ms, to_ms = _stretch(row, steps)
    return Case(
        alert=alert,
        client_id=row.client_id,
        rule_key=row.rule_key,
        row_labels=row.row_labels,
        steps=[_told(step) for step in steps],
        left_out=_count(session, alert.id) - len(steps),
        from_ms=from_ms,
        to_ms=to_ms,
        marks=sorted({from_ms, *_marks(row)}),
    )


def _marks(row: AlertRow) -> Iterator[int]:
    for at_ms in (row.fired_ms, row.keep_firing_since_ms, row.resolved_ms):
        if at_ms is not None:
            yield at_ms


def _stretch(row: AlertRow, steps: Sequence[Row[Any]]) -> tuple[int, int | None]:
    """When it was there the last time. Of one that has never fired only its changes know."""
    if row.active_ms is not None:
        over_ms = row.changed_ms if row.resolved_ms is None else row.resolved_ms
        return row.active_ms, None if row.state in ACTIVE else over_ms
    ends = [step.at_ms for step in steps if step.new in _ENDED]
    begins = [step.at_ms for step in steps if step.old in _ENDED]
    to_ms = ends[-1] if ends else row.changed_ms
    return begins[-1] if begins and begins[-1] <= to_ms else to_ms, to_ms


def _count(session: Session, alert_id: int) -> int:
    asked = select(func.count()).select_from(TRANSITIONS).where(TRANSITIONS.c.alert_id == alert_id)
    return int(session.execute(asked).scalar_one())


def _steps(session: Session, alert_id: int) -> list[Row[Any]]:
    """The latest changes, in the order in which they happened, with what the alert is."""
    what = (ALERTS.c[name] for name in ("alertname", "severity", "expression", "labels"))
    asked = (
        select(TRANSITIONS, *what, EVENTS.c.ticket_id)
        .join_from(TRANSITIONS, ALERTS, ALERTS.c.id == TRANSITIONS.c.alert_id)
        .outerjoin(EVENTS, EVENTS.c.transition_id == TRANSITIONS.c.id)
        .where(TRANSITIONS.c.alert_id == alert_id)
        .order_by(TRANSITIONS.c.at_ms.desc(), TRANSITIONS.c.id.desc())
        .limit(MOST_STEPS)
    )
    return [*reversed(session.execute(asked).all())]


def _told(step: Row[Any]) -> AlertStep:
    return AlertStep(
        at=moment(step.at_ms),
        old=step.old,
        new=step.new,
        value=None if step.value is None else decimal(step.value),
        sample_at=None if step.sample_ms is None else moment(step.sample_ms),
        words=_words(step),
        withheld=msgspec.convert(step.withheld, list[Suppression]),
        redelivered=step.redelivers,
        late=step.late,
        ticket_id=step.ticket_id,
    )


def _words(step: Row[Any]) -> str:
    if step.new is AlertState.INACTIVE and not step.annotations.get(REASON):
        return "no longer seen true, before it had been for long enough"
    return evidence_of(step).text
