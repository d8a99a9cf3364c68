"""What people do to tickets.

Each act reads the ticket, decides by `ticket.py` and writes by compare-and-set. With a `version`, a ticket
that has changed since is refused as `Stale`, and the message says what has happened meanwhile.
"""

from collections.abc import Callable

from sqlalchemy import select, update
from sqlmodel import Session

from tocsin_protocol.api import NewTicket, Person
from tocsin_protocol.vocabulary import Role
from tocsin_server.alerts.store import ALERTS
from tocsin_server.desk import ticket
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import Facts, Record, read_records, write_changes, write_entries, write_new
from tocsin_server.desk.scope import client_id_of
from tocsin_server.desk.store import EVENTS, IS_OPEN, TICKET_ALERTS, TICKETS
from tocsin_server.desk.text import MAX_TITLE, given_text, required_text
from tocsin_server.desk.ticket import ALARMING, PRIORITIES, Change, Standing, Technician
from tocsin_server.errors import Conflict, NotFound, Stale, Unprocessable
from tocsin_server.estate.store import Host

_HOSTS = Host.metadata.tables["host"]


def take(session: Session, ticket_id: int, *, person: Person, version: int | None, now_ms: int) -> Happening:
    """Make it the person's; `Conflict` names the owner where it is somebody else's."""
    return _act(session, ticket_id, version, lambda was: ticket.take(was, _who(person), now_ms))


def release(session: Session, ticket_id: int, *, person: Person, version: int | None, now_ms: int) -> Happening:
    """Give it back to all. An administrator frees it from an owner who is away."""
    may = person.role is Role.ADMIN
    return _act(
        session,
        ticket_id,
        version,
        lambda was: ticket.release(was, _who(person), now_ms, may_release_others=may),
    )


def comment(
    session: Session, ticket_id: int, *, person: Person, version: int | None, now_ms: int, text: str
) -> Happening:
    """Say something; from now on the ticket is not solved by itself."""
    said = required_text(text, what="the comment")
    return _act(session, ticket_id, version, lambda was: ticket.comment(was, _who(person), now_ms, text=said))


def acknowledge(
    session: Session, ticket_id: int, *, person: Person, version: int | None, now_ms: int, text: str = ""
) -> Happening:
    """Know of its alerts: none rings again before it has cleared. `Conflict` where none is left to know of."""
    said = given_text(text, what="the note")
    ringing = ALERTS.c.state.in_(ALARMING) & ALERTS.c.acknowledged_ms.is_(None)
    on_ticket = select(TICKET_ALERTS.c.alert_id).where(TICKET_ALERTS.c.ticket_id == ticket_id)
    done = _act(
        session, ticket_id, version, lambda was: ticket.acknowledge(was, _who(person), now_ms, text=said)
    )
    known = session.execute(
        update(ALERTS)
        .where(ALERTS.c.id.in_(on_ticket), ringing)
        .values(acknowledged_ms=now_ms, acknowledged_by=person.login)
        .returning(ALERTS.c.id)
    )
    if not known.all():
        raise Conflict(
            f"ticket {ticket_id} has no alert that fires and is not acknowledged",
            remedy="there is nothing to do",
        )
    return done


def resolve(
    session: Session, ticket_id: int, *, person: Person, version: int | None, now_ms: int, text: str = ""
) -> Happening:
    """Say that it is mended, and how."""
    said = given_text(text, what="the resolution")
    return _act(session, ticket_id, version, lambda was: ticket.resolve(was, _who(person), now_ms, text=said))


def reopen(session: Session, ticket_id: int, *, person: Person, version: int | None, now_ms: int) -> Happening:
    """Say that it is not mended; `Conflict` names the open ticket of the same trouble where there is one."""
    record = _read(session, ticket_id)
    other = _open_of_same_key(session, record)
    if other is not None and not record.standing.is_open:
        raise Conflict(f"ticket {other} is open for the same trouble", remedy=f"go on with ticket {other}")
    return _act(session, ticket_id, version, lambda was: ticket.reopen(was, _who(person), now_ms))


def open_ticket(session: Session, new: NewTicket, *, person: Person, now_ms: int) -> Happening:
    """Open a ticket by hand; the host, where one is given, must be the client's."""
    if new.priority not in PRIORITIES:
        raise Unprocessable(
            f"priority {new.priority} does not exist", remedy="choose 1 to 4, 1 is the most urgent"
        )
    title = " ".join(required_text(new.title, what="the title", most=MAX_TITLE).split())
    text = given_text(new.text, what="the text")
    client_id = client_id_of(session, new.client)
    site_id = None if new.host_id is None else _site_id(session, new.host_id, client_id)
    change = ticket.opened_by_person(_who(person), now_ms, priority=new.priority, text=text)
    facts = Facts(
        client_id=client_id, site_id=site_id, host_id=new.host_id, key=None, title=title, opened_ms=now_ms
    )
    record = Record(facts, change.standing)
    record.take_in(change)
    write_new(session, [record])
    write_entries(session, [record])
    return Happening(record.ticket_id, change.entry.kind)


def _act(
    session: Session, ticket_id: int, version: int | None, decide: Callable[[Standing], Change]
) -> Happening:
    record = _read(session, ticket_id)
    if version is not None and version != record.read_version:
        raise Stale(
            f"ticket {ticket_id} has changed since version {version}: {_since(session, record, version)}",
            remedy="look at it again and repeat",
        )
    change = decide(record.standing)
    record.take_in(change)
    write_changes(session, [record])
    write_entries(session, [record])
    return Happening(ticket_id, change.entry.kind)


def _read(session: Session, ticket_id: int) -> Record:
    records = read_records(session, TICKETS.c.id == ticket_id)
    if not records:
        raise NotFound(f"there is no ticket {ticket_id}")
    return records[0]


def _since(session: Session, record: Record, version: int) -> str:
    """What has happened since that version: one event is one version, so it counts the events known."""
    if not 0 < version < record.read_version:
        return f"it has version {record.read_version}"
    asked = (
        select(EVENTS.c.kind, EVENTS.c.actor)
        .where(EVENTS.c.ticket_id == record.ticket_id)
        .order_by(EVENTS.c.id)
        .offset(version)
        .limit(10)
    )
    return ", ".join(f"{row.kind.value.replace('_', ' ')} by {row.actor}" for row in session.execute(asked))


def _open_of_same_key(session: Session, record: Record) -> int | None:
    if record.facts.key is None:
        return None
    asked = select(TICKETS.c.id).where(
        TICKETS.c.client_id == record.facts.client_id, TICKETS.c.key == record.facts.key, IS_OPEN
    )
    return session.execute(asked).scalar()


def _site_id(session: Session, host_id: int, client_id: int) -> int:
    asked = select(_HOSTS.c.site_id).where(_HOSTS.c.id == host_id, _HOSTS.c.client_id == client_id)
    site_id = session.execute(asked).scalar()
    if site_id is None:
        raise NotFound(
            f"the client has no host {host_id}", remedy="leave the host out, or choose one of the client's"
        )
    return int(site_id)


def _who(person: Person) -> Technician:
    return Technician(person.id, person.login)
