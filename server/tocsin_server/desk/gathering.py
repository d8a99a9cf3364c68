"""Alerts that join the storm of their client, and what such a ticket is told of them (`storm.py` says when).

How many tickets alerts have opened lately is asked of the database, once a batch that would open any, and
counted on from there. Which trouble is in a storm stands with each alert of its ticket (`trouble`), and up to
which transition the ticket was told of it (`heard_id`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, delete, func, or_, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, ActorKind, AlertState, TicketEventKind
from tocsin_server.alerts.store import ALERTS
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.record import Attached, Facts, Record, read_records, write_heard
from tocsin_server.desk.ruling import Crowd, World, known_severity, ruled, stormy
from tocsin_server.desk.service import with_service
from tocsin_server.desk.standing import ALARMING
from tocsin_server.desk.store import EVENTS, IS_GATHERED, IS_KEYED, IS_OPEN, TICKET_ALERTS, TICKETS
from tocsin_server.desk.storm import WINDOW_MS, Extent, Lately, Opening, Surge, new_standing, storm_key
from tocsin_server.desk.trouble import holds, records_of
from tocsin_server.desk.worlds import worlds_of

_A = TICKET_ALERTS.c
_OTHERS = TICKETS.alias("other")
_THEIRS = TICKET_ALERTS.alias("theirs")
_GATHERED = (
    select(
        _A.trouble,
        _A.alert_id,
        _A.ticket_id,
        _A.via_id,
        _A.heard_id,
        TICKETS.c.state.label("ticket_state"),
        ALERTS.c.state,
        ALERTS.c.suppressed,
    )
    .join_from(TICKET_ALERTS, TICKETS, TICKETS.c.id == _A.ticket_id)
    .join(ALERTS, ALERTS.c.id == _A.alert_id)
    .where(IS_GATHERED)
)
_OPENED_LATELY = (
    select(TICKETS.c.client_id, EVENTS.c.actor, TICKETS.c.opened_ms, func.count())
    .join_from(TICKETS, EVENTS, EVENTS.c.ticket_id == TICKETS.c.id)
    .where(IS_KEYED, EVENTS.c.kind == TicketEventKind.OPENED, EVENTS.c.actor_kind == ActorKind.RULE)
    .group_by(TICKETS.c.client_id, EVENTS.c.actor, TICKETS.c.opened_ms)
    .order_by(TICKETS.c.opened_ms)
)


class Gathering:
    """The storms that a batch of transitions has to do with."""

    def __init__(
        self,
        session: Session,
        rows: Sequence[Row[Any]],
        keys: Mapping[int, str],
        records: Iterable[Record],
        *,
        tables: Tables,
        is_over: Callable[[Record, int], bool],
    ) -> None:
        """`keys` by the rows' ids; `records` are the tickets that the batch has in hand already."""
        self._session = session
        self._rows = rows
        self._tables = tables
        self._is_over = is_over
        self._known = {record.ticket_id: record for record in records}
        self._surges: dict[int, Surge] = {}
        """By the record's identity in memory."""
        self._of_key: dict[str, Surge] = {}
        self._heard_before: dict[int, int] = {}
        self._going_on: defaultdict[str, list[int]] = defaultdict(list)
        self._there: set[tuple[int, int]] = set()
        """Which alerts are on which tickets by a storm."""
        self._heard: dict[tuple[int, int], Attached] = {}
        """By the record's identity and the alert."""
        self._of_client: dict[int, Surge | None] | None = None
        self._lately = Lately()
        self._read_gathered(set(keys.values()))

    def has_heard(self, row: Row[Any]) -> bool:
        """Whether a storm was told of this transition already."""
        return bool(row.id <= self._heard_before.get(row.alert_id, 0))

    def surge_of(self, key: str) -> Surge | None:
        """The storm that the trouble is in, while that is open."""
        return self._of_key.get(key)

    def left_behind(self, key: str) -> Sequence[int]:
        """The alerts of the trouble that go on and were in a storm that is over."""
        return self._going_on.get(key, ())

    def admitting(self, row: Row[Any]) -> str:
        """The row of the table by which it joins its client's storm; empty where it has its own ticket."""
        if "storm" not in self._tables:
            return ""
        surge = self._storms()[row.client_id]
        is_there = surge is not None and surge.record.standing.is_open
        is_of_host = is_there and surge is not None and row.host_id in surge.extent.hosts
        counts = self._lately.counts(row.client_id, row.alertname, row.at_ms)
        crowd = Crowd(*counts, storm="host" if is_of_host else "open" if is_there else "none")
        return stormy(self._tables, world_of(row), row.at_ms, crowd)

    def opened(self, row: Row[Any]) -> None:
        """An alert has opened a ticket of its own."""
        self._lately.add(Opening(row.client_id, row.alertname, row.at_ms))

    def join(self, row: Row[Any], key: str, admitted: str) -> Surge:
        """The storm of the alert's client takes it in, by that row of the table."""
        surge = self._storms()[row.client_id]
        if surge is None or self._is_over(surge.record, row.at_ms):
            surge = self._begin(row)
        surge.rows[admitted] = None
        self._of_key[key] = surge
        return surge

    def carry(self, surge: Surge, alert_id: int, key: str) -> None:
        """An alert of the trouble that has gone on all the time is the storm's as well."""
        self._note(surge, alert_id, key, None)

    def tell(self, surge: Surge, row: Row[Any], key: str, *, rings: bool) -> None:
        """Let a transition of one of its alerts have its effect."""
        is_new = not self._has(surge, row.alert_id)
        if is_new:
            surge.extent.add(row.host_id, row.alertname)
        if rings:
            ruling = ruled(self._tables, World(row.client, severity=row.severity), row.at_ms)
            surge.ring(row.severity, ruling, row.at_ms)
            if is_new:
                surge.joined.add(row.host_id, row.alertname)
            surge.again += not is_new
        elif row.new is AlertState.UNKNOWN:
            surge.doubt(row.at_ms)
        else:
            surge.clear(row.at_ms)
        self._note(surge, row.alert_id, key, row.id)

    def finish(self, goes_on: Callable[[Record], bool]) -> list[Surge]:
        """Make each storm's entry; `goes_on` says whether an alert does that the batch has put on a ticket."""
        told = [surge for surge in self._surges.values() if surge.is_told]
        for surge in told:
            record = surge.record
            if record.facts.key == storm_key(record.facts.client_id) and surge.joined.alerts:
                opened_ms = record.facts.opened_ms if record.read_version else surge.first_ms
                record.facts = replace(record.facts, title=surge.extent.title, opened_ms=opened_ms)
            is_clear = record.standing.recovered_ms is not None
            rings_on = is_clear and (goes_on(record) or _any_holds(self._session, record))
            world = self._world(surge)
            change = surge.told(ruled(self._tables, world, surge.first_ms), goes_on=rings_on)
            if surge.is_served_anew:
                change = with_service(change, self._tables, world, record.facts.opened_ms)
            record.take_in(change)
        return told

    def write(self, is_kept: Callable[[Record], bool]) -> None:
        """Write which alerts the storms have, once their tickets are written."""
        write_heard(self._session, [each for each in self._heard.values() if is_kept(each.record)])
        again = [surge.record for surge in self._surges.values() if surge.opens is TicketEventKind.REOPENED]
        let_go(self._session, [record.ticket_id for record in again if is_kept(record)])

    def _read_gathered(self, keys: Collection[str]) -> None:
        rows = self._session.execute(_GATHERED.where(_A.trouble.in_(keys))).all() if keys else []
        is_open = [row for row in rows if row.ticket_state in OPEN_TICKET_STATES]
        self._know({row.ticket_id for row in is_open} - self._known.keys())
        self._read_extents({row.ticket_id: row.via_id for row in is_open})
        for row in rows:
            self._there.add((row.ticket_id, row.alert_id))
            self._heard_before[row.alert_id] = max(row.heard_id or 0, self._heard_before.get(row.alert_id, 0))
            if row.ticket_state in OPEN_TICKET_STATES:
                self._of_key[row.trouble] = self._surges[id(self._known[row.ticket_id])]
            elif holds(row):
                self._going_on[row.trouble].append(row.alert_id)

    def _know(self, ticket_ids: Collection[int]) -> None:
        found = read_records(self._session, TICKETS.c.id.in_(ticket_ids)) if ticket_ids else []
        self._known |= {record.ticket_id: record for record in found}

    def _storms(self) -> dict[int, Surge | None]:
        """Each client's storm, open or not; read once, when the first alert would open a ticket."""
        if self._of_client is None:
            clients = {row.client_id for row in self._rows}
            records, via = records_of(self._session, {storm_key(client) for client in clients})
            found = {key: self._known.setdefault(record.ticket_id, record) for key, record in records.items()}
            self._read_extents({record.ticket_id: via.get(key) for key, record in found.items()})
            self._of_client = {
                client: self._surges[id(found[storm_key(client)])] if storm_key(client) in found else None
                for client in clients
            }
            self._lately = Lately(_opened_lately(self._session, self._rows))
        return self._of_client

    def _read_extents(self, tickets: Mapping[int, int | None]) -> None:
        """How much is on these by a storm; with each the storm's own ticket, where that is merged into it."""
        new = {number: via for number, via in tickets.items() if id(self._known[number]) not in self._surges}
        extents = _extents(self._session, list(new))
        for number, via_id in new.items():
            record = self._known[number]
            self._surges[id(record)] = Surge(record, extents[number], via_id)

    def _begin(self, row: Row[Any]) -> Surge:
        ruling = ruled(self._tables, World(row.client, severity=row.severity), row.at_ms)
        facts = Facts(
            client_id=row.client_id,
            site_id=None,
            host_id=None,
            key=storm_key(row.client_id),
            title="",
            opened_ms=row.at_ms,
        )
        record = Record(facts, new_standing(ruling, known_severity(row.severity), row.at_ms))
        surge = Surge(record, Extent(), opens=TicketEventKind.OPENED)
        self._surges[id(record)] = self._storms()[row.client_id] = surge
        return surge

    def _world(self, surge: Surge) -> World:
        """What the tables are told of its ticket: of a storm's no more than whose it is."""
        record = surge.record
        if record.facts.key != storm_key(record.facts.client_id):
            return worlds_of(self._session, [record.ticket_id])[record.ticket_id]
        row = next(row for row in self._rows if row.client_id == record.facts.client_id)
        return World(row.client, severity=record.standing.severity)

    def _has(self, surge: Surge, alert_id: int) -> bool:
        """Whether the alert is on its ticket already."""
        was_there = bool(surge.record.read_version) and (surge.record.ticket_id, alert_id) in self._there
        return was_there or (id(surge.record), alert_id) in self._heard

    def _note(self, surge: Surge, alert_id: int, key: str, transition_id: int | None) -> None:
        self._heard[id(surge.record), alert_id] = Attached(
            surge.record, alert_id, surge.via_id, trouble=key, heard_id=transition_id
        )


