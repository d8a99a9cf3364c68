"""Tickets that were to wait until a time which has come: they are gone on with, whatever they waited for."""

from sqlalchemy import bindparam, select
from sqlmodel import Session

from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import read_records, written
from tocsin_server.desk.store import IS_WAKING, TICKETS
from tocsin_server.desk.ticket import wake

LIMIT = 500
"""How many one call wakes; the others wait for the next."""

_DUE = (
    select(TICKETS.c.id)
    .where(IS_WAKING, TICKETS.c.wakes_ms <= bindparam("now_ms"))
    .order_by(TICKETS.c.wakes_ms)
    .limit(LIMIT)
)


def wake_due(session: Session, now_ms: int) -> list[Happening]:
    """Go on with those whose time has come; what has come of each."""
    due = session.execute(_DUE, {"now_ms": now_ms}).scalars().all()
    if not due:
        return []
    records = read_records(session, TICKETS.c.id.in_(due))
    for record in records:
        record.take_in(wake(record.standing, now_ms))
    return written(session, records)
