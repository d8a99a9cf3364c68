"""Tickets that were to wait until a time which has come: they are gone on with, whatever they waited for."""

from sqlmodel import Session

from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import read_records, write_changes, write_entries
from tocsin_server.desk.store import IS_WAKING, TICKETS
from tocsin_server.desk.ticket import wake

LIMIT = 500
"""How many one call wakes; the others wait for the next."""


def wake_due(session: Session, now_ms: int) -> list[Happening]:
    """Go on with those whose time has come; what has come of each."""
    records = read_records(session, IS_WAKING & (TICKETS.c.wakes_ms <= now_ms))[:LIMIT]
    for record in records:
        record.take_in(wake(record.standing, now_ms))
    write_changes(session, records)
    write_entries(session, records)
    return [Happening(record.ticket_id, record.entries[-1][0].kind) for record in records]
