"""Alerts of hosts that cannot be reached past a dead one: they are attached to the ticket of that one.

They are withheld (`alerts/suppression.py`, `parent_down`), so no ticket is opened for them. Here they are found
as they stand, whether the dead host's ticket came before or after them, and however many they are: a ticket
gets one entry a batch that counts them. They say how much is behind the dead host and prove nothing about it,
so it may be solved while they go on. One that is delivered after all has its own ticket, and is here no more.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Text, and_, cast, exists, select, tuple_
from sqlmodel import Session

from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.store import ALERTS
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import Attached, Record, read_records, write_alerts, written
from tocsin_server.desk.standing import ALARMING
from tocsin_server.desk.store import IS_OPEN, TICKET_ALERTS, TICKETS
from tocsin_server.desk.ticket import cut_off
from tocsin_server.estate.store import Host

LIMIT = 10_000
"""How many alerts one call attaches; the others wait for the next."""
_MOST_RULES = 5
_HOSTS = Host.metadata.tables["host"]
_IS_ON_AN_OPEN_TICKET = (
    select(TICKET_ALERTS.c.ticket_id)
    .join_from(TICKET_ALERTS, TICKETS, TICKETS.c.id == TICKET_ALERTS.c.ticket_id)
    .where(TICKET_ALERTS.c.alert_id == ALERTS.c.id, IS_OPEN)
    .correlate(ALERTS)
    .exists()
)
_REASONS = cast(ALERTS.c.suppressed, Text)
_IS_CUT_OFF = and_(
    ALERTS.c.state.in_(ALARMING),
    ALERTS.c.suppressed_ms.is_not(None),
    _REASONS.contains(SuppressionKind.PARENT_DOWN.value),
    ~_IS_ON_AN_OPEN_TICKET,
)
# What is behind one dead host has the same reasons: they are few, also while that host has no ticket for hours.
_WHY = select(ALERTS.c.client_id, _REASONS.label("reasons")).where(_IS_CUT_OFF).distinct()
_CUT_OFF = (
    select(ALERTS.c.id, ALERTS.c.client_id, ALERTS.c.host_id, ALERTS.c.alertname, _REASONS.label("reasons"))
    .where(_IS_CUT_OFF)
    .order_by(ALERTS.c.id)
    .limit(LIMIT)
)


class Parent(NamedTuple):
    """The dead host, as the alert's reason names it."""

    client_id: int
    name: str


class Why(NamedTuple):
    """Whose alerts are withheld, and the reasons as the database has them."""

    client_id: int
    reasons: str


def attach_cut_off(session: Session, now_ms: int) -> list[Happening]:
    """Attach those that are on no open ticket to the one of the host that cuts them off, if it is open."""
    parents = {why: parent for why in _whys(session) if (parent := _parent(why)) is not None}
    tickets = _tickets_of(session, set(parents.values())) if parents else {}
    behind = _behind(session, {why: parent for why, parent in parents.items() if parent in tickets})
    attached = {parent: tickets[parent] for parent in behind}
    for parent, record in attached.items():
        rows = behind[parent]
        rules = Counter(row.alertname for row in rows).most_common(_MOST_RULES)
        hosts = len({row.host_id for row in rows})
        change = cut_off(
            record.standing, now_ms, parent=parent.name, alerts=len(rows), hosts=hosts, rules=dict(rules)
        )
        record.take_in(change)
    happenings = written(session, list(attached.values()))
    write_alerts(session, list(_attached(attached, behind)))
    return happenings


def _whys(session: Session) -> Iterable[Why]:
    return (Why(row.client_id, row.reasons) for row in session.execute(_WHY))


def _parent(why: Why) -> Parent | None:
    """The first that cuts them off, of several."""
    names = (each["name"] for each in json.loads(why.reasons) if each["kind"] == SuppressionKind.PARENT_DOWN)
    name = next(names, None)
    return None if name is None else Parent(why.client_id, name)


def _behind(session: Session, parents: Mapping[Why, Parent]) -> Mapping[Parent, Sequence[Row[Any]]]:
    """What is cut off for one of these reasons, by the host that does it."""
    behind: defaultdict[Parent, list[Row[Any]]] = defaultdict(list)
    if not parents:
        return behind
    is_one = tuple_(ALERTS.c.client_id, _REASONS).in_(list(parents)[:LIMIT])
    for row in session.execute(_CUT_OFF.where(is_one)):
        behind[parents[Why(row.client_id, row.reasons)]].append(row)
    return behind


def _attached(
    tickets: Mapping[Parent, Record], behind: Mapping[Parent, Sequence[Row[Any]]]
) -> Iterable[Attached]:
    return (
        Attached(record, row.id, cut_off=True) for parent, record in tickets.items() for row in behind[parent]
    )


def _tickets_of(session: Session, parents: Collection[Parent]) -> dict[Parent, Record]:
    """The open ticket of each host that has one; of several one that rings, the most urgent, the oldest."""
    rings = exists().where(
        TICKET_ALERTS.c.ticket_id == TICKETS.c.id,
        ~TICKET_ALERTS.c.cut_off,
        ALERTS.c.id == TICKET_ALERTS.c.alert_id,
        ALERTS.c.state == AlertState.FIRING,
    )
    asked = (
        select(TICKETS.c.id, _HOSTS.c.client_id, _HOSTS.c.name)
        .join_from(TICKETS, _HOSTS, _HOSTS.c.id == TICKETS.c.host_id)
        .where(IS_OPEN, tuple_(_HOSTS.c.client_id, _HOSTS.c.name).in_(list(parents)))
        .order_by(rings.desc(), TICKETS.c.priority, TICKETS.c.id)
    )
    first: dict[int, Parent] = {}
    for row in session.execute(asked):
        parent = Parent(row.client_id, row.name)
        if parent not in first.values():
            first[row.id] = parent
    records = read_records(session, TICKETS.c.id.in_(first)) if first else []
    return {first[record.ticket_id]: record for record in records}
