"""Tickets between the pure lifecycle and the tables: read as standings, written as changes, always in bulk.

Every write of a ticket is compare-and-set on the version that was read. Whoever loses gets `Conflict`, and
the act is taken back as a whole; with one writer that only happens to a program beside the server.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, CursorResult, RowMapping, bindparam, func, insert, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, ActorKind, TicketEventKind, TicketKind
from tocsin_server.access.store import PersonRow
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.standing import Change, Entry, Standing, Technician
from tocsin_server.desk.store import EVENTS, FAR_MS, TICKET_ALERTS, TICKETS
from tocsin_server.desk.texts import Worded, write_texts
from tocsin_server.desk.words import Said
from tocsin_server.errors import Conflict
from tocsin_server.storage.statements import insert_or

_PEOPLE = PersonRow.metadata.tables["person"]
_T = TICKETS.c
_READ = select(TICKETS, _PEOPLE.c.login).outerjoin_from(TICKETS, _PEOPLE, _PEOPLE.c.id == _T.owner_id)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a ticket is about; settled when it is opened, but for a host that is enrolled again, and a storm's
    title, which counts what it has grown to."""

    client_id: int
    site_id: int | None
    host_id: int | None
    key: str | None
    title: str
    opened_ms: int
    reopens: int | None = None
    kind: TicketKind = TicketKind.INCIDENT
    requester_id: int | None = None


@dataclass(slots=True)
class Record:
    """A ticket in hand: as it stands, and the entries that are to be written with it."""

    facts: Facts
    standing: Standing
    read_version: int = 0
    """The version in the database; 0 where it is not there yet."""
    was_open: bool = False
    """Whether it is open in the database."""
    entries: list[tuple[Entry, int | None]] = field(default_factory=list)
    """Each with the transition that it tells of."""
    tells_ms: int | None = 0
    """When its clocks are to be looked at, once it is written; at once, unless who writes it has looked."""
    due_ms: int = FAR_MS
    """Its first deadline as it was reckoned last."""
    read: Mapping[Any, Any] = field(default_factory=dict)
    """The columns that may change, as they are in the database; none where it is not there yet."""

    def take_in(self, change: Change, transition_id: int | None = None) -> None:
        """Go on from a change."""
        self.standing = change.standing
        self.entries.append((change.entry, transition_id))

    def move(self, host_id: int | None, site_id: int | None) -> None:
        """The trouble is on another host of the same name now: one that was enrolled again."""
        if host_id not in (None, self.facts.host_id):
            self.facts = replace(self.facts, host_id=host_id, site_id=site_id)

    @property
    def ticket_id(self) -> int:
        if self.standing.id is None:
            raise ValueError("a ticket has no id before it is written")
        return self.standing.id


def read_records(session: Session, where: ColumnElement[bool]) -> list[Record]:
    """The tickets for which this holds."""
    return [_record(row) for row in session.execute(_READ.where(where)).mappings()]


def window_names(text: str) -> tuple[str, ...]:
    """The names that the column has, which is empty for none."""
    return tuple(json.loads(text)) if text else ()


def write_new(session: Session, records: Sequence[Record]) -> list[Record]:
    """Insert tickets; those whose key got an open ticket from somebody else meanwhile are left out.

    Gives back those that were written, with their ids, as they stand after their last entry.
    """
    if not records:
        return []
    # Their keys differ, so the ids that come back, in any order, find their tickets again.
    statement = insert_or(session, TICKETS).on_conflict_do_nothing().returning(_T.id, _T.key, _T.client_id)
    given = session.execute(statement, [_new_row(record) for record in records]).all()
    ids = {(row.client_id, row.key): row.id for row in given}
    written = [record for record in records if (record.facts.client_id, record.facts.key) in ids]
    for record in written:
        ticket_id = ids[record.facts.client_id, record.facts.key]
        record.standing = replace(record.standing, id=ticket_id)
    return written