def world_of(row: Row[Any]) -> World:
    """What the tables are told of an alert."""
    return World(row.client, row.site, host_kind=row.host_kind, severity=row.severity, rule=row.alertname)


def let_go(session: Session, ticket_ids: Collection[int]) -> None:
    """Take from tickets that are open again what came with a storm and is on another open one by now."""
    if not ticket_ids:
        return
    has_own = select(_OTHERS.c.id).where(_OTHERS.c.key == _A.trouble, _OTHERS.c.state.in_(OPEN_TICKET_STATES))
    is_elsewhere = (
        select(_THEIRS.c.ticket_id)
        .join_from(_THEIRS, _OTHERS, _OTHERS.c.id == _THEIRS.c.ticket_id)
        .where(
            _THEIRS.c.trouble == _A.trouble,
            _THEIRS.c.ticket_id != _A.ticket_id,
            _OTHERS.c.state.in_(OPEN_TICKET_STATES),
        )
    )
    session.execute(
        delete(TICKET_ALERTS).where(
            _A.ticket_id.in_(ticket_ids), IS_GATHERED, or_(has_own.exists(), is_elsewhere.exists())
        )
    )


def storm_of(session: Session, key: str) -> int | None:
    """The open ticket that has taken the trouble in as part of a storm."""
    asked = (
        select(_A.ticket_id)
        .join_from(TICKET_ALERTS, TICKETS, TICKETS.c.id == _A.ticket_id)
        .where(_A.trouble == key, IS_GATHERED, IS_OPEN)
    )
    return session.execute(asked.limit(1)).scalar()


