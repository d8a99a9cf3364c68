"""Thresholds of clocks are told: each once, in the ticket's timeline, to whom the table `escalation` says.

    tells_ms     0 once anything has happened to a ticket, else when its next threshold is passed
    look         those whose time has come are reckoned anew (`sla/passed.py`)
    one act      what is passed is written down, the timeline has an entry for what is news, `tells_ms` is next,
                 and `due_ms` the first deadline, by which the queue can be ordered

So however many clocks run, a second costs a question of an index, and as much work as there are thresholds
that are passed in it. A threshold is written down under a key of its own: whatever happens meanwhile, a restart
or another reckoning, it is not told again. When other contracts or tables are in force, all open tickets are
looked at once more, some at a time (`Beat`).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import TicketState
from tocsin_server.clock import moment
from tocsin_server.desk.due import first_due
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.promised import Promised, Terms, promised
from tocsin_server.desk.record import Record, read_records, written
from tocsin_server.desk.ruling import Whom, World, escalated
from tocsin_server.desk.store import FAR_MS, IS_OPEN, IS_TELLING, TICKETS, TOLD
from tocsin_server.desk.ticket import pass_threshold
from tocsin_server.desk.worlds import worlds_of
from tocsin_server.sla.passed import BREACH_PERCENT, NOTHING, Instant, Key, Look, News, look_at

LIMIT = 500
"""How many tickets one call looks at: a fraction of a second for the one writer."""

_CLOSED = TicketState.CLOSED
_T = TICKETS.c
_DUE = (
    select(_T.id)
    .where(IS_TELLING, _T.tells_ms < bindparam("now_ms"))
    .order_by(_T.tells_ms)
    .limit(bindparam("limit"))
)
_NEXT_OPEN = select(_T.id).where(IS_OPEN, _T.id > bindparam("after")).order_by(_T.id).limit(bindparam("limit"))


class Beat:
    """A look at all open tickets, some at a time: once after a start, and whenever other terms are in force."""

    def __init__(self) -> None:
        self._by: tuple[object, object] | None = None
        self._after: int | None = None

    def again(self) -> None:
        """Begin anew: what was looked at last may not have been written."""
        self._by = None

    def next(self, session: Session, terms: Terms) -> Sequence[int]:
        """The tickets whose turn it is; none once all have had theirs."""
        by = (terms.contracts, terms.tables)
        if self._by is None or by[0] is not self._by[0] or by[1] is not self._by[1]:
            self._by, self._after = by, 0 if terms.contracts or _is_anything_due(session) else None
        if self._after is None:
            return ()
        asked = {"after": self._after, "limit": LIMIT}
        found = session.execute(_NEXT_OPEN, asked).scalars().all()
        self._after = found[-1] if found else None
        return found


def _is_anything_due(session: Session) -> bool:
    """Whether a ticket has a deadline, of contracts that there may no longer be."""
    asked = select(_T.id).where(IS_OPEN, _T.due_ms < FAR_MS).limit(1)
    return session.execute(asked).first() is not None


def due(session: Session, now_ms: int) -> Sequence[int]:
    """The tickets with a threshold that is passed, and those to which something has happened."""
    return session.execute(_DUE, {"now_ms": now_ms, "limit": LIMIT}).scalars().all()


def tell(session: Session, ticket_ids: Collection[int], terms: Terms) -> list[Happening]:
    """Look at these tickets; what has come of those with news."""
    if not ticket_ids:
        return []
    found = promised(session, ticket_ids, terms)
    looks = _looks(session, found, terms.now_ms)
    deadlines = {ticket_id: _deadline(each) for ticket_id, each in found.items()}
    passing = [ticket_id for ticket_id, look in looks.items() if look.passed]
    records = read_records(session, _T.id.in_(passing)) if passing else []
    _write_down(session, records, looks, terms.now_ms)
    heard = [each for each in records if looks[each.ticket_id].news and each.standing.state is not _CLOSED]
    worlds = worlds_of(session, [record.ticket_id for record in heard])
    for record in heard:
        for news in looks[record.ticket_id].news:
            _take_in(record, news, worlds[record.ticket_id], terms)
        record.tells_ms = looks[record.ticket_id].next_ms
        record.due_ms = deadlines[record.ticket_id]
    told = written(session, heard)
    but = {record.ticket_id for record in heard}
    _look_later(session, [each for each in ticket_ids if each not in but], looks, deadlines)
    return told


def _looks(session: Session, found: Mapping[int, Promised], now_ms: int) -> dict[int, Look]:
    """What is to be seen of those with clocks."""
    told = _told_before(session, [ticket_id for ticket_id, each in found.items() if each.clocks])
    return {ticket_id: _look(each, told[ticket_id], now_ms) for ticket_id, each in found.items()}


def _look(found: Promised, told: Collection[Key], now_ms: int) -> Look:
    if not found.clocks:
        return NOTHING
    return look_at(found.clocks, told, max(now_ms, found.events[-1].at_ms))  # as they were reckoned


def _deadline(found: Promised) -> int:
    at_ms = first_due(found.clocks).at_ms
    return FAR_MS if at_ms is None else at_ms


def _told_before(session: Session, ticket_ids: Sequence[int]) -> Mapping[int, set[Key]]:
    told: defaultdict[int, set[Key]] = defaultdict(set)
    asked = select(TOLD.c.ticket_id, *(TOLD.c[name] for name in Key._fields))
    for ticket_id, *key in session.execute(asked.where(TOLD.c.ticket_id.in_(ticket_ids))) if ticket_ids else ():
        told[ticket_id].add(Key(*key))
    return told


def _write_down(session: Session, records: Sequence[Record], looks: Mapping[int, Look], now_ms: int) -> None:
    rows = [
        _row(record, key, instant, now_ms)
        for record in records
        for key, instant in looks[record.ticket_id].passed
    ]
    if rows:
        session.execute(insert(TOLD), rows)


def _row(record: Record, key: Key, instant: Instant, now_ms: int) -> dict[str, Any]:
    whose = {"ticket_id": record.ticket_id, "client_id": record.facts.client_id}
    return {**whose, **key._asdict(), "passed_ms": instant.at_ms, "told_ms": now_ms}


def _take_in(record: Record, news: News, world: World, terms: Terms) -> None:
    was = record.standing
    whom = escalated(
        terms.tables,
        world,
        terms.now_ms,
        priority=was.priority,
        clock=news.clock.target.kind.value,
        used_percent=news.instant.used_percent,
        is_owned=was.owner is not None,
    )
    text, data = in_words(news), _data(news, whom)
    record.take_in(pass_threshold(was, terms.now_ms, is_breach=news.is_breach, text=text, data=data))


def _look_later(
    session: Session, ticket_ids: Collection[int], looks: Mapping[int, Look], deadlines: Mapping[int, int]
) -> None:
    """Of those to which nothing has happened by this."""
    rows = [
        {
            "ticket": ticket_id,
            "next_ms": looks.get(ticket_id, NOTHING).next_ms,
            "deadline_ms": deadlines.get(ticket_id, FAR_MS),
        }
        for ticket_id in ticket_ids
    ]
    if rows:
        later = update(TICKETS).where(_T.id == bindparam("ticket"))
        session.execute(later.values(tells_ms=bindparam("next_ms"), due_ms=bindparam("deadline_ms")), rows)


# -- what is said


def in_words(news: News) -> str:
    """`resolve of gold is at 75 %, due Mon 2026-06-08 12:00 CEST`."""
    clock, instant = news.clock, news.instant
    begin = f"{clock.target.kind} of {clock.agreement.name}"
    is_at = "is breached" if instant.used_percent == BREACH_PERCENT else f"is at {instant.used_percent:g} %"
    due_ms = clock.deadline_ms if clock.breached_ms is None else clock.breached_ms
    if due_ms is None:
        return f"{begin} {is_at}"
    due_at = moment(due_ms).astimezone(clock.target.calendar.zone)
    return f"{begin} {is_at}, {'it was due' if news.is_breach else 'due'} {due_at:%a %Y-%m-%d %H:%M %Z}"


def _data(news: News, whom: Whom) -> dict[str, Any]:
    """What the entry rests on: which clock and which threshold, and who is to hear of it by which row."""
    clock, instant = news.clock, news.instant
    told: dict[str, Any] = {
        "clock": clock.target.kind.value,
        "agreement": clock.agreement.name,
        "threshold": instant.threshold,
        "used_percent": instant.used_percent,
        "passed_ms": instant.at_ms,
    }
    if whom.row:
        told |= {"to": whom.to, "by": whom.by, "decided": [whom.row]}
    return told
