"""The queue as consoles see it: pages, rows, one ticket in full, and the counts of all.

Pages are cut by keyset: the cursor is the place of the last row in the order of the queue (priority, opened,
id; due before them, where that is the order), so that the thousandth page costs what the first does. A page is
two questions and its counts a third, whatever its length; a fourth asks what is due of tickets under contract
that have changed. Priorities that are asked for by name take a question each. What is looked for by its words
comes newest first, and takes some questions more: the words' index gives the numbers of a page, stretch by
stretch (`texts.py`), and the page is asked for by its numbers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, case, func, select, tuple_
from sqlmodel import Session

from tocsin_protocol.api import MAX_PAGE
from tocsin_protocol.clients import Requester
from tocsin_protocol.tickets import TicketCounts, TicketDetail, TicketEvent, TicketPage, TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, AlertState, TicketEventKind
from tocsin_server.access.scope import Scope
from tocsin_server.access.store import PersonRow
from tocsin_server.clock import moment
from tocsin_server.desk.alarms import (
    HAS_ALERTS,
    Counted,
    LiveValue,
    alerts_of_ticket,
    counted_of_ticket,
    known_severity,
    worst_states,
)
from tocsin_server.desk.due import NOTHING, dues, dues_outside, first_due
from tocsin_server.desk.filters import Filters, Order
from tocsin_server.desk.outside import events_outside
from tocsin_server.desk.promised import (
    NO_TERMS,
    Due,
    Promised,
    Terms,
    as_the_client_sees,
    clocks_told,
    promised,
)
from tocsin_server.desk.scope import client_id_of
from tocsin_server.desk.standing import PRIORITIES
from tocsin_server.desk.store import EVENTS, IS_OPEN, TICKETS
from tocsin_server.desk.texts import found
from tocsin_server.desk.ties import IS_TIED, merged_below, ties_of
from tocsin_server.desk.watching import IS_WATCHED, watchers_of
from tocsin_server.desk.words import terms
from tocsin_server.errors import NotFound, Unprocessable
from tocsin_server.estate.requesters import requester_by_id
from tocsin_server.estate.store import Client, Host, Site

MAX_EVENTS = 1000
"""How much of a timeline is shown: an alert that flaps for a week must not make its ticket unreadable."""

_TOLD_OF_MERGED = (TicketEventKind.OPENED, TicketEventKind.COMMENTED)

_CLIENTS = Client.metadata.tables["client"]
_SITES = Site.metadata.tables["site"]
_HOSTS = Host.metadata.tables["host"]
_PEOPLE = PersonRow.metadata.tables["person"]

_T = TICKETS.c
_PLACE = (_T.priority, _T.opened_ms, _T.id)
_DUE_PLACE = (_T.due_ms, *_PLACE)

# Outer joins, though every ticket has a client: SQLite keeps their order, so that it walks the queue's index
# and stops after one page, instead of sorting a client's tickets.
_ROWS = (
    select(
        _T.id,
        _T.version,
        _T.title,
        _T.kind,
        _T.state,
        _T.priority,
        _T.severity,
        _T.confirm,
        _T.host_id,
        _T.opened_ms,
        _T.updated_ms,
        _T.solved_ms,
        _T.impact,
        _T.urgency,
        _T.team,
        _T.supplier,
        _T.requester_id,
        _T.waits_for,
        _T.wakes_ms,
        _T.closes_ms,
        _T.due_ms,
        _T.merged_into,
        _T.parent_id,
        _CLIENTS.c.slug.label("client"),
        _SITES.c.slug.label("site"),
        _HOSTS.c.name.label("host"),
        _PEOPLE.c.login.label("owner"),
    )
    .outerjoin_from(TICKETS, _CLIENTS, _CLIENTS.c.id == _T.client_id)
    .outerjoin(_SITES, _SITES.c.id == _T.site_id)
    .outerjoin(_HOSTS, _HOSTS.c.id == _T.host_id)
    .outerjoin(_PEOPLE, _PEOPLE.c.id == _T.owner_id)
)
_WITH_WHAT = _ROWS.add_columns(
    HAS_ALERTS.label("has_alerts"), IS_WATCHED.label("is_watched"), IS_TIED.label("is_tied")
)
"""Most tickets have little beside their timeline: what they have not is not asked for."""

_ALL_OPEN = Filters()


@dataclass(frozen=True, slots=True)
class OpenTickets:
    """A host's open tickets at a glance."""

    count: int
    worst_priority: int


