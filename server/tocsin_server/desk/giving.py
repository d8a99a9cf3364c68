"""New tickets are given to somebody of their team, where the team assigns by load: in the act that opens them.

A team is read when its first ticket comes, and counted on from there: so a storm of alerts is spread as one
ticket after another would be. Only who sees the client is given its ticket. What they have open is counted over
all clients, whoever opens the ticket: only the numbers are told.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, literal_column, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import Role, TeamAssign
from tocsin_server.access.permissions import Permission, may
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.access.store import GRANTS, PersonRow
from tocsin_server.desk.load import WEIGHTS, Bearer, Choice, least_loaded
from tocsin_server.desk.record import Record
from tocsin_server.desk.standing import TOCSIN, Receiver, Technician
from tocsin_server.desk.store import IS_OPEN, TICKETS, TeamMemberRow, TeamRow
from tocsin_server.desk.ticket import assign
from tocsin_server.storage.statements import show_only

_TEAMS = TeamRow.metadata.tables["team"]
_MEMBERS = TeamMemberRow.metadata.tables["team_member"]
_PEOPLE = PersonRow.metadata.tables["person"]
_WORKING = (
    select(
        _MEMBERS.c.id,
        _MEMBERS.c.person_id,
        _MEMBERS.c.most_open,
        _MEMBERS.c.away_until_ms,
        _MEMBERS.c.given_ms,
        _PEOPLE.c.login,
        _PEOPLE.c.all_clients,
    )
    .join_from(_MEMBERS, _TEAMS, _TEAMS.c.id == _MEMBERS.c.team_id)
    .join(_PEOPLE, _PEOPLE.c.id == _MEMBERS.c.person_id)
    .where(
        _TEAMS.c.slug == bindparam("team"),
        _MEMBERS.c.until_ms.is_(None),
        _PEOPLE.c.disabled_ms.is_(None),
        _PEOPLE.c.role.in_([role for role in Role if may(role, Permission.WORK)]),
    )
    .order_by(_PEOPLE.c.login)
)
_BY_LOAD = select(_TEAMS.c.slug).where(_TEAMS.c.assign == TeamAssign.LOAD)
_HAS_OWNER: ColumnElement[bool] = literal_column("ticket.owner_id IS NOT NULL")
"""With `IS_OPEN`, word for word the condition of its partial index."""


class Giving:
    """Gives the tickets of one transaction to people."""

    def __init__(self, session: Session, now_ms: int, scope: Scope) -> None:
        """`scope` is what the transaction sees."""
        self._session = session
        self._scope = scope
        self._now_ms = now_ms
        self._by_load: frozenset[str] | None = None
        self._teams: dict[str, dict[int, Bearer]] = {}
        self._given: set[int] = set()
        self._everywhere: set[int] = set()
        self._granted: dict[int, frozenset[int]] = {}

    def give(self, record: Record, at_ms: int) -> None:
        """Give a ticket that is just opened to somebody of its team; its timeline says why, or why not."""
        team = record.standing.team
        if not self._assigns(team):
            return
        choice = self._choice(team, record.facts.client_id)
        if choice.bearer is None:
            entry, transition_id = record.entries[-1]
            told = replace(entry, data={**entry.data, "nobody": choice.why})
            record.entries[-1] = told, transition_id
            return
        who = choice.bearer.who
        to = Receiver(team, who, data={"owner": who.login})
        record.take_in(assign(record.standing, TOCSIN, at_ms, to=to, text=choice.why))
        self._note(who, record.standing.priority)

    def write(self) -> None:
        """Write down who was given one last, so that another is next where both have as much to do."""
        if self._given:
            given = update(_MEMBERS).where(_MEMBERS.c.id == bindparam("member"))
            rows = [{"member": member, "now_ms": self._now_ms} for member in sorted(self._given)]
            self._session.execute(given.values(given_ms=bindparam("now_ms")), rows)

    def _choice(self, team: str, client_id: int) -> Choice:
        bearers = list(self._bearers(team).values())
        seeing = [each for each in bearers if self._sees(each.who.id, client_id)]
        if bearers and not seeing:
            return Choice(None, f"nobody of {team} sees the client")
        return least_loaded(team, seeing, self._now_ms)

    def _sees(self, person_id: int, client_id: int) -> bool:
        if client_id not in self._granted:
            asked = select(GRANTS.c.person_id).where(GRANTS.c.client_id == client_id)
            self._granted[client_id] = frozenset(self._session.execute(asked).scalars())
        return person_id in self._everywhere or person_id in self._granted[client_id]

    def _note(self, who: Technician, priority: int) -> None:
        """In each of their teams that is read."""
        for bearers in self._teams.values():
            for member, bearer in bearers.items():
                if bearer.who.id == who.id:
                    bearers[member] = bearer.with_one_more(priority, self._now_ms)
                    self._given.add(member)

    def _assigns(self, team: str) -> bool:
        if self._by_load is None:
            self._by_load = frozenset(self._session.execute(_BY_LOAD).scalars())
        return team in self._by_load

    def _bearers(self, team: str) -> dict[int, Bearer]:
        """By the number of the member's row."""
        if team not in self._teams:
            rows = self._session.execute(_WORKING, {"team": team}).all()
            show_only(self._session, EVERYWHERE.setting)
            loads = _loads(self._session, [row.person_id for row in rows])
            show_only(self._session, self._scope.setting)
            self._everywhere |= {row.person_id for row in rows if row.all_clients}
            self._teams[team] = {row.id: _bearer(row, loads.get(row.person_id, (0, 0))) for row in rows}
        return self._teams[team]


def _loads(session: Session, people: Iterable[int]) -> dict[int, tuple[int, int]]:
    """How many open tickets each of them has, and what these weigh."""
    owner = TICKETS.c.owner_id
    asked = (
        select(owner, TICKETS.c.priority, func.count())
        .where(IS_OPEN, _HAS_OWNER, owner.in_(list(people)))
        .group_by(owner, TICKETS.c.priority)
    )
    found: dict[int, tuple[int, int]] = {}
    for person_id, priority, count in session.execute(asked):
        had, load = found.get(person_id, (0, 0))
        found[person_id] = had + count, load + count * WEIGHTS[priority]
    return found


def _bearer(row: Row[Any], has: tuple[int, int]) -> Bearer:
    who = Technician(row.person_id, row.login)
    return Bearer(who, *has, row.most_open, row.away_until_ms, row.given_ms)
