"""What the audit log holds of tickets: each act of a person, with the digest of the event that tells of it.

So an event that is changed or removed afterwards is found as long as the log is whole. Events that no person
has made, those of alerts and of the clock, are not in it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import RowMapping, select
from sqlmodel import Session

from tocsin_server.access.audit import Act, Actor, Deed, Entry
from tocsin_server.access.verification import Fault, Ill
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.store import EVENTS

_BATCH = 500
_MOST = (1 << 63) - 1
"""More than that no database holds."""
_NO_EVENT = (0, "")


def deed(session: Session, happening: Happening, *, by: Actor, at_ms: int) -> Deed:
    """What somebody has just done to a ticket; its newest event is that of the act."""
    asked = (
        select(EVENTS).where(EVENTS.c.ticket_id == happening.ticket_id).order_by(EVENTS.c.id.desc()).limit(1)
    )
    event = session.execute(asked).mappings().one()
    return Deed(
        Act(f"ticket.{happening.kind.value}"),
        happening.ticket_id,
        by=by,
        at_ms=at_ms,
        client_id=event["client_id"],
        details={"event": event["id"], "sha256": digest_of(event)},
    )


def first_altered(session: Session, entries: Iterable[Entry]) -> Fault | None:
    """The first entry of a whole log whose event is not as it was."""
    told = (entry for entry in entries if entry.act.startswith("ticket."))
    return next((fault for batch in _batches(told) for fault in _altered(session, batch)), None)


def digest_of(event: RowMapping) -> str:
    """SHA-256, in hexadecimal, of the row as a JSON object without spaces, its keys sorted, in ASCII."""
    text = json.dumps(dict(event), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _altered(session: Session, batch: list[Entry]) -> Iterator[Fault]:
    told = [_event_of(entry) for entry in batch]
    asked = select(EVENTS).where(EVENTS.c.id.in_([number for number, _ in told]))
    there = {row["id"]: digest_of(row) for row in session.execute(asked).mappings()}
    for entry, (number, digest) in zip(batch, told, strict=True):
        if there.get(number) != digest:
            happened = "changed" if number in there else "removed"
            said = f"event {number}, which entry {entry.id} tells of, has been {happened}"
            yield Fault(entry.id, Ill.EVENT, said)


def _event_of(entry: Entry) -> tuple[int, str]:
    """Number and digest of the event; of an entry that somebody has made up, those of none."""
    try:
        details = json.loads(entry.details)
        number, digest = int(details["event"]), str(details["sha256"])
    except (ValueError, TypeError, KeyError):
        return _NO_EVENT
    return (number, digest) if 0 < number <= _MOST else _NO_EVENT


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, _BATCH)):
        yield batch
