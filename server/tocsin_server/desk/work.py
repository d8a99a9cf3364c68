"""What people do to tickets.

Each act reads the ticket, decides by `ticket.py` and writes by compare-and-set. A ticket of a client that the
person does not see is `NotFound`, as one that is not there. With `versions`, a ticket that has none of them any
more is refused as `Stale`, and the message says what has happened meanwhile.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, select, update
from sqlmodel import Session

from tocsin_protocol.acts import Prioritisation
from tocsin_protocol.people import Person
from tocsin_protocol.teams import Assign
from tocsin_server.access.permissions import Permission, may
from tocsin_server.access.scope import Scope
from tocsin_server.alerts.store import ALERTS
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk import ticket
from tocsin_server.desk.assigning import receiver
from tocsin_server.desk.gathering import let_go, storm_of
from tocsin_server.desk.guard import Case
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.lifecycle import Course, Lifecycle
from tocsin_server.desk.record import Record, read_records, written
from tocsin_server.desk.ruling import Term, Weight, World, term_of, weighed
from tocsin_server.desk.service import asks_anew, with_service
from tocsin_server.desk.standing import ALARMING, Change, Technician, known_priority, technician
from tocsin_server.desk.store import EVENTS, IS_OPEN, TICKET_ALERTS, TICKETS
from tocsin_server.desk.text import given_text, required_text
from tocsin_server.desk.worlds import worlds_of
from tocsin_server.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable
from tocsin_server.sla.register import Contracts

_IS_ALARMING = ALERTS.c.state.in_(ALARMING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who acts, for which clients, when, by which lifecycle and tables, and on which versions of a ticket."""

    person: Person
    scope: Scope
    now_ms: int
    lifecycle: Lifecycle
    tables: Tables
    versions: Collection[int] | None = None

    @property
    def who(self) -> Technician:
        return technician(self.person)

    def course(self, record: Record, *, text: str = "", reason: str = "") -> Course:
        """What is lawful for that ticket, done by this person, who says this."""
        return self.lifecycle.of(record.facts.kind, self._case(record, text, reason))

    def _case(self, record: Record, text: str, reason: str) -> Case:
        """In the words of `guard.EXAMPLE`."""
        facts, standing = record.facts, record.standing
        owner = "" if standing.owner is None else standing.owner.login
        return {
            "ticket": {
                "kind": facts.kind.value,
                "state": standing.state.value,
                "priority": standing.priority,
                "severity": standing.severity,
                "impact": standing.impact,
                "urgency": standing.urgency,
                "team": standing.team,
                "owner": owner,
                "waits_for": standing.waits_for,
                "title": facts.title,
                "recovered": standing.confirm,
                "minutes": max(0, self.now_ms - facts.opened_ms) // 60_000,
            },
            "person": {
                "login": self.person.login,
                "role": self.person.role.value,
                "owns": owner == self.person.login,
            },
            "act": {"text": text, "reason": reason},
        }


def take(session: Session, ticket_id: int, hand: Hand) -> Happening:
    """Make it the person's; `Conflict` names the owner where it is somebody else's."""
    return _act(session, ticket_id, hand, ticket.take)


def release(session: Session, ticket_id: int, hand: Hand) -> Happening:
    """Give it back to all. Who dispatches frees it from an owner who is away."""
    may_release = may(hand.person.role, Permission.DISPATCH)
    return _act(session, ticket_id, hand, partial(ticket.release, may_release_others=may_release))


def wait(
    session: Session, ticket_id: int, hand: Hand, *, reason: str, until_ms: int | None = None, text: str = ""
) -> Happening:
    """Let it wait for something, at most until a time."""
    said = given_text(text, what="the note")
    act = partial(ticket.wait, reason=reason, until_ms=until_ms, text=said)
    return _act(session, ticket_id, hand, act, text=said, reason=reason)


def assign(session: Session, ticket_id: int, hand: Hand, *, wish: Assign, contracts: Contracts) -> Happening:
    """Give it to a team, to somebody of one, or to a supplier of the client's contract."""
    said = given_text(wish.text, what="the note")

    def decide(record: Record) -> Change:
        to = receiver(session, record, wish, contracts)
        return ticket.assign(record.standing, hand.who.actor, hand.now_ms, to=to, text=said)

    return _change(session, ticket_id, hand, decide)


