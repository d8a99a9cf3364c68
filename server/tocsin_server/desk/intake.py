"""Transitions become tickets: each is told once, in the order in which it was written.

    1. take up to `limit` transitions that nobody has consumed, in the order of their ids
    2. leave out those that a timeline tells of already
    3. find, for each key, the open ticket, else the newest one
    4. decide in memory, transition by transition (`ticket.py`)
    5. write tickets, entries and `consumed_ms` in a few statements, in the caller's transaction

Where alerts would open more tickets than people can work, the table `storm` has them join one (`storm.py`).
Where somebody else opens a ticket of the same key meanwhile, the transitions of that key stay unconsumed, and
the next call attaches them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, delete, literal_column, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import AlertState, TicketEventKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.evidence import evidence_of, title_of
from tocsin_server.desk.gathering import Gathering, world_of
from tocsin_server.desk.giving import Giving
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import (
    Attached,
    Facts,
    Record,
    write_alerts,
    write_changes,
    write_entries,
    write_new,
)
from tocsin_server.desk.recurrence import Recurrence, tell_recurrences
from tocsin_server.desk.ruling import World, ruled
from tocsin_server.desk.service import asks_anew, with_service
from tocsin_server.desk.standing import Change, Evidence, Standing
from tocsin_server.desk.store import EVENTS, TICKET_ALERTS
from tocsin_server.desk.storm import Surge
from tocsin_server.desk.ticket import cleared, fired, opened_by_alert, unknown
from tocsin_server.desk.trouble import flaps, holds, is_bar, records_of, ticket_key
from tocsin_server.desk.worlds import worlds_of
from tocsin_server.estate.store import Client, Host, Site

LIMIT = 500
"""How many transitions one call consumes: a fraction of a second for the one writer."""

_TRANSITIONS = Transition.metadata.tables["transition"]
_ALERTS = AlertRow.metadata.tables["alert"]
_HOSTS = Host.metadata.tables["host"]
_SITES = Site.metadata.tables["site"]
_CLIENTS = Client.metadata.tables["client"]

IS_WAITING: ColumnElement[bool] = literal_column("transition.consumed_ms IS NULL")
"""Word for word the condition of its partial index."""
_WAITING = (
    select(
        _TRANSITIONS.c.id,
        _TRANSITIONS.c.client_id,
        _TRANSITIONS.c.alert_id,
        _TRANSITIONS.c.at_ms,
        _TRANSITIONS.c.new,
        _TRANSITIONS.c.value,
        _TRANSITIONS.c.sample_ms,
        _TRANSITIONS.c.annotations,
        _TRANSITIONS.c.withheld,
        _TRANSITIONS.c.redelivers,
        _ALERTS.c.host_id,
        _ALERTS.c.alertname,
        _ALERTS.c.severity,
        _ALERTS.c.expression,
        _ALERTS.c.labels,
        _ALERTS.c.state,
        _ALERTS.c.suppressed,
        _ALERTS.c.acknowledged_ms,
        _HOSTS.c.site_id,
        _HOSTS.c.kind.label("host_kind"),
        _SITES.c.slug.label("site"),
        _CLIENTS.c.slug.label("client"),
    )
    .join_from(_TRANSITIONS, _ALERTS, _ALERTS.c.id == _TRANSITIONS.c.alert_id)
    .outerjoin(_HOSTS, _HOSTS.c.id == _ALERTS.c.host_id)
    .outerjoin(_SITES, _SITES.c.id == _HOSTS.c.site_id)
    .outerjoin(_CLIENTS, _CLIENTS.c.id == _TRANSITIONS.c.client_id)
    .where(IS_WAITING)
    .order_by(_TRANSITIONS.c.id)
)
_ANY_WAITING = select(_TRANSITIONS.c.id).where(IS_WAITING).limit(1)

_TOLD_OF = frozenset({AlertState.FIRING, AlertState.UNKNOWN, AlertState.RESOLVED})
"""What a ticket hears of. A pending alert has not rung yet, and one that was only pending never has."""


class _Told(NamedTuple):
    """One transition that a record has taken in."""

    record: Record
    kind: TicketEventKind | None
    """What came of it; nothing where that is told with another of a storm."""
    sample_ms: int | None


def consume(
    session: Session, now_ms: int, *, reopen_ms: int, tables: Tables, limit: int = LIMIT
) -> list[Happening]:
    """Consume the oldest waiting transitions; what has come of them, in their order. `tables` decide."""
    waiting = session.execute(_WAITING.limit(limit)).all()
    if not waiting:
        return []
    told_before = _told_before(session, [row.id for row in waiting])
    fresh = [row for row in waiting if _is_told_of(row) and row.id not in told_before]
    batch = _Batch(session, fresh, now_ms, reopen_ms=reopen_ms, tables=tables)
    for row in fresh:
        batch.tell(row)
    lost = batch.write()
    recurrences = tell_recurrences(session, batch.recurrences(lost), now_ms, tables=tables)
    _mark_consumed(session, [row.id for row in waiting if row.id not in lost], now_ms)
    told = [told for transition_id, told in batch.told.items() if transition_id not in lost]
    return [_happening(one, one.kind, now_ms) for one in told if one.kind is not None] + recurrences


def _is_told_of(row: Row[Any]) -> bool:
    """Whether a ticket hears of it."""
    return row.new in _TOLD_OF or row.redelivers


def is_waiting(session: Session) -> bool:
    """Whether there are transitions to consume."""
    return session.execute(_ANY_WAITING).first() is not None


class _Batch:
    """The tickets that a run of transitions is about, and what becomes of them."""

    def __init__(
        self, session: Session, rows: Sequence[Row[Any]], now_ms: int, *, reopen_ms: int, tables: Tables
    ) -> None:
        self._session = session
        self._reopen_ms = reopen_ms
        self._tables = tables
        self._keys = {row.id: ticket_key(row.client_id, row.alertname, row.labels) for row in rows}
        self._records, self._via = records_of(session, set(self._keys.values()))
        self._attached, self._holding = _alerts_of(session, self._records)
        self._holding |= {row.alert_id: holds(row) for row in rows}
        self._gathering = Gathering(
            session, rows, self._keys, self._records.values(), tables=tables, is_over=self._is_over
        )
        self._touched: list[Record] = []
        self._giving = Giving(session, now_ms, EVERYWHERE)
        self._new_alerts: list[Attached] = []
        self._firsts: dict[int, Row[Any]] = {}
        """The first transition that each storm was told of, by its record's identity."""
        self._worlds: dict[int, World] = {}
        """By the record's identity in memory."""
        self._heard: set[int] = set()
        """The alerts that are told of: their tickets are their own, whatever they were attached to."""
        self.told: dict[int, _Told] = {}

    def tell(self, row: Row[Any]) -> None:
        """Let one transition have its effect."""
        key = self._keys[row.id]
        surge = self._gathering.surge_of(key)
        record = self._records.get(key) if surge is None else surge.record
        if self._gathering.has_heard(row) or not _is_heard(row, record):
            return
        if surge is None and _rings(row) and (record is None or self._is_over(record, row.at_ms)):
            surge = self._join(row, key, record)
        if surge is not None:
            self._gather(surge, row, key)
            return
        change = self._change(row, record)
        if change is None:
            return
        record = self._records[key]
        if not record.entries:
            self._touched.append(record)
        record.take_in(change, row.id)
        if change.entry.kind is TicketEventKind.OPENED:
            self._giving.give(record, row.at_ms)
        self._attach(record, row.alert_id, via_id=self._via.get(key))
        self._heard.add(row.alert_id)
        self.told[row.id] = _Told(record, change.entry.kind, row.sample_ms)

    def write(self) -> set[int]:
        """Write it all; the transitions that somebody else was faster for."""
        self._finish_storms()
        new = [record for record in self._touched if not record.read_version]
        written = {id(record) for record in write_new(self._session, new)}
        kept = [record for record in self._touched if record.read_version or id(record) in written]
        write_changes(self._session, [record for record in kept if record.read_version])
        write_entries(self._session, kept)
        stay = {id(record) for record in kept}
        self._giving.write()
        _detach(self._session, self._heard)
        write_alerts(self._session, [one for one in self._new_alerts if id(one.record) in stay])
        self._gathering.write(lambda record: id(record) in stay)
        return {transition_id for transition_id, told in self.told.items() if id(told.record) not in stay}

    def recurrences(self, lost: Collection[int]) -> list[Recurrence]:
        """The tickets that were opened for trouble that had one before."""
        opened = {
            id(told.record): told.record
            for transition_id, told in self.told.items()
            if transition_id not in lost and not told.record.read_version
        }
        return [
            Recurrence(record.ticket_id, record.facts.reopens, record.facts.key, record.facts)
            for record in opened.values()
            if record.facts.reopens is not None and record.facts.key is not None
        ]

    def _change(self, row: Row[Any], record: Record | None) -> Change | None:
        """What it makes of the ticket of its key; a new one may take that one's place."""
        evidence = evidence_of(row)
        if _rings(row):
            if record is None or self._is_over(record, row.at_ms):
                return self._open(row, evidence, record)
            record.move(row.host_id, row.site_id)
            was, ruling = record.standing, ruled(self._tables, world_of(row), row.at_ms)
            return self._served(record, was, fired(was, evidence, row.at_ms, ruling=ruling))
        if record is None or record.standing.state is TicketState.CLOSED:
            return None
        if row.new is AlertState.UNKNOWN:
            return unknown(record.standing, evidence, row.at_ms)
        return cleared(record.standing, evidence, row.at_ms, is_last=self._is_last(record, row))

    def _is_over(self, record: Record, now_ms: int) -> bool:
        """Whether the same trouble asks for a new ticket."""
        standing = record.standing
        if standing.state is TicketState.CLOSED:
            return True
        return standing.solved_ms is not None and now_ms - standing.solved_ms > self._reopen_ms

    def _open(self, row: Row[Any], evidence: Evidence, earlier: Record | None) -> Change:
        world = world_of(row)
        opened = opened_by_alert(evidence, row.at_ms, ruling=ruled(self._tables, world, row.at_ms))
        change = with_service(opened, self._tables, world, row.at_ms)
        facts = Facts(
            client_id=row.client_id,
            site_id=row.site_id,
            host_id=row.host_id,
            key=self._keys[row.id],
            title=title_of(row),
            opened_ms=row.at_ms,
            reopens=None if earlier is None else earlier.ticket_id,
        )
        record = Record(facts, change.standing)
        self._records[self._keys[row.id]] = record
        self._worlds[id(record)] = world
        for alert_id in self._going_on(self._keys[row.id], earlier):
            self._attach(record, alert_id)
        self._gathering.opened(row)
        return change

    def _going_on(self, key: str, earlier: Record | None) -> list[int]:
        """Alerts that have gone on since then are part of the trouble: it is not over before they are."""
        was_part_of_another = self._via.pop(key, None) is not None
        left_behind = list(self._gathering.left_behind(key))
        self._holding |= dict.fromkeys(left_behind, True)
        return (
            left_behind if earlier is None or was_part_of_another else left_behind + self._holding_of(earlier)
        )

    def _join(self, row: Row[Any], key: str, earlier: Record | None) -> Surge | None:
        """The storm that takes it in, where the table has it open no ticket of its own."""
        admitted = self._gathering.admitting(row)
        if not admitted:
            return None
        surge = self._gathering.join(row, key, admitted)
        for alert_id in self._going_on(key, earlier):
            self._gathering.carry(surge, alert_id, key)
            self._attached[id(surge.record)].add(alert_id)
        return surge

    def _gather(self, surge: Surge, row: Row[Any], key: str) -> None:
        """A storm's ticket is told of what a batch counts."""
        self._firsts.setdefault(id(surge.record), row)
        self._gathering.tell(surge, row, key, rings=_rings(row))
        self._attached[id(surge.record)].add(row.alert_id)
        self._heard.add(row.alert_id)
        self.told[row.id] = _Told(surge.record, None, row.sample_ms)

    def _finish_storms(self) -> None:
        touched = set(map(id, self._touched))
        for surge in self._gathering.finish(lambda record: bool(self._holding_of(record))):
            if id(surge.record) not in touched:
                self._touched.append(surge.record)
            first = self._firsts[id(surge.record)]
            self.told[first.id] = _Told(surge.record, surge.kind, first.sample_ms)
            if surge.opens is TicketEventKind.OPENED:
                self._giving.give(surge.record, surge.first_ms)

    def _served(self, record: Record, was: Standing, change: Change) -> Change:
        """What has become worse may be clocked as something else."""
        if not asks_anew(was, change.standing):
            return change
        return with_service(change, self._tables, self._world_of(record), record.facts.opened_ms)

    def _world_of(self, record: Record) -> World:
        """The ticket's own, whichever of its alerts is told of; of all that there are, asked once."""
        if id(record) not in self._worlds:
            there = {each.ticket_id: id(each) for each in self._records.values() if each.read_version}
            found = worlds_of(self._session, list(there))
            self._worlds |= {there[ticket_id]: world for ticket_id, world in found.items()}
        return self._worlds[id(record)]

    def _attach(self, record: Record, alert_id: int, *, via_id: int | None = None) -> None:
        attached = self._attached[id(record)]
        if alert_id not in attached:
            attached.add(alert_id)
            self._new_alerts.append(Attached(record, alert_id, via_id))

    def _holding_of(self, record: Record) -> list[int]:
        return [alert for alert in self._attached[id(record)] if self._holding[alert]]

    def _is_last(self, record: Record, row: Row[Any]) -> bool:
        """Alerts are looked at as they are now: one that fires again further on in the queue counts already."""
        return not holds(row) and not self._holding_of(record)


