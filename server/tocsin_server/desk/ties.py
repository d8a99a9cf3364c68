"""Which tickets belong to one, and what each is to it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlmodel import Session

from tocsin_protocol.tickets import TicketTie
from tocsin_protocol.vocabulary import Tie
from tocsin_server.desk.bonds import TIES
from tocsin_server.desk.store import LINKS, TICKETS

MOST = 200
_T = TICKETS.c


def ties_of(session: Session, ticket_id: int) -> list[TicketTie]:
    """What else belongs to it; of very many the first."""
    ties = list(dict.fromkeys(_found(session, ticket_id)))[:MOST]
    asked = select(_T.id, _T.title, _T.state).where(_T.id.in_({other for _, other in ties}))
    others = {row.id: row for row in session.execute(asked)} if ties else {}
    return [
        TicketTie(tie=tie, ticket=other, title=others[other].title, state=others[other].state)
        for tie, other in ties
    ]


def merged_below(session: Session, ticket_id: int) -> list[int]:
    """The tickets that were merged into it, and into those."""
    return _below(session, ticket_id, _T.merged_into)


def children_below(session: Session, ticket_id: int) -> list[int]:
    """Its children, and theirs."""
    return _below(session, ticket_id, _T.parent_id)


def _below(session: Session, ticket_id: int, above: ColumnElement[Any]) -> list[int]:
    found: dict[int, None] = {}
    level: Sequence[int] = [ticket_id]
    while level:
        level = session.execute(select(_T.id).where(above.in_(level))).scalars().all()
        found.update(dict.fromkeys(level))
    return list(found)


def _found(session: Session, ticket_id: int) -> Iterator[tuple[Tie, int]]:
    above = session.execute(select(_T.merged_into, _T.parent_id, _T.reopens).where(_T.id == ticket_id)).one()
    for tie, other in zip((Tie.MERGED_INTO, Tie.PARENT, Tie.RECURS), above, strict=True):
        if other is not None:
            yield tie, other
    yield from _links(session, ticket_id)
    for tie, column in (
        (Tie.CHILD, _T.parent_id),
        (Tie.ABSORBED, _T.merged_into),
        (Tie.RECURS_AS, _T.reopens),
    ):
        asked = select(_T.id).where(column == ticket_id).order_by(_T.id).limit(MOST)
        yield from ((tie, other) for other in session.execute(asked).scalars())


def _links(session: Session, ticket_id: int) -> Iterable[tuple[Tie, int]]:
    here = select(LINKS.c.kind, LINKS.c.other_id).where(LINKS.c.ticket_id == ticket_id).limit(MOST)
    there = select(LINKS.c.kind, LINKS.c.ticket_id).where(LINKS.c.other_id == ticket_id).limit(MOST)
    yield from ((TIES[kind][0], other) for kind, other in session.execute(here))
    yield from ((TIES[kind][1], other) for kind, other in session.execute(there))