def write_changes(session: Session, records: Sequence[Record]) -> None:
    """Write the standings of tickets that have changed since they were read: the columns that are other.

    A column that is named is a change of all its indexes to SQLite, whatever its value was. What is open no
    more is written before what is open again: both may be of the same trouble.
    """
    alike: defaultdict[tuple[bool, tuple[str, ...]], list[dict[str, Any]]] = defaultdict(list)
    for record in sorted(records, key=lambda each: each.standing.is_open):
        if record.standing.version != record.read_version:
            others = _others(record)
            alike[record.standing.is_open, tuple(others)].append(_changed_row(record, others))
    for (_, names), rows in alike.items():
        statement = (
            update(TICKETS)
            .where(_T.id == bindparam("ticket_id"), _T.version == bindparam("read_version"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        done = session.execute(statement, rows)
        if isinstance(done, CursorResult) and done.rowcount != len(rows):
            raise Conflict("tickets have changed meanwhile", remedy="look again and repeat")


def write_entries(session: Session, records: Sequence[Record]) -> None:
    """Write the entries that were taken in, in the order of `records`, and the words of their tickets."""
    rows = [
        _event_row(record, entry, transition_id)
        for record in records
        for entry, transition_id in record.entries
    ]
    if rows:
        session.execute(insert(EVENTS), rows)
    write_texts(session, [_worded(record) for record in records if _has_other_words(record)])


def written(session: Session, records: Sequence[Record]) -> list[Happening]:
    """Write what has come of tickets that there were; the last thing that has happened to each."""
    write_changes(session, records)
    write_entries(session, records)
    return [Happening(record.ticket_id, record.entries[-1][0].kind) for record in records]


class Attached(NamedTuple):
    """An alert that a ticket is about, and the merged ticket through which it is."""

    record: Record
    alert_id: int
    via_id: int | None = None
    cut_off: bool = False
    """Its host cannot be reached past the ticket's."""
    trouble: str | None = None
    """The key by which it would have a ticket of its own, where this one is a storm's."""
    heard_id: int | None = None
    """The last transition that a storm's ticket has been told of it."""


def write_alerts(session: Session, attached: Sequence[Attached]) -> None:
    """Write which alerts the tickets are about; what is written already stays."""
    if attached:
        session.execute(insert_or(session, TICKET_ALERTS).on_conflict_do_nothing(), _alert_rows(attached))


def write_heard(session: Session, attached: Sequence[Attached]) -> None:
    """Write which alerts storms are about, and up to where they have been told of each."""
    if attached:
        statement = insert_or(session, TICKET_ALERTS)
        heard = {"heard_id": func.coalesce(statement.excluded.heard_id, TICKET_ALERTS.c.heard_id)}
        session.execute(
            statement.on_conflict_do_update(index_elements=["ticket_id", "alert_id"], set_=heard),
            _alert_rows(attached),
        )


def _alert_rows(attached: Sequence[Attached]) -> list[dict[str, Any]]:
    return [
        {
            "ticket_id": each.record.ticket_id,
            "alert_id": each.alert_id,
            "client_id": each.record.facts.client_id,
            "via_id": each.via_id,
            "cut_off": each.cut_off,
            "trouble": each.trouble,
            "heard_id": each.heard_id,
        }
        for each in attached
    ]


def _standing_row(standing: Standing) -> dict[str, Any]:
    return {
        "state": standing.state,
        "priority": standing.priority,
        "severity": standing.severity,
        "owner_id": None if standing.owner is None else standing.owner.id,
        "version": standing.version,
        "human": standing.human,
        "confirm": standing.confirm,
        "recovered_ms": standing.recovered_ms,
        "updated_ms": standing.updated_ms,
        "impact": standing.impact,
        "urgency": standing.urgency,
        "team": standing.team,
        "supplier": standing.supplier,
        "waits_for": standing.waits_for,
        "wakes_ms": standing.wakes_ms,
        "closes_ms": standing.closes_ms,
        "merged_into": standing.merged_into,
        "parent_id": standing.parent_id,
        "windows": json.dumps(standing.windows) if standing.windows else "",
        "solved_ms": standing.solved_ms,
    }


def _new_row(record: Record) -> dict[str, Any]:
    facts = record.facts
    return _standing_row(record.standing) | {
        "client_id": facts.client_id,
        "site_id": facts.site_id,
        "host_id": facts.host_id,
        "key": facts.key,
        "title": facts.title,
        "opened_ms": facts.opened_ms,
        "reopens": facts.reopens,
        "kind": facts.kind,
        "requester_id": facts.requester_id,
        "tells_ms": record.tells_ms,
        "due_ms": record.due_ms,
    }


def _changing_row(record: Record) -> dict[str, Any]:
    """The columns that a change may change."""
    return _standing_row(record.standing) | {
        "title": record.facts.title,
        "host_id": record.facts.host_id,
        "site_id": record.facts.site_id,
        "tells_ms": record.tells_ms,
        "due_ms": record.due_ms,
    }


def _others(record: Record) -> dict[str, Any]:
    """Those of them that are not as they are in the database."""
    row = _changing_row(record).items()
    return {name: value for name, value in row if name not in record.read or record.read[name] != value}


def _changed_row(record: Record, others: Mapping[str, Any]) -> dict[str, Any]:
    values = {f"new_{name}": value for name, value in others.items()}
    return values | {"ticket_id": record.ticket_id, "read_version": record.read_version}


def _event_row(record: Record, entry: Entry, transition_id: int | None) -> dict[str, Any]:
    return {
        "client_id": record.facts.client_id,
        "ticket_id": record.ticket_id,
        "at_ms": entry.at_ms,
        "kind": entry.kind,
        "actor_kind": entry.actor.kind,
        "actor": entry.actor.name,
        "text": entry.text,
        "data": dict(entry.data),
        "public": entry.public,
        "transition_id": transition_id,
    }


def _has_other_words(record: Record) -> bool:
    """Whether it is to be found by others than the database has of it."""
    is_other = record.was_open is not record.standing.is_open or record.facts.title != record.read.get("title")
    return not record.read_version or is_other or any(_said(record))


def _worded(record: Record) -> Worded:
    return Worded(
        ticket_id=record.ticket_id,
        client_id=record.facts.client_id,
        host_id=record.facts.host_id,
        title=record.facts.title,
        is_open=record.standing.is_open,
        is_new=not record.read_version,
        texts=[*_said(record)],
    )


def _said(record: Record) -> Iterator[Said]:
    """What is looked for: what the ticket was opened with, and what people say. Alerts repeat themselves."""
    for entry, _ in record.entries:
        is_of_people = (
            entry.actor.kind in (ActorKind.PERSON, ActorKind.CLIENT) or entry.kind is TicketEventKind.OPENED
        )
        if entry.text and is_of_people:
            yield Said(entry.text, entry.public)


def _record(row: RowMapping) -> Record:
    return Record(
        facts=Facts(
            client_id=row["client_id"],
            site_id=row["site_id"],
            host_id=row["host_id"],
            key=row["key"],
            title=row["title"],
            opened_ms=row["opened_ms"],
            reopens=row["reopens"],
            kind=row["kind"],
            requester_id=row["requester_id"],
        ),
        standing=Standing(
            id=row["id"],
            state=row["state"],
            priority=row["priority"],
            severity=row["severity"],
            owner=None if row["owner_id"] is None else Technician(row["owner_id"], row["login"]),
            version=row["version"],
            human=row["human"],
            impact=row["impact"],
            urgency=row["urgency"],
            team=row["team"],
            supplier=row["supplier"],
            waits_for=row["waits_for"],
            wakes_ms=row["wakes_ms"],
            closes_ms=row["closes_ms"],
            merged_into=row["merged_into"],
            parent_id=row["parent_id"],
            windows=window_names(row["windows"]),
            confirm=row["confirm"],
            recovered_ms=row["recovered_ms"],
            updated_ms=row["updated_ms"],
            solved_ms=row["solved_ms"],
        ),
        read_version=row["version"],
        was_open=row["state"] in OPEN_TICKET_STATES,
        due_ms=row["due_ms"],
        read=row,
    )