def _is_heard(row: Row[Any], record: Record | None) -> bool:
    """Whether its ticket hears of it. An open one does, but for what flaps on; else nobody is to be woken."""
    has_open = record is not None and record.standing.is_open
    if flaps(row.withheld) and (has_open or row.new is not AlertState.FIRING):
        return False
    is_barred = row.acknowledged_ms is not None or any(map(is_bar, row.withheld))
    return has_open or not is_barred


def _rings(row: Row[Any]) -> bool:
    """Whether it asks for a ticket, where there is none."""
    return row.new is AlertState.FIRING or (row.redelivers and row.new is AlertState.UNKNOWN)


def _told_before(session: Session, ids: Sequence[int]) -> set[int]:
    asked = select(EVENTS.c.transition_id).where(EVENTS.c.transition_id.in_(ids))
    return set(session.execute(asked).scalars())


def _alerts_of(
    session: Session, records: Mapping[str, Record]
) -> tuple[defaultdict[int, set[int]], dict[int, bool]]:
    """Which alerts each record has (by the record's identity in memory), and which of them hold it open."""
    attached: defaultdict[int, set[int]] = defaultdict(set)
    holding: dict[int, bool] = {}
    by_id = {record.ticket_id: record for record in records.values()}
    asked = (
        select(TICKET_ALERTS.c.ticket_id, TICKET_ALERTS.c.alert_id, _ALERTS.c.state, _ALERTS.c.suppressed)
        .join_from(TICKET_ALERTS, _ALERTS, _ALERTS.c.id == TICKET_ALERTS.c.alert_id)
        .where(TICKET_ALERTS.c.ticket_id.in_(by_id), ~TICKET_ALERTS.c.cut_off)
    )
    for row in session.execute(asked) if by_id else ():
        attached[id(by_id[row.ticket_id])].add(row.alert_id)
        holding[row.alert_id] = holds(row)
    return attached, holding


def _detach(session: Session, alert_ids: Collection[int]) -> None:
    """These are no longer on the ticket of a dead host that has cut theirs off."""
    if alert_ids:
        session.execute(
            delete(TICKET_ALERTS).where(TICKET_ALERTS.c.alert_id.in_(alert_ids), TICKET_ALERTS.c.cut_off)
        )


def _mark_consumed(session: Session, ids: Sequence[int], now_ms: int) -> None:
    session.execute(update(_TRANSITIONS).where(_TRANSITIONS.c.id.in_(ids)).values(consumed_ms=now_ms))


def _happening(told: _Told, kind: TicketEventKind, now_ms: int) -> Happening:
    """A clock that was set back must not make a detection that lies in the future."""
    if kind not in (TicketEventKind.OPENED, TicketEventKind.REOPENED) or told.sample_ms is None:
        return Happening(told.record.ticket_id, kind)
    return Happening(told.record.ticket_id, kind, max(0.0, (now_ms - told.sample_ms) / 1000))
