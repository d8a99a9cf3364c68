"""Trouble that comes back after its ticket was over: both tickets say so, and what comes often is a problem.

    a ticket is opened for trouble that had one before     it `recurs` that one
    so often in 30 days that `recurrence` says so          a problem is opened, which causes those tickets
    again, while that problem is open                      it causes that ticket too

Tickets that a problem causes already are not counted again: after it is solved, it takes as many anew.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from tocsin_protocol.vocabulary import LinkKind, TicketEventKind, TicketKind, TicketState, Tie
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.bonds import tied
from tocsin_server.desk.giving import Giving
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import Facts, Record, read_records, write_entries, write_new, written
from tocsin_server.desk.ruling import World, is_problem, ruled
from tocsin_server.desk.service import with_service
from tocsin_server.desk.standing import TOCSIN, Change, Entry, Standing
from tocsin_server.desk.store import LINKS, TICKETS
from tocsin_server.desk.text import title_line
from tocsin_server.desk.ticket import ruled_by
from tocsin_server.desk.trouble import records_of
from tocsin_server.desk.worlds import worlds_of
from tocsin_server.storage.statements import insert_or

DAYS = 30
_PERIOD_MS = DAYS * 86_400_000
_PROBLEMS = TICKETS.alias("problem")
_HAS_PROBLEM = (
    select(LINKS.c.ticket_id)
    .join_from(LINKS, _PROBLEMS, _PROBLEMS.c.id == LINKS.c.other_id)
    .where(
        LINKS.c.ticket_id == TICKETS.c.id,
        LINKS.c.kind == LinkKind.CAUSED_BY,
        _PROBLEMS.c.kind == TicketKind.PROBLEM,
    )
    .correlate(TICKETS)
    .exists()
)


class Recurrence(NamedTuple):
    """A ticket that was opened for trouble of which an earlier one was."""

    ticket_id: int
    earlier_id: int
    key: str
    of: Facts
    """The ticket's own."""

    @property
    def at_ms(self) -> int:
        return self.of.opened_ms


@dataclass(frozen=True, slots=True)
class Found:
    """A problem, and the tickets that it causes and that do not say so yet."""

    record: Record
    causes: Sequence[int]
    at_ms: int


def problem_key(key: str) -> str:
    """The key of a trouble's problem: it has one that is open."""
    return f"problem/{key}"


def tell_recurrences(
    session: Session, recurrences: Sequence[Recurrence], now_ms: int, *, tables: Tables
) -> list[Happening]:
    """Tell both tickets of each, and open the problems that `tables` see in them; what has come of it."""
    if not recurrences:
        return []
    found = _open_ones(session, recurrences)
    new = _opened(session, [each for each in recurrences if each.key not in found], now_ms, tables)
    problems = [*found.values(), *new]
    tickets = {number for each in recurrences for number in (each.ticket_id, each.earlier_id)}
    tickets |= {number for problem in problems for number in problem.causes}
    records = {record.ticket_id: record for record in read_records(session, TICKETS.c.id.in_(tickets))}
    for each in recurrences:
        _tie(records[each.ticket_id], Tie.RECURS, each.earlier_id, each.at_ms)
        _tie(records[each.earlier_id], Tie.RECURS_AS, each.ticket_id, each.at_ms)
    for problem in problems:
        for number in problem.causes:
            _tie(records[number], Tie.CAUSED_BY, problem.record.ticket_id, problem.at_ms)
    _write_links(session, problems)
    touched = {id(each): each for each in (*records.values(), *(one.record for one in found.values()))}
    happened = written(session, [record for record in touched.values() if record.entries])
    return [Happening(problem.record.ticket_id, TicketEventKind.OPENED) for problem in new] + happened


def _tie(record: Record, tie: Tie, other_id: int, at_ms: int) -> None:
    """A closed one takes no entry, but shows the tie as well."""
    if record.standing.state is not TicketState.CLOSED:
        record.take_in(tied(record.standing, TOCSIN, at_ms, tie=tie, other_id=other_id))