def resume(session: Session, ticket_id: int, hand: Hand) -> Happening:
    """Go on with it."""
    return _act(session, ticket_id, hand, ticket.resume)


def resolve(session: Session, ticket_id: int, hand: Hand, *, text: str = "") -> Happening:
    """Say that it is mended, and how."""
    said = given_text(text, what="the resolution")
    return _change(
        session,
        ticket_id,
        hand,
        lambda record: ticket.resolve(
            record.standing,
            hand.who,
            hand.now_ms,
            course=hand.course(record, text=said),
            text=said,
            term=_term(session, record, hand),
        ),
    )


def reopen(session: Session, ticket_id: int, hand: Hand) -> Happening:
    """Say that it is not mended; `Conflict` names the open ticket of the same trouble where there is one."""
    record = read_ticket(session, hand.scope, ticket_id)
    other = open_of_same_key(session, record)
    if other is not None and not record.standing.is_open:
        raise Conflict(f"ticket {other} is open for the same trouble", remedy=f"go on with ticket {other}")
    done = _act(session, ticket_id, hand, ticket.reopen)
    let_go(session, [ticket_id])
    return done


def close(session: Session, ticket_id: int, hand: Hand) -> Happening:
    """Say that it is over for good; `Conflict` where one of its alerts fires, for it would ring unheard."""
    done = _act(session, ticket_id, hand, ticket.close)
    alarming = session.execute(select(ALERTS.c.alertname).where(_of_ticket(ticket_id), _IS_ALARMING)).scalar()
    if alarming is not None:
        raise Conflict(
            f"{alarming} of ticket {ticket_id} is not over", remedy="close it once none of its alerts fires"
        )
    return done


def comment(session: Session, ticket_id: int, hand: Hand, *, text: str, public: bool = False) -> Happening:
    """Say something, `public` where it is for who asked; from now on the ticket is not solved by itself."""
    said = required_text(text, what="the comment")
    if not (public or hand.scope.is_inside):
        raise Forbidden(
            "a note among technicians is not the client's to write", remedy="say it with public: true"
        )
    return _say(session, ticket_id, hand, partial(ticket.comment, text=said, public=public))


def prioritise(session: Session, ticket_id: int, hand: Hand, *, wish: Prioritisation) -> Happening:
    """Say how urgent it is: by impact and urgency, or by a priority with its reason."""
    said = given_text(wish.text, what="the reason")

    def decide(record: Record) -> Change:
        world = worlds_of(session, [record.ticket_id])[record.ticket_id]
        weight = _weight(world, hand, wish, text=said)
        change = ticket.prioritise(record.standing, hand.who, hand.now_ms, weight=weight, text=said)
        if not asks_anew(record.standing, change.standing):
            return change
        return with_service(change, hand.tables, world, record.facts.opened_ms)

    return _change(session, ticket_id, hand, decide)


def acknowledge(session: Session, ticket_id: int, hand: Hand, *, text: str = "") -> Happening:
    """Know of its alerts: none rings again before it has cleared. `Conflict` where none is left to know of."""
    said = given_text(text, what="the note")
    done = _say(session, ticket_id, hand, partial(ticket.acknowledge, text=said))
    known = session.execute(
        update(ALERTS)
        .where(_of_ticket(ticket_id), _IS_ALARMING, ALERTS.c.acknowledged_ms.is_(None))
        .values(acknowledged_ms=hand.now_ms, acknowledged_by=hand.person.login)
        .returning(ALERTS.c.id)
    )
    if not known.all():
        raise Conflict(
            f"ticket {ticket_id} has no alert that fires and is not acknowledged",
            remedy="there is nothing to do",
        )
    return done


def versions_of(session: Session, ids: Collection[int]) -> dict[int, int]:
    """The versions of these tickets as they are now."""
    asked = select(TICKETS.c.id, TICKETS.c.version).where(TICKETS.c.id.in_(ids))
    return {row.id: row.version for row in session.execute(asked)}


def _act(
    session: Session,
    ticket_id: int,
    hand: Hand,
    act: Callable[..., Change],
    *,
    text: str = "",
    reason: str = "",
) -> Happening:
    """Do what a lifecycle has a say in."""

    def decide(record: Record) -> Change:
        course = hand.course(record, text=text, reason=reason)
        return act(record.standing, hand.who, hand.now_ms, course=course)

    return _change(session, ticket_id, hand, decide)


