"""What the audit log holds of tickets: each act of a person, with the digest of the event that tells of it.

So an event that is changed or removed afterwards is found as long as the log is whole. Events that no person
has made, those of alerts and of the clock, are not in it. A digest is SHA-256, in hexadecimal, of the line
`tocsin-event-v1` with its newline and then of

    id  client_id  ticket_id  at_ms  kind  actor_kind  actor  text  data  transition_id

as the row has them, each as in the log itself (`access/audit.py`); where the event is public, the word `public`
follows. What is added to the table later is in no digest before.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Row, String, Text, cast, select, type_coerce
from sqlmodel import Session

from tocsin_server.access.audit import Act, Actor, Deed, Entry, framed
from tocsin_server.access.verification import Fault, Ill
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.store import EVENTS

_DOMAIN = b"tocsin-event-v1\n"
# Words and JSON as text: a row that was tampered with may hold what is neither.
_TOLD = (
    EVENTS.c.id,
    EVENTS.c.client_id,
    EVENTS.c.ticket_id,
    EVENTS.c.at_ms,
    type_coerce(EVENTS.c.kind, String),
    type_coerce(EVENTS.c.actor_kind, String),
    EVENTS.c.actor,
    EVENTS.c.text,
    cast(EVENTS.c.data, Text),
    EVENTS.c.transition_id,
    EVENTS.c.public,
)
_BATCH = 500
_MOST = (1 << 63) - 1
"""More than that no database holds."""
_NO_EVENT = (0, "")


def deed(session: Session, happening: Happening, *, by: Actor, at_ms: int) -> Deed:
    """What somebody has just done to a ticket; its newest event of that kind is the act's."""
    of_act = EVENTS.c.ticket_id == happening.ticket_id, EVENTS.c.kind == happening.kind
    asked = select(*_TOLD).where(*of_act).order_by(EVENTS.c.id.desc()).limit(1)
    event = session.execute(asked).one()
    return Deed(
        Act(f"ticket.{happening.kind.value}"),
        happening.ticket_id,
        by=by,
        at_ms=at_ms,
        client_id=event.client_id,
        details={"event": event.id, "sha256": digest_of(event)},
    )


def first_altered(session: Session, entries: Iterable[Entry]) -> Fault | None:
    """The first entry of a whole log whose event is not as it was."""
    told = (entry for entry in entries if entry.act.startswith("ticket."))
    return next((fault for batch in _batches(told) for fault in _altered(session, batch)), None)


def digest_of(event: Row[Any]) -> str:
    """What an event's digest has to be."""
    told = (*event[:-1], "public") if event.public else event[:-1]
    return hashlib.sha256(_DOMAIN + b"".join(map(framed, told))).hexdigest()


def _altered(session: Session, batch: list[Entry]) -> Iterator[Fault]:
    told = [_event_of(entry) for entry in batch]
    asked = select(*_TOLD).where(EVENTS.c.id.in_([number for number, _ in told]))
    there = {event.id: digest_of(event) for event in session.execute(asked)}
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