def _open_ones(session: Session, recurrences: Sequence[Recurrence]) -> dict[str, Found]:
    """The problems that are open for these troubles, by their keys; each is told of its ticket."""
    records, _ = records_of(session, {problem_key(each.key) for each in recurrences})
    found: dict[str, Found] = {}
    for each in recurrences:
        record = records.get(problem_key(each.key))
        if record is not None and record.standing.is_open:
            _tie(record, Tie.CAUSES, each.ticket_id, each.at_ms)
            found[each.key] = Found(record, [each.ticket_id], each.at_ms)
    return found


def _opened(session: Session, recurrences: Sequence[Recurrence], now_ms: int, tables: Tables) -> list[Found]:
    """The problems that are opened, written; not those that somebody else was faster for."""
    if not recurrences or "recurrence" not in tables:
        return []
    times = _lately(session, recurrences)
    worlds = worlds_of(session, [each.ticket_id for each in recurrences])
    giving = Giving(session, now_ms, EVERYWHERE)
    problems = []
    for each in recurrences:
        world, causes = worlds[each.ticket_id], times[each.key]
        row = is_problem(tables, world, each.at_ms, times=len(causes))
        if row:
            record = _new(each, causes, row, world=world, tables=tables)
            giving.give(record, each.at_ms)
            problems.append(Found(record, causes, each.at_ms))
    giving.write()
    there = write_new(session, [problem.record for problem in problems])
    write_entries(session, there)
    return [problem for problem in problems if problem.record.standing.id is not None]


def _new(recurrence: Recurrence, causes: Sequence[int], row: str, *, world: World, tables: Tables) -> Record:
    """The problem of a trouble, where its newest ticket is."""
    of, at_ms, world = recurrence.of, recurrence.at_ms, world._replace(kind=TicketKind.PROBLEM)
    ruling = ruled(tables, world, at_ms)
    standing = ruled_by(Standing(human=True, updated_ms=at_ms), ruling)
    told = {**ruling.data(), "tickets": list(map(str, causes)), "decided": [*ruling.rows, row]}
    text = f"{len(causes)} tickets of this trouble in {DAYS} days: {', '.join(f'#{each}' for each in causes)}"
    change = Change(standing, Entry(at_ms, TicketEventKind.OPENED, TOCSIN, text, told))
    facts = Facts(
        client_id=of.client_id,
        site_id=of.site_id,
        host_id=of.host_id,
        key=problem_key(recurrence.key),
        title=title_line(f"Recurring: {of.title}"),
        opened_ms=at_ms,
        kind=TicketKind.PROBLEM,
    )
    record = Record(facts, standing)
    record.take_in(with_service(change, tables, world, at_ms))
    return record


def _lately(session: Session, recurrences: Sequence[Recurrence]) -> Mapping[str, Sequence[int]]:
    """For each trouble its tickets of the last 30 days that no problem causes, in their order."""
    since_ms = {each.key: each.at_ms - _PERIOD_MS for each in recurrences}
    asked = (
        select(TICKETS.c.key, TICKETS.c.id, TICKETS.c.opened_ms)
        .where(TICKETS.c.key.in_(since_ms), TICKETS.c.opened_ms > min(since_ms.values()), ~_HAS_PROBLEM)
        .order_by(TICKETS.c.id)
    )
    lately: defaultdict[str, list[int]] = defaultdict(list)
    for row in session.execute(asked):
        if row.opened_ms > since_ms[row.key]:
            lately[row.key].append(row.id)
    return lately


def _write_links(session: Session, problems: Collection[Found]) -> None:
    rows = [*_links(problems)]
    if rows:
        session.execute(insert_or(session, LINKS).on_conflict_do_nothing(), rows)


def _links(problems: Iterable[Found]) -> Iterable[dict[str, object]]:
    for problem in problems:
        for number in problem.causes:
            yield {
                "ticket_id": number,
                "kind": LinkKind.CAUSED_BY,
                "other_id": problem.record.ticket_id,
                "client_id": problem.record.facts.client_id,
            }
