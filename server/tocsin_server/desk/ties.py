"""Which tickets belong to one, and what each is to it."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    union_all,
)
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
    links = session.execute(_LINKS, {"ticket": ticket_id}).all()
    yield from ((TIES[row.kind][row.side], row.other) for row in sorted(links, key=_PLACE))
    below = session.execute(_BELOW, {"ticket": ticket_id}).all()
    yield from ((_SIDES[row.side], row.other) for row in sorted(below, key=_PLACE))


def _one_by_one(*asked: Select[Any]) -> CompoundSelect[Any]:
    """All of them in one question, each by an index of its own."""
    return union_all(*(select(each.limit(MOST).subquery()) for each in asked))


_LINKS = _one_by_one(
    *(
        select(LINKS.c.kind, other.label("other"), literal_column(str(side), Integer).label("side")).where(
            one == bindparam("ticket")
        )
        for side, (one, other) in enumerate(
            [(LINKS.c.ticket_id, LINKS.c.other_id), (LINKS.c.other_id, LINKS.c.ticket_id)]
        )
    )
)
_ABOVE = (_T.parent_id, _T.merged_into, _T.reopens)
_SIDES = (Tie.CHILD, Tie.ABSORBED, Tie.RECURS_AS)
_BELOW = _one_by_one(
    *(
        select(_T.id.label("other"), literal_column(str(side), Integer).label("side"))
        .where(above == bindparam("ticket"))
        .order_by(_T.id)
        for side, above in enumerate(_ABOVE)
    )
)
_PLACE = attrgetter("side", "other")

_OTHERS = TICKETS.alias("others").c
IS_TIED: ColumnElement[bool] = or_(
    *(above.is_not(None) for above in _ABOVE),
    *(exists().where(side == _T.id).correlate(TICKETS) for side in (LINKS.c.ticket_id, LINKS.c.other_id)),
    *(exists().where(_OTHERS[above.name] == _T.id).correlate(TICKETS) for above in _ABOVE),
)
"""Of a ticket that is asked for: whether anything belongs to it. Most are alone, and need not be asked how."""
