"""Solved tickets that nobody has reopened until the time at which they were to close by themselves.

One of whose alerts fires or cannot be judged stays solved, and is looked at again an hour later: an alert that
fires on sends no transition, and nothing would reopen a closed ticket. That it is put off changes nothing of
the ticket, so it is no event and no version.
"""

from collections.abc import Collection

from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from tocsin_server.alerts.store import ALERTS
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import read_records, written
from tocsin_server.desk.standing import ALARMING
from tocsin_server.desk.store import IS_CLOSING, TICKET_ALERTS, TICKETS
from tocsin_server.desk.ticket import expire

LIMIT = 500
"""How many one call looks at; the others wait for the next."""
PUT_OFF_MS = 3_600_000

_DUE = (
    select(TICKETS.c.id)
    .where(IS_CLOSING, TICKETS.c.closes_ms <= bindparam("now_ms"))
    .order_by(TICKETS.c.closes_ms)
    .limit(LIMIT)
)
_ALARMING = (
    select(TICKET_ALERTS.c.ticket_id)
    .join_from(TICKET_ALERTS, ALERTS, ALERTS.c.id == TICKET_ALERTS.c.alert_id)
    .where(ALERTS.c.state.in_(ALARMING), ~TICKET_ALERTS.c.cut_off)
)


def close_due(session: Session, now_ms: int) -> list[Happening]:
    """Close those whose time has come; what has come of each."""
    due = session.execute(_DUE, {"now_ms": now_ms}).scalars().all()
    if not due:
        return []
    alarming = set(session.execute(_ALARMING.where(TICKET_ALERTS.c.ticket_id.in_(due))).scalars())
    _put_off(session, alarming, now_ms + PUT_OFF_MS)
    over = read_records(session, TICKETS.c.id.in_(set(due) - alarming))
    for record in over:
        record.take_in(expire(record.standing, now_ms))
    return written(session, over)


def _put_off(session: Session, ticket_ids: Collection[int], until_ms: int) -> None:
    if ticket_ids:
        session.execute(update(TICKETS).where(TICKETS.c.id.in_(ticket_ids)).values(closes_ms=until_ms))
