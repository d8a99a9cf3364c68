"""Tickets that belong together: people link them, make one the parent of another, merge them, and undo it.

Both tickets are read, decided on by `bonds.py` and written by compare-and-set, so that neither is changed by
somebody who has not seen it. They are of one client: another client's ticket is one that is not there.

Where the alerts of a merged ticket go:

    A merged into B     each alert of A's becomes one of B's, `via` A; those that both have stay B's alone
    while it lasts      an alert of A's key goes to B, via A (`intake.py`)
    undone              what is on B via A, or via what was merged into A before, goes back
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Row, case, delete, func, insert, null, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import LinkKind, TicketEventKind, TicketState
from tocsin_server.alerts.store import ALERTS
from tocsin_server.desk import bonds, work
from tocsin_server.desk.gathering import let_go
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import Record, read_records, written
from tocsin_server.desk.store import EVENTS, IS_OPEN, LINKS, TICKET_ALERTS, TICKETS
from tocsin_server.desk.ties import children_below, merged_below
from tocsin_server.desk.trouble import holds
from tocsin_server.desk.work import Hand, open_of_same_key, read_ticket, require_fresh, require_not_merged
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.storage.statements import insert_or

_A = TICKET_ALERTS.c


class Other(NamedTuple):
    """The other ticket, and the versions on which the act may be done, where that matters."""

    ticket_id: int
    versions: Collection[int] | None = None


def link(session: Session, ticket_id: int, hand: Hand, *, kind: LinkKind, other: Other) -> list[Happening]:
    """Say what the other is to this one; `Conflict` where that is said already, or would make a ring."""
    pair = _pair(session, ticket_id, hand, other)
    if kind is LinkKind.PARENT:
        _require_to_be_no_ring(session, *pair)
    else:
        _write_link(session, kind, *pair)
    return _tell_of_link(session, hand, kind, pair, is_there=True)


def unlink(session: Session, ticket_id: int, hand: Hand, *, kind: LinkKind, other: Other) -> list[Happening]:
    """Take that back."""
    pair = _pair(session, ticket_id, hand, other, may_be_merged=True)
    record, its = pair
    if kind is LinkKind.PARENT:
        is_linked = record.standing.parent_id == its.ticket_id
    else:
        gone = delete(LINKS).where(*_link_of(kind, *pair)).returning(LINKS.c.ticket_id)
        is_linked = bool(session.execute(gone).all())
    if not is_linked:
        raise Conflict(
            f"ticket {ticket_id} has no link {kind.value!r} to ticket {other.ticket_id}",
            remedy="look at it again: it is as you wish",
        )
    return _tell_of_link(session, hand, kind, pair, is_there=False)


def resolve_all(session: Session, ticket_id: int, hand: Hand, *, text: str) -> list[Happening]:
    """Solve a ticket and every open one below it, or none of them."""
    done = [work.resolve(session, ticket_id, hand, text=text)]
    below, said = replace(hand, versions=None), text or f"with ticket {ticket_id}"
    done += [work.resolve(session, each, below, text=said) for each in _open_below(session, ticket_id)]
    return done


def merge(session: Session, ticket_id: int, hand: Hand, *, into: Other) -> list[Happening]:
    """Make it part of another ticket, which is open; its number leads there from now on."""
    record, its = _pair(session, ticket_id, hand, into)
    moved_on = any(map(holds, _alerts(session, record.ticket_id)))
    shared = _move(session, record, its)
    record.take_in(bonds.merged(record.standing, hand.who, hand.now_ms, into=its.ticket_id, shared=shared))
    its.take_in(
        bonds.absorbed(
            its.standing,
            hand.who,
            hand.now_ms,
            ticket_id=record.ticket_id,
            opened_ms=record.facts.opened_ms,
            holds=moved_on,
        )
    )
    return written(session, [record, its])


def unmerge(
    session: Session, ticket_id: int, hand: Hand, *, into_versions: Collection[int] | None = None
) -> list[Happening]:
    """Undo that: it is what it was, with its alerts as they are now."""
    record = read_ticket(session, hand.scope, ticket_id)
    require_fresh(session, hand.scope, record, hand.versions)
    into = record.standing.merged_into
    if into is None:
        raise Conflict(f"ticket {ticket_id} is not merged", remedy="there is nothing to undo")
    its = read_ticket(session, hand.scope, into)
    require_fresh(session, hand.scope, its, into_versions)
    if its.standing.merged_into is not None:
        raise Conflict(
            f"ticket {into} is merged into ticket {its.standing.merged_into} itself",
            remedy=f"undo that of ticket {into} first",
        )
    entry = _merging_of(session, ticket_id)
    _move_back(session, record, its, entry.data["shared"])
    let_go(session, [ticket_id])
    ours, theirs = _alerts(session, ticket_id), _alerts(session, into)
    record.take_in(
        bonds.unmerged(
            record.standing,
            hand.who,
            hand.now_ms,
            kept=entry.data["was"],
            holds=any(map(holds, ours)),
            is_clear=_is_clear(ours),
        )
    )
    _require_to_be_the_only_one(session, record)
    its.take_in(
        bonds.separated(its.standing, hand.who, hand.now_ms, ticket_id=ticket_id, is_clear=_is_clear(theirs))
    )
    return written(session, [record, its])


def _open_below(session: Session, ticket_id: int) -> list[int]:
    below = children_below(session, ticket_id)
    asked = select(TICKETS.c.id).where(TICKETS.c.id.in_(below), IS_OPEN).order_by(TICKETS.c.id)
    return list(session.execute(asked).scalars())


def _pair(
    session: Session, ticket_id: int, hand: Hand, other: Other, *, may_be_merged: bool = False
) -> tuple[Record, Record]:
    """Both tickets, of which none has changed since it was seen."""
    record = read_ticket(session, hand.scope, ticket_id)
    require_fresh(session, hand.scope, record, hand.versions)
    require_not_merged(record)
    if other.ticket_id == ticket_id:
        raise Unprocessable(f"ticket {ticket_id} is itself", remedy="name another one")
    is_other = (TICKETS.c.id == other.ticket_id) & (TICKETS.c.client_id == record.facts.client_id)
    found = read_records(session, is_other)
    if not found:
        raise NotFound(
            f"the client of ticket {ticket_id} has no ticket {other.ticket_id}",
            remedy="name one of its tickets",
        )
    require_fresh(session, hand.scope, found[0], other.versions)
    if not may_be_merged:
        require_not_merged(found[0])
    return record, found[0]


# -- links


def _tell_of_link(
    session: Session, hand: Hand, kind: LinkKind, pair: tuple[Record, Record], *, is_there: bool
) -> list[Happening]:
    """An entry on both; a closed one takes none, but shows the link as well."""
    record, its = pair
    act = bonds.linked if is_there else bonds.unlinked
    there, here = bonds.TIES[kind]
    change = act(record.standing, hand.who, hand.now_ms, tie=there, other_id=its.ticket_id)
    if kind is LinkKind.PARENT:
        change = bonds.under(change, its.ticket_id if is_there else None)
    record.take_in(change)
    if its.standing.state is TicketState.CLOSED:
        return written(session, [record])
    its.take_in(act(its.standing, hand.who, hand.now_ms, tie=here, other_id=record.ticket_id))
    return written(session, [record, its])


def _require_to_be_no_ring(session: Session, record: Record, parent: Record) -> None:
    if record.standing.parent_id is not None:
        raise Conflict(
            f"ticket {record.ticket_id} has the parent {record.standing.parent_id}", remedy="unlink that first"
        )
    if parent.ticket_id in children_below(session, record.ticket_id):
        raise Conflict(
            f"ticket {parent.ticket_id} is below ticket {record.ticket_id}",
            remedy="a child is no parent of its own",
        )


def _link_of(kind: LinkKind, record: Record, its: Record) -> Sequence[Any]:
    ends = _ends(kind, record, its)
    return LINKS.c.ticket_id == ends[0], LINKS.c.kind == kind, LINKS.c.other_id == ends[1]


def _ends(kind: LinkKind, record: Record, its: Record) -> tuple[int, int]:
    """What relates has no direction: the smaller number stands first."""
    ends = record.ticket_id, its.ticket_id
    return (min(ends), max(ends)) if kind is LinkKind.RELATES else ends


def _write_link(session: Session, kind: LinkKind, record: Record, its: Record) -> None:
    ticket_id, other_id = _ends(kind, record, its)
    row = {"ticket_id": ticket_id, "kind": kind, "other_id": other_id, "client_id": record.facts.client_id}
    new = insert_or(session, LINKS).values(row).on_conflict_do_nothing().returning(LINKS.c.ticket_id)
    if not session.execute(new).all():
        raise Conflict(
            f"ticket {record.ticket_id} is linked so to ticket {its.ticket_id}", remedy="there is nothing to do"
        )


# -- merging


def _move(session: Session, record: Record, its: Record) -> list[str]:
    """Its alerts become the other's; those that the other has already, each as `_spelled`."""
    theirs = select(_A.alert_id).where(_A.ticket_id == its.ticket_id).scalar_subquery()
    session.execute(
        update(TICKET_ALERTS)
        .where(_A.ticket_id == record.ticket_id, _A.alert_id.not_in(theirs))
        .values(ticket_id=its.ticket_id, via_id=func.coalesce(_A.via_id, record.ticket_id))
    )
    left = (
        delete(TICKET_ALERTS)
        .where(_A.ticket_id == record.ticket_id)
        .returning(_A.alert_id, _A.via_id, _A.trouble)
    )
    return sorted(_spelled(row) for row in session.execute(left))


