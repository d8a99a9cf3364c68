"""Which tickets are asked for, as the conditions by which the database finds them.

Whose tickets, which owner's, which team's, which are no incidents: each has an index in the queue's order, and
there is one of open tickets. Where several are asked for, one index is walked and the others are looked at row
by row on the way, which leaves enough of a client's, an owner's or a team's tickets to fill a page soon. Some
priorities, or what was opened since a time, are asked for priority by priority (`queue.py`), so that each is
one stretch of an index. What is due first has indexes of its own: of all open tickets, and of a client's; those
that one owner or one team has open are few enough to be sorted.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import TicketKind
from tocsin_server.access.scope import Scope
from tocsin_server.access.store import PersonRow
from tocsin_server.desk.scope import client_id_of, person_id_of
from tocsin_server.desk.standing import PRIORITIES, known_priority
from tocsin_server.desk.store import IS_NO_INCIDENT, IS_OPEN, IS_OVER, TICKETS
from tocsin_server.desk.teams import teams
from tocsin_server.errors import Forbidden, Unprocessable

_T = TICKETS.c
_PEOPLE = PersonRow.metadata.tables["person"]
STATES: Mapping[str, ColumnElement[bool] | None] = {"open": IS_OPEN, "solved": IS_OVER, "all": None}


class Order(StrEnum):
    """What comes first."""

    URGENCY = "urgency"
    """The most urgent, of those the oldest."""
    DUE = "due"
    """What is due first; what is not due last, in the order of urgency."""
    NEWEST = "newest"
    """The latest number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a ticket has to be; what is empty asks for nothing."""

    state: str = "open"
    """`open`, `solved` (or closed), or `all`."""
    client: str | None = None
    host_id: int | None = None
    owner: str | None = None
    team: str | None = None
    member_id: int | None = None
    """It is a team's in which this person is."""
    kind: TicketKind | None = None
    priorities: Collection[int] = ()
    since_ms: int | None = None
    """It was opened then or later."""
    due_from_ms: int | None = None
    due_to_ms: int | None = None
    """It is due between both, as it was reckoned last: open tickets only."""
    text: str | None = None
    """The words that it has (`words.py`)."""
    order: Order | None = None
    """As `by` has it where nothing is asked for."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise Unprocessable(f"no tickets are {self.state!r}", remedy=f"ask for state={' or '.join(STATES)}")
        for priority in self.priorities:
            known_priority(priority)
        if self.state != "open" and self.by is Order.DUE:
            raise Unprocessable("what is solved is not due any more", remedy="ask for open tickets")
        if self.order not in (None, self.by):
            raise Unprocessable(
                f"these come in the order {self.by}", remedy=f"ask without an order, or for order={self.by}"
            )

    @property
    def by(self) -> Order:
        """In which order they come: what is looked for by words the newest first, what is due by when it is."""
        if self.text:
            return Order.NEWEST
        if self.due_from_ms is not None or self.due_to_ms is not None:
            return Order.DUE
        return Order.DUE if self.order is Order.DUE else Order.URGENCY

    @property
    def by_priority(self) -> list[int]:
        """The priorities that are to be asked for one by one, in order; none where one stretch holds all."""
        if self.priorities or self.since_ms is not None:
            return sorted(set(self.priorities or PRIORITIES))
        return []

    def client_id(self, session: Session, scope: Scope) -> int | None:
        """The client that is asked for; raises `NotFound` where none of that name is seen."""
        return client_id_of(session, scope, self.client) if self.client else None

    def conditions(self, session: Session, scope: Scope, client_id: int | None) -> list[ColumnElement[bool]]:
        """All but words, priorities and age. A name that nobody has is `NotFound`."""
        if self.by is Order.DUE or self.due_to_ms is not None:
            _require_inside(scope)
        found: list[ColumnElement[bool]] = [scope.within(_T.client_id)]
        condition = STATES[self.state]
        if condition is not None:
            found.append(condition)
        if client_id is not None:
            found.append(_T.client_id == client_id)
        if self.host_id is not None:
            found.append(_T.host_id == self.host_id)
        if self.owner:
            found.append(_is_owned_by(session, scope, self.owner))
        found += self._of_teams(session)
        if self.kind is not None:
            found.append(_T.kind == self.kind)
            if self.kind is not TicketKind.INCIDENT:
                found.append(IS_NO_INCIDENT)
        if self.due_from_ms is not None:
            found.append(_T.due_ms >= self.due_from_ms)
        if self.due_to_ms is not None:
            found.append(_T.due_ms < self.due_to_ms)
        return found

    def _of_teams(self, session: Session) -> Iterator[ColumnElement[bool]]:
        if self.team:
            yield _T.team == self.team
        if self.member_id is not None:
            yield _T.team.in_([each.slug for each in teams(session, person_id=self.member_id)])

    def by_row(self) -> list[ColumnElement[bool]]:
        """Priorities and age, where they are looked at row by row."""
        found: list[ColumnElement[bool]] = []
        if self.priorities:
            # No sum is in an index: SQLite would walk the queue's by priority, and sort all that it finds.
            found.append((_T.priority + 0).in_(self.priorities))
        if self.since_ms is not None:
            found.append(_T.opened_ms >= self.since_ms)
        return found


def _require_inside(scope: Scope) -> None:
    """When a ticket is due says what teams and suppliers have promised, too, and so does the cursor."""
    if not scope.is_inside:
        raise Forbidden(
            "what is due is told to the provider's own people", remedy="look at the clocks of a ticket"
        )


def _is_owned_by(session: Session, scope: Scope, login: str) -> ColumnElement[bool]:
    """Who does not see all clients does not learn who signs in: a login that nobody has owns nothing."""
    if scope.is_everywhere:
        return _T.owner_id == person_id_of(session, login)
    return _T.owner_id == select(_PEOPLE.c.id).where(_PEOPLE.c.login == login).scalar_subquery()