def ticket_page(
    session: Session,
    scope: Scope,
    filters: Filters = _ALL_OPEN,
    *,
    limit: int = 100,
    cursor: str | None = None,
    seen: str = "",
    terms: Terms = NO_TERMS,
) -> TicketPage:
    """One page. `seen` is the newest event that was published before this was asked."""
    limit = max(1, min(limit, MAX_PAGE))
    rows, last = _PAGES[filters.by](session, scope, filters, cursor, limit)
    return TicketPage(
        tickets=_told(session, scope, rows, terms),
        counts=ticket_counts(session, scope),
        next=last,
        seen=seen,
    )


def ticket_rows(
    session: Session, scope: Scope, ids: Iterable[int], terms: Terms = NO_TERMS
) -> dict[int, TicketRow]:
    """The rows of these tickets, as they are now."""
    found = session.execute(_ROWS.where(_T.id.in_(list(ids)), scope.within(_T.client_id))).all()
    return {row.id: row for row in _told(session, scope, found, terms)}


def ticket_row(session: Session, scope: Scope, ticket_id: int) -> TicketRow:
    """One ticket's row, without what is due."""
    (told,) = _told(session, scope, [_row(session, scope, ticket_id)], NO_TERMS)
    return told


def ticket_detail(
    session: Session,
    scope: Scope,
    ticket_id: int,
    *,
    live_value: LiveValue | None = None,
    terms: Terms = NO_TERMS,
) -> TicketDetail:
    """One ticket with its timeline, oldest first, its alerts, worst first, and its clocks.

    From outside its timeline is what `desk/outside.py` leaves of it, and its clocks are the client's alone.
    """
    row = _row(session, scope, ticket_id, _WITH_WHAT)
    by_contract = promised(session, [ticket_id], terms).get(ticket_id, Promised())
    if not scope.is_inside:
        by_contract = as_the_client_sees(by_contract)
    due = first_due(by_contract.clocks) if row.state in OPEN_TICKET_STATES else NOTHING
    counted = counted_of_ticket(session, ticket_id) if row.has_alerts else Counted()
    alert_state = worst_states(session, [ticket_id]).get(ticket_id) if counted.own else None
    events = _events(session, ticket_id, merged_below(session, ticket_id) if row.is_tied else [])
    return TicketDetail(
        ticket=_ticket(row, alert_state, due, terms.now_ms),
        events=events if scope.is_inside else events_outside(events),
        alerts=alerts_of_ticket(session, scope, ticket_id, live_value=live_value) if any(counted) else [],
        clocks=clocks_told(by_contract),
        unclocked=by_contract.why if scope.is_inside else "",
        watchers=_watching(session, ticket_id) if scope.is_inside and row.is_watched else [],
        cut_off=counted.cut_off,
        more_alerts=counted.more,
        ties=ties_of(session, ticket_id) if scope.is_inside and row.is_tied else [],
        requester=None if row.requester_id is None else _requester(session, row.requester_id),
    )


def _requester(session: Session, requester_id: int) -> Requester:
    asker = requester_by_id(session, requester_id)
    return Requester(name=asker.name, mail=asker.mail, site=asker.site)


def _watching(session: Session, ticket_id: int) -> list[str]:
    return [each.login for each in watchers_of(session, [ticket_id]).get(ticket_id, ())]


def ticket_counts(session: Session, scope: Scope) -> TicketCounts:
    """All open tickets of the clients that are seen."""
    unowned = func.sum(case((_T.owner_id.is_(None), 1), else_=0))
    of_scope = (IS_OPEN, scope.within(_T.client_id))
    asked = select(_T.priority, func.count(), unowned).where(*of_scope).group_by(_T.priority)
    by_priority = dict.fromkeys(PRIORITIES, 0)
    nobodys = 0
    for priority, count, free in session.execute(asked):
        by_priority[priority] = count
        nobodys += free
    return TicketCounts(
        open=sum(by_priority.values()),
        unowned=nobodys,
        by_priority={str(priority): count for priority, count in by_priority.items()},
    )


