"""Which ticket is about a trouble, and whether an alert keeps it open.

The key of the trouble is the client, the alert's name and its labels without the severity: two severities of
the same trouble share one ticket. While that one is merged into another, the other hears of it.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, or_, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import SuppressionKind
from tocsin_server.desk.record import Record, read_records
from tocsin_server.desk.standing import ALARMING
from tocsin_server.desk.store import IS_MERGED, IS_OPEN, TICKETS


def ticket_key(client_id: int, alertname: str, labels: Mapping[str, str]) -> str:
    """What makes alerts the same trouble."""
    identity = sorted((name, value) for name, value in labels.items() if name not in ("alertname", "severity"))
    exact = json.dumps([client_id, alertname, identity]).encode()
    return hashlib.blake2b(exact, digest_size=16).hexdigest()


def holds(alert: Row[Any]) -> bool:
    """Whether its ticket is not over: it may still be there, or ends only to begin again."""
    return alert.state in ALARMING or flaps(alert.suppressed)


def flaps(reasons: Sequence[Mapping[str, str]]) -> bool:
    """Whether one of the reasons that withhold it is that it flaps."""
    return not all(map(is_bar, reasons))


def is_bar(reason: Mapping[str, str]) -> bool:
    """Whether it keeps a ticket from being opened; that an alert flaps does not."""
    return reason["kind"] != SuppressionKind.FLAPPING


def records_of(session: Session, keys: Collection[str]) -> tuple[dict[str, Record], dict[str, int]]:
    """For each key the open ticket, else the newest; instead of one that is merged the one that it is part of.

    An open ticket that one of the key is merged into comes before those that are not open. The second answer
    says for such keys through which ticket.
    """
    if not keys:
        return {}, {}
    key = TICKETS.c.key
    newest = select(func.max(TICKETS.c.id)).where(key.in_(keys)).group_by(key)
    still_open = select(TICKETS.c.id).where(key.in_(keys), IS_OPEN)
    is_asked_for = or_(TICKETS.c.id.in_(newest), TICKETS.c.id.in_(still_open), key.in_(keys) & IS_MERGED)
    found = {record.ticket_id: record for record in read_records(session, is_asked_for)}
    survivors = _survivors(session, found)
    records: dict[str, Record] = {}
    via: dict[str, int] = {}
    for ticket_id in sorted(found):
        record, of_key = survivors[ticket_id], found[ticket_id].facts.key
        if of_key is None or (
            of_key in records and records[of_key].standing.is_open and not record.standing.is_open
        ):
            continue
        records[of_key] = record
        via.pop(of_key, None)
        if record is not found[ticket_id]:
            via[of_key] = ticket_id
    return records, via


def _survivors(session: Session, found: Mapping[int, Record]) -> dict[int, Record]:
    """For each of these tickets the one that it is part of, which is itself where it is not merged."""
    known = dict(found)
    while (
        missing := {into for record in known.values() if (into := record.standing.merged_into) is not None}
        - known.keys()
    ):
        known.update({record.ticket_id: record for record in read_records(session, TICKETS.c.id.in_(missing))})
    return {ticket_id: _survivor(record, known) for ticket_id, record in found.items()}


def _survivor(record: Record, known: Mapping[int, Record]) -> Record:
    while record.standing.merged_into is not None:
        record = known[record.standing.merged_into]
    return record
