"""What the audit log holds of a ticket's event is the same on every database, whatever the event says."""

import pytest
from sqlalchemy import update
from sqlmodel import Session

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketState
from tocsin_server.access.audit import Actor, Party
from tocsin_server.access.auditlog import entries, record
from tocsin_server.access.verification import Fault, Ill
from tocsin_server.desk.attested import deed, first_altered
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.store import EVENTS, Ticket, TicketEventRow
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
DIGEST = "343c3e23cf4cfe5207476af146cd1f9664037aa6320ed5c2d1e1715cd8a09adf"
ALICE = Actor(Party.PERSON, "alice")


def comment(session: Session, *, public: bool = False) -> None:
    """Alice says something on Acme's ticket, and it is recorded."""
    session.add(
        Ticket(id=1, client_id=1, title="", state=TicketState.NEW, priority=3, opened_ms=NOW, updated_ms=NOW)
    )
    session.flush()
    event = TicketEventRow(
        client_id=1,
        ticket_id=1,
        at_ms=NOW,
        kind=TicketEventKind.COMMENTED,
        actor_kind=ActorKind.PERSON,
        actor="alice",
        text="Größe ≥ 3\n'; DROP TABLE audit; --",
        data={"ü": [0.1, None, True], "a": "\x1b"},
        public=public,
    )
    session.add(event)
    session.flush()
    record(session, deed(session, Happening(1, TicketEventKind.COMMENTED), by=ALICE, at_ms=NOW))


def altered(storage: Storage) -> Fault | None:
    return storage.read(lambda session: first_altered(session, entries(session)))


def test_an_event_has_the_same_digest_on_every_database(storage: Storage) -> None:
    storage.write(comment)

    (entry,) = storage.read(lambda session: list(entries(session)))

    assert entry.details == f'{{"event":1,"sha256":"{DIGEST}"}}'
    assert (entry.act, entry.subject, entry.client_id) == ("ticket.commented", "1", 1)
    assert altered(storage) is None


def test_an_event_that_was_altered_is_found_on_every_database(storage: Storage) -> None:
    storage.write(comment)
    storage.write(lambda session: session.execute(update(EVENTS).values(text="never mind")))

    assert altered(storage) == Fault(1, Ill.EVENT, "event 1, which entry 1 tells of, has been changed")


@pytest.mark.parametrize("public", [False, True])
def test_whether_a_comment_is_public_cannot_be_altered_unseen(storage: Storage, *, public: bool) -> None:
    storage.write(lambda session: comment(session, public=public))
    whole = altered(storage)
    storage.write(lambda session: session.execute(update(EVENTS).values(public=not public)))

    assert whole is None
    assert altered(storage) == Fault(1, Ill.EVENT, "event 1, which entry 1 tells of, has been changed")