def open_by_host(session: Session, scope: Scope, *, client: str | None = None) -> dict[int, OpenTickets]:
    """What is open on each host that has anything open."""
    asked = select(_T.host_id, func.count(), func.min(_T.priority)).where(
        IS_OPEN, _T.host_id.is_not(None), scope.within(_T.client_id)
    )
    if client:
        asked = asked.where(_T.client_id == client_id_of(session, scope, client))
    return {
        host: OpenTickets(count, worst) for host, count, worst in session.execute(asked.group_by(_T.host_id))
    }


def open_by_client(session: Session) -> dict[tuple[str, int], int]:
    """How many tickets each client has open of each priority, of all; for the server's metrics."""
    asked = (
        select(_CLIENTS.c.slug, _T.priority, func.count())
        .join_from(TICKETS, _CLIENTS, _CLIENTS.c.id == _T.client_id)
        .where(IS_OPEN)
        .group_by(_CLIENTS.c.slug, _T.priority)
    )
    return {(slug, priority): count for slug, priority, count in session.execute(asked)}


_Page = tuple[Sequence[Row[Any]], str | None]
"""Its rows, and the cursor of the next."""


def _queued(session: Session, scope: Scope, filters: Filters, cursor: str | None, limit: int) -> _Page:
    """A page in the queue's order."""
    conditions = filters.conditions(session, scope, filters.client_id(session, scope))
    asked = _ROWS.where(*conditions).order_by(*_PLACE)
    place = _place(cursor, len(_PLACE)) if cursor else ()
    rows: list[Row[Any]] = []
    for stretch in _stretches(filters, place):
        if len(rows) <= limit:
            rows += session.execute(asked.where(*stretch).limit(limit + 1 - len(rows))).all()
    return _page(rows, limit, _PLACE)


def _due(session: Session, scope: Scope, filters: Filters, cursor: str | None, limit: int) -> _Page:
    """A page of what is due first."""
    conditions = filters.conditions(session, scope, filters.client_id(session, scope))
    asked = _ROWS.where(*conditions, *filters.by_row())
    if cursor:
        asked = asked.where(tuple_(*_DUE_PLACE) > tuple_(*_place(cursor, len(_DUE_PLACE))))
    return _page(session.execute(asked.order_by(*_DUE_PLACE).limit(limit + 1)).all(), limit, _DUE_PLACE)


def _page(rows: Sequence[Row[Any]], limit: int, place: Sequence[Column[Any]]) -> _Page:
    """What was found, where that is one more than the page holds if there is another one."""
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    return page, "-".join(str(getattr(page[-1], column.name)) for column in place)


def _stretches(filters: Filters, place: tuple[int, ...]) -> Iterator[list[ColumnElement[bool]]]:
    """The parts of the queue that are asked for, one after the other; each is one stretch of an index."""
    if not filters.by_priority:
        yield [tuple_(*_PLACE) > tuple_(*place)] if place else []
    for priority in filters.by_priority:
        if place and priority < place[0]:
            continue
        stretch = [_T.priority == priority]
        if filters.since_ms is not None:
            stretch.append(_T.opened_ms >= filters.since_ms)
        if place and priority == place[0]:
            stretch.append(tuple_(_T.opened_ms, _T.id) > tuple_(*place[1:]))
        yield stretch


