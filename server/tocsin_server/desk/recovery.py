"""Tickets whose trouble has gone: solved by themselves, or, where a person has spoken, up for confirmation.

Good news needs proof. All of the ticket's alerts must have been seen false for the quiet time, none may be
pending, firing or unknown, and its host must be heard: silence is not recovery. Where the last of them ended
because its rule or its host has gone, nothing is proved, and a person is asked as well.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import REASON
from tocsin_server.alerts.store import AlertRow
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.evidence import Data, rfc3339
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import Record, read_records, written
from tocsin_server.desk.ruling import term_of
from tocsin_server.desk.store import IS_RECOVERING, TICKET_ALERTS, TICKETS
from tocsin_server.desk.ticket import recover
from tocsin_server.desk.trouble import holds
from tocsin_server.desk.worlds import worlds_of

LIMIT = 500
"""How many tickets one call settles; the others wait for the next."""
_ALERTS = AlertRow.metadata.tables["alert"]
_CALM = frozenset({AlertState.RESOLVED, AlertState.INACTIVE})


def settle_recovered(
    session: Session,
    now_ms: int,
    *,
    quiet_ms: int,
    is_fresh: Callable[[int], bool],
    tables: Tables,
) -> list[Happening]:
    """Settle the tickets that have been clear for the quiet time; what has come of each.

    `tables` say when those that are solved close by themselves.
    """
    is_due = IS_RECOVERING & (TICKETS.c.recovered_ms <= now_ms - quiet_ms)
    due = read_records(session, is_due)
    if not due:
        return []
    alerts = _alerts_of_due(session, is_due)
    settled = [
        record
        for record in due
        if _is_clear(alerts[record.ticket_id], now_ms - quiet_ms)
        and (_is_heard(record, is_fresh) or not _is_seen(alerts[record.ticket_id]))
    ][:LIMIT]
    worlds = worlds_of(session, [record.ticket_id for record in settled])
    for record in settled:
        was, ended = record.standing, alerts[record.ticket_id]
        term = term_of(tables, worlds[record.ticket_id], now_ms, priority=was.priority, solved_by="recovery")
        data, is_seen = _data(record, ended), _is_seen(ended)
        record.take_in(recover(was, now_ms, quiet_ms=quiet_ms, is_seen=is_seen, data=data, term=term))
    return written(session, settled)


def _alerts_of_due(session: Session, is_due: ColumnElement[bool]) -> defaultdict[int, list[Row[Any]]]:
    asked = (
        select(
            TICKET_ALERTS.c.ticket_id,
            _ALERTS.c.alertname,
            _ALERTS.c.severity,
            _ALERTS.c.state,
            _ALERTS.c.suppressed,
            _ALERTS.c.changed_ms,
            _ALERTS.c.annotations,
        )
        .join_from(TICKET_ALERTS, _ALERTS, _ALERTS.c.id == TICKET_ALERTS.c.alert_id)
        .where(TICKET_ALERTS.c.ticket_id.in_(select(TICKETS.c.id).where(is_due)), ~TICKET_ALERTS.c.cut_off)
    )
    alerts: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(asked):
        alerts[row.ticket_id].append(row)
    return alerts


def _is_clear(alerts: Sequence[Row[Any]], since_ms: int) -> bool:
    """An alert that was pending meanwhile has changed since, and its quiet time begins again."""
    return all(row.state in _CALM and not holds(row) and row.changed_ms <= since_ms for row in alerts)


def _is_seen(alerts: Sequence[Row[Any]]) -> bool:
    """Whether it was by its condition that the last of them ended."""
    ended_ms = max((row.changed_ms for row in alerts), default=0)
    return all(REASON not in row.annotations for row in alerts if row.changed_ms == ended_ms)


def _is_heard(record: Record, is_fresh: Callable[[int], bool]) -> bool:
    return record.facts.host_id is None or is_fresh(record.facts.host_id)


def _data(record: Record, alerts: Sequence[Row[Any]]) -> Data:
    clear_since_ms = record.standing.recovered_ms
    return {
        "clear_since": None if clear_since_ms is None else rfc3339(clear_since_ms),
        "alerts": {f"{row.alertname} {row.severity}".rstrip(): row.state.value for row in alerts},
    }