def _extents(session: Session, ticket_ids: Sequence[int]) -> defaultdict[int, Extent]:
    extents: defaultdict[int, Extent] = defaultdict(Extent)
    asked = (
        select(_A.ticket_id, ALERTS.c.host_id, ALERTS.c.alertname, func.count())
        .join_from(TICKET_ALERTS, ALERTS, ALERTS.c.id == _A.alert_id)
        .where(_A.ticket_id.in_(ticket_ids), IS_GATHERED)
        .group_by(_A.ticket_id, ALERTS.c.host_id, ALERTS.c.alertname)
    )
    for ticket_id, host_id, rule, count in session.execute(asked) if ticket_ids else ():
        extents[ticket_id].add(host_id, rule, count)
    return extents


def _opened_lately(session: Session, rows: Sequence[Row[Any]]) -> Iterable[Opening]:
    """Those that are among the last for one of these rows."""
    moments = [row.at_ms for row in rows]
    opened_ms = TICKETS.c.opened_ms
    asked = _OPENED_LATELY.where(opened_ms > min(moments) - WINDOW_MS, opened_ms <= max(moments))
    return (Opening(*found) for found in session.execute(asked))


def _any_holds(session: Session, record: Record) -> bool:
    """Whether one of the alerts that are written for it goes on, or ends only to begin again."""
    if not record.read_version:
        return False
    asked = (
        select(ALERTS.c.state, ALERTS.c.suppressed)
        .join_from(TICKET_ALERTS, ALERTS, ALERTS.c.id == _A.alert_id)
        .where(
            _A.ticket_id == record.ticket_id,
            ~_A.cut_off,
            or_(ALERTS.c.state.in_(ALARMING), ALERTS.c.suppressed_ms.is_not(None)),
        )
    )
    return any(map(holds, session.execute(asked)))