def _searched(session: Session, scope: Scope, filters: Filters, cursor: str | None, limit: int) -> _Page:
    """A page of what has the words that are looked for."""
    client_id = filters.client_id(session, scope)
    of_scope = None if scope.is_everywhere else scope.clients
    looked_for = terms(
        filters.text or "",
        clients=of_scope if client_id is None else [client_id],
        is_open=filters.state == "open",
        is_public=not scope.is_inside,
    )
    conditions = [*filters.conditions(session, scope, client_id), *filters.by_row()]
    ids: list[int] = []
    for there in found(session, looked_for, below=_place(cursor, 1)[0] if cursor else None):
        asked = select(there.id).join_from(there.table, TICKETS, _T.id == there.id)
        asked = asked.where(there.condition, *conditions).order_by(there.order.desc())
        ids += session.execute(asked.limit(limit + 1 - len(ids))).scalars()
        if len(ids) > limit:
            break
    rows = session.execute(_ROWS.where(_T.id.in_(ids[:limit])).order_by(_T.id.desc())).all()
    return rows, str(ids[limit - 1]) if len(ids) > limit else None


_PAGES = {Order.URGENCY: _queued, Order.DUE: _due, Order.NEWEST: _searched}


def _place(cursor: str, numbers: int) -> tuple[int, ...]:
    parts = cursor.split("-")
    # Digits only, and no more of them than SQLite's integers have.
    if len(parts) != numbers or not all(
        part.isascii() and part.isdecimal() and len(part) < 19 for part in parts
    ):
        raise Unprocessable(
            f"{cursor[:40]!r} is no cursor here", remedy="pass on `next` of the page before, or none"
        )
    return tuple(int(part) for part in parts)


def _row(session: Session, scope: Scope, ticket_id: int, rows: Select[Any] = _ROWS) -> Row[Any]:
    row = session.execute(rows.where(_T.id == ticket_id, scope.within(_T.client_id))).first()
    if row is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    return row


def _told(session: Session, scope: Scope, rows: Sequence[Row[Any]], terms: Terms) -> list[TicketRow]:
    states = worst_states(session, [row.id for row in rows])
    still_open = {row.id: row.version for row in rows if row.state in OPEN_TICKET_STATES}
    due = dues(session, still_open, terms) if scope.is_inside else dues_outside(session, still_open, terms)
    return [_ticket(row, states.get(row.id), due.get(row.id, NOTHING), terms.now_ms) for row in rows]


def _ticket(row: Row[Any], alert_state: AlertState | None, due: Due, now_ms: int) -> TicketRow:
    return TicketRow(
        id=row.id,
        version=row.version,
        title=row.title,
        kind=row.kind,
        state=row.state,
        priority=row.priority,
        client=row.client,
        site=row.site or "",
        host=row.host,
        host_id=row.host_id,
        owner=row.owner,
        severity=known_severity(row.severity),
        alert_state=alert_state,
        recovered=row.confirm,
        opened_at=moment(row.opened_ms),
        updated_at=moment(row.updated_ms),
        solved_at=None if row.solved_ms is None else moment(row.solved_ms),
        due_at=None if due.at_ms is None else moment(due.at_ms),
        due_state=due.state(now_ms),
        impact=row.impact,
        urgency=row.urgency,
        team=row.team,
        supplier=row.supplier,
        waits_for=row.waits_for,
        wakes_at=None if row.wakes_ms is None else moment(row.wakes_ms),
        closes_at=None if row.closes_ms is None else moment(row.closes_ms),
        merged_into=row.merged_into,
        parent=row.parent_id,
    )


def _events(session: Session, ticket_id: int, merged: Sequence[int]) -> list[TicketEvent]:
    """Its own, and of the tickets that were merged into it how each began and what was said."""
    asked = select(EVENTS).where(EVENTS.c.ticket_id == ticket_id).order_by(EVENTS.c.id.desc()).limit(MAX_EVENTS)
    rows = list(session.execute(asked))
    if merged:
        is_told = EVENTS.c.ticket_id.in_(merged) & EVENTS.c.kind.in_(_TOLD_OF_MERGED)
        rows += session.execute(select(EVENTS).where(is_told).order_by(EVENTS.c.id.desc()).limit(MAX_EVENTS))
    return [
        TicketEvent(
            id=row.id,
            at=moment(row.at_ms),
            kind=row.kind,
            actor_kind=row.actor_kind,
            actor=row.actor,
            text=row.text,
            data=row.data,
            public=row.public,
            of=None if row.ticket_id == ticket_id else row.ticket_id,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]