def _move_back(session: Session, record: Record, its: Record, shared: Sequence[str]) -> None:
    own = record.ticket_id
    family = [own, *merged_below(session, own)]
    session.execute(
        update(TICKET_ALERTS)
        .where(_A.ticket_id == its.ticket_id, _A.via_id.in_(family))
        .values(ticket_id=own, via_id=case((_A.via_id == own, null()), else_=_A.via_id))
    )
    rows = [_shared_row(record, text) for text in shared]
    if rows:
        session.execute(insert(TICKET_ALERTS), rows)


def _spelled(row: Row[Any]) -> str:
    """`alert`, `alert:via`, or where a storm has brought it there `alert:via:trouble`; `via` may be empty."""
    parts = [str(row.alert_id), "" if row.via_id is None else str(row.via_id), row.trouble or ""]
    return ":".join(parts).rstrip(":")


def _shared_row(record: Record, text: str) -> dict[str, Any]:
    alert_id, via_id, trouble, *_ = [*text.split(":"), "", ""]
    return {
        "ticket_id": record.ticket_id,
        "alert_id": int(alert_id),
        "client_id": record.facts.client_id,
        "via_id": int(via_id) if via_id else None,
        "trouble": trouble or None,
    }


def _alerts(session: Session, ticket_id: int) -> Sequence[Row[Any]]:
    """Its alerts, but for those of hosts that are only cut off."""
    asked = (
        select(ALERTS.c.state, ALERTS.c.suppressed)
        .join_from(TICKET_ALERTS, ALERTS, ALERTS.c.id == _A.alert_id)
        .where(_A.ticket_id == ticket_id, ~_A.cut_off)
    )
    return session.execute(asked).all()


def _is_clear(alerts: Sequence[Row[Any]]) -> bool:
    return bool(alerts) and not any(map(holds, alerts))


def _merging_of(session: Session, ticket_id: int) -> Row[Any]:
    """The entry that tells how it was merged last."""
    asked = (
        select(EVENTS.c.data)
        .where(EVENTS.c.ticket_id == ticket_id, EVENTS.c.kind == TicketEventKind.MERGED)
        .order_by(EVENTS.c.id.desc())
        .limit(1)
    )
    return session.execute(asked).one()


def _require_to_be_the_only_one(session: Session, record: Record) -> None:
    """Where it would be open, no other may be for the same trouble."""
    other = open_of_same_key(session, record) if record.standing.is_open else None
    if other is not None:
        raise Conflict(
            f"ticket {other} is open for the same trouble", remedy=f"merge or resolve ticket {other}"
        )