def _say(session: Session, ticket_id: int, hand: Hand, act: Callable[..., Change]) -> Happening:
    """Do what changes no state."""
    return _change(session, ticket_id, hand, lambda record: act(record.standing, hand.who, hand.now_ms))


def _change(session: Session, ticket_id: int, hand: Hand, decide: Callable[[Record], Change]) -> Happening:
    record = read_ticket(session, hand.scope, ticket_id)
    require_fresh(session, hand.scope, record, hand.versions)
    require_not_merged(record)
    record.take_in(decide(record))
    (done,) = written(session, [record])
    return done


def _weight(world: World, hand: Hand, wish: Prioritisation, *, text: str) -> Weight:
    """What a person wishes, and a table makes of it."""
    if wish.priority is None:
        if not (wish.impact and wish.urgency):
            raise Unprocessable("nothing says how urgent it is", remedy="say impact and urgency, or a priority")
        return weighed(hand.tables, world, hand.now_ms, impact=wish.impact, urgency=wish.urgency)
    if wish.impact or wish.urgency:
        raise Unprocessable("a priority and what it follows from are given", remedy="give one of both")
    if not text:
        raise Unprocessable("a priority needs its reason", remedy="say why, or give impact and urgency")
    return Weight(known_priority(wish.priority))


def _term(session: Session, record: Record, hand: Hand) -> Term:
    """When it closes by itself, now that a person solves it."""
    world = worlds_of(session, [record.ticket_id])[record.ticket_id]
    return term_of(hand.tables, world, hand.now_ms, priority=record.standing.priority, solved_by="person")


def _of_ticket(ticket_id: int) -> ColumnElement[bool]:
    """Its alerts; what is only cut off goes on by itself once its host can be reached."""
    is_its = TICKET_ALERTS.c.ticket_id == ticket_id
    return ALERTS.c.id.in_(select(TICKET_ALERTS.c.alert_id).where(is_its, ~TICKET_ALERTS.c.cut_off))


def read_ticket(session: Session, scope: Scope, ticket_id: int) -> Record:
    """One ticket; raises `NotFound`."""
    records = read_records(session, (TICKETS.c.id == ticket_id) & scope.within(TICKETS.c.client_id))
    if not records:
        raise NotFound(f"there is no ticket {ticket_id}")
    return records[0]


def require_fresh(session: Session, scope: Scope, record: Record, versions: Collection[int] | None) -> None:
    """Raise `Stale` where the ticket has none of the versions on which somebody acts."""
    if versions is not None and record.read_version not in versions:
        raise _stale(session, scope, record, versions)


def require_not_merged(record: Record) -> None:
    """Raise `Conflict` with where to go on, where the ticket is part of another one."""
    into = record.standing.merged_into
    if into is not None:
        raise Conflict(
            f"ticket {record.ticket_id} is merged into ticket {into}", remedy=f"go on with ticket {into}"
        )


def _stale(session: Session, scope: Scope, record: Record, versions: Collection[int]) -> Stale:
    if not versions:
        return Stale(
            f"none of the tags is a version of ticket {record.ticket_id}",
            remedy=f"it has version {record.read_version}",
        )
    last = max((each for each in versions if each < record.read_version), default=max(versions))
    return Stale(
        f"ticket {record.ticket_id} has changed since version {last}: {_since(session, scope, record, last)}",
        remedy="look at it again and repeat",
    )


def _since(session: Session, scope: Scope, record: Record, version: int) -> str:
    """What has happened since that version, for who is inside: one event is one version, so it counts those."""
    if not (scope.is_inside and 0 < version < record.read_version):
        return f"it has version {record.read_version}"
    asked = (
        select(EVENTS.c.kind, EVENTS.c.actor)
        .where(EVENTS.c.ticket_id == record.ticket_id)
        .order_by(EVENTS.c.id)
        .offset(version)
        .limit(10)
    )
    return ", ".join(f"{row.kind.value.replace('_', ' ')} by {row.actor}" for row in session.execute(asked))


def open_of_same_key(session: Session, record: Record) -> int | None:
    """The ticket that is open for the same trouble, if there is one."""
    if record.facts.key is None:
        return None
    asked = select(TICKETS.c.id).where(
        TICKETS.c.client_id == record.facts.client_id, TICKETS.c.key == record.facts.key, IS_OPEN
    )
    return session.execute(asked).scalar() or storm_of(session, record.facts.key)
