"""Tickets that a person has resolved while one of their alerts fires on: the bell rings again, unless something
withholds it, or somebody has acknowledged the alert.

An alert that does not change its state sends no transition, so nothing else would ever tell the desk that
the trouble is still there. One that is unknown, for want of data, is left to the person who has resolved the
ticket all the same: once data comes that shows the trouble, it fires anew, and that is a transition.

    1. start from the firing alerts, which are few, and keep those whose newest ticket is solved
    2. leave out the keys that have an open ticket, or one whose resolution still has time to show
    3. leave out alerts whose transition waits to be consumed: they are intake's, and may ask for a new ticket
    4. leave out what is on an open ticket of a storm by now
    5. for each key, reopen the ticket that was solved last, with the worst of its alerts as evidence
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, or_, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, AlertState, TicketState
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.desk.alarms import NEWEST_TICKET
from tocsin_server.desk.evidence import Data, json_value, rfc3339
from tocsin_server.desk.gathering import let_go
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.intake import IS_WAITING
from tocsin_server.desk.record import Attached, Record, read_records, write_alerts, written
from tocsin_server.desk.ruling import priority_of
from tocsin_server.desk.store import IS_GATHERED, TICKET_ALERTS, TICKETS
from tocsin_server.desk.storm import storm_key
from tocsin_server.desk.ticket import relapse
from tocsin_server.desk.trouble import ticket_key

LIMIT = 500
"""How many alerts one call looks at; the others wait for the next."""

_ALERTS = AlertRow.metadata.tables["alert"]
_TRANSITIONS = Transition.metadata.tables["transition"]
_OTHERS = TICKETS.alias("other")

# Not correlated, so that it is asked once: an alert that has flapped for a year has many transitions.
_WAITING = select(_TRANSITIONS.c.alert_id).where(IS_WAITING)
_IS_IN_HAND = (
    select(_OTHERS.c.id)
    .where(
        _OTHERS.c.key == TICKETS.c.key,
        or_(_OTHERS.c.state.in_(OPEN_TICKET_STATES), _OTHERS.c.solved_ms > bindparam("until_ms")),
    )
    .exists()
)
"""Whether a ticket of the key is open or was solved of late: an older one may have been reopened."""
_GATHERING = TICKET_ALERTS.join(_OTHERS, _OTHERS.c.id == TICKET_ALERTS.c.ticket_id)
_GATHERED = (
    select(TICKET_ALERTS.c.ticket_id)
    .select_from(_GATHERING)
    .where(IS_GATHERED, _OTHERS.c.state.in_(OPEN_TICKET_STATES))
    .correlate(TICKETS, _ALERTS)
)
_IS_IN_A_STORM = or_(
    _GATHERED.where(TICKET_ALERTS.c.trouble == TICKETS.c.key).exists(),
    _GATHERED.where(TICKET_ALERTS.c.alert_id == _ALERTS.c.id).exists(),
)
# Made once: it is asked every second, and to make it takes as long as its answer.
_UNHEARD = (
    select(
        _ALERTS.c.id,
        _ALERTS.c.client_id,
        _ALERTS.c.alertname,
        _ALERTS.c.severity,
        _ALERTS.c.value,
        _ALERTS.c.expression,
        _ALERTS.c.labels,
        _ALERTS.c.fired_ms,
        _ALERTS.c.changed_ms,
        TICKETS.c.id.label("ticket_id"),
        TICKETS.c.key,
    )
    .join_from(_ALERTS, TICKETS, TICKETS.c.id == NEWEST_TICKET)
    .where(
        _ALERTS.c.state == AlertState.FIRING,
        _ALERTS.c.suppressed_ms.is_(None),
        _ALERTS.c.acknowledged_ms.is_(None),
        TICKETS.c.state == TicketState.SOLVED,
        TICKETS.c.solved_ms <= bindparam("until_ms"),  # one that a person has opened has no key
        ~_IS_IN_HAND,
        ~_IS_IN_A_STORM,
        _ALERTS.c.id.not_in(_WAITING),
    )
)


def reopen_still_firing(session: Session, now_ms: int, *, after_ms: int, limit: int = LIMIT) -> list[Happening]:
    """Reopen what was resolved at least `after_ms` ago and has an alert that fires still."""
    alerts = _alerts_by_key(session, now_ms - after_ms, limit)
    if not alerts:
        return []
    relapsed = _solved_last(session, [row for rows in alerts.values() for row in rows])
    for key, record in relapsed.items():
        worst = min(alerts[key], key=_badness)
        record.take_in(relapse(record.standing, now_ms, data=_data(worst)))
    records = list(relapsed.values())
    happenings = written(session, records)
    write_alerts(
        session, [_attached(record, alert) for key, record in relapsed.items() for alert in alerts[key]]
    )
    let_go(session, [record.ticket_id for record in records])
    return happenings


def _attached(record: Record, alert: Row[Any]) -> Attached:
    """To a storm by the trouble that it is."""
    is_storm = record.facts.key == storm_key(alert.client_id)
    return Attached(
        record,
        alert.id,
        trouble=ticket_key(alert.client_id, alert.alertname, alert.labels) if is_storm else None,
    )


def _alerts_by_key(session: Session, until_ms: int, limit: int) -> Mapping[str, Sequence[Row[Any]]]:
    """The firing alerts that nobody is told of any more, by the trouble that their tickets are about."""
    alerts: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(_UNHEARD.limit(limit), {"until_ms": until_ms}):
        alerts[_trouble(row.key, row.ticket_id)].append(row)
    return alerts


def _solved_last(session: Session, alerts: Sequence[Row[Any]]) -> dict[str, Record]:
    """For each trouble the ticket that was solved last: its owner is the one to whom this is news."""
    keys = {row.key for row in alerts if row.key is not None}
    without = {row.ticket_id for row in alerts if row.key is None}
    is_one = or_(TICKETS.c.key.in_(keys), TICKETS.c.id.in_(without))
    is_solved = TICKETS.c.state == TicketState.SOLVED
    in_order = sorted(
        read_records(session, is_one & is_solved), key=lambda record: record.standing.solved_ms or 0
    )
    return {_trouble(record.facts.key, record.ticket_id): record for record in in_order}


def _trouble(key: str | None, ticket_id: int) -> str:
    """What a ticket is about: of one without a key, into which another was merged, itself."""
    return f"ticket {ticket_id}" if key is None else key


def _badness(alert: Row[Any]) -> tuple[int, int]:
    """The most severe, and of those the one that has gone on for longest."""
    return priority_of(alert.severity), alert.fired_ms or 0


def _data(alert: Row[Any]) -> Data:
    """What the alert's row knows; its value is that of the last change."""
    return {
        "alertname": alert.alertname,
        "value": json_value(alert.value),
        "value_at": rfc3339(alert.changed_ms),
        "expression": alert.expression,
        "labels": dict(alert.labels),
        "since": None if alert.fired_ms is None else rfc3339(alert.fired_ms),
    }
