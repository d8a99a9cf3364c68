"""Who watches a ticket: people who want to hear of it though it is not theirs.

Watching changes nothing of the ticket, so there is no event of it and no version; the audit log has it.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import CLIENT_ROLES
from tocsin_server.access.audit import Act
from tocsin_server.access.scope import Scope
from tocsin_server.access.store import GRANTS, PersonRow
from tocsin_server.desk.store import TICKETS, WATCHERS
from tocsin_server.errors import Conflict, NotFound
from tocsin_server.storage.statements import insert_or

MOST = 50
"""Of one ticket."""
_PEOPLE = PersonRow.metadata.tables["person"]
_W = WATCHERS.c
IS_WATCHED: ColumnElement[bool] = exists().where(_W.ticket_id == TICKETS.c.id).correlate(TICKETS)
"""Of a ticket that is asked for."""


class Watcher(NamedTuple):
    """Somebody who watches a ticket."""

    person_id: int
    login: str
    mail: str = ""
    """Their address, where they have one."""


class Watched(NamedTuple):
    """What has come of it: whose client's ticket it is, and what is to be recorded; nothing where it was so."""

    client_id: int
    act: Act | None


def watch(session: Session, scope: Scope, ticket_id: int, person_id: int, now_ms: int) -> Watched:
    """From now on this person watches; whoever does already goes on."""
    client_id = client_of(session, scope, ticket_id)
    others = select(func.count()).where(_W.ticket_id == ticket_id, _W.person_id != person_id)
    if session.execute(others).scalar_one() >= MOST:
        raise Conflict(f"{MOST} people watch ticket {ticket_id} already", remedy="read it in the queue")
    row = {"ticket_id": ticket_id, "person_id": person_id, "client_id": client_id, "since_ms": now_ms}
    added = insert_or(session, WATCHERS).values(row).on_conflict_do_nothing().returning(_W.person_id)
    is_new = session.execute(added).first() is not None
    return Watched(client_id, Act.WATCH_BEGUN if is_new else None)


def unwatch(session: Session, scope: Scope, ticket_id: int, person_id: int, _now_ms: int) -> Watched:
    """This person watches no more."""
    client_id = client_of(session, scope, ticket_id)
    gone = delete(WATCHERS).where(_W.ticket_id == ticket_id, _W.person_id == person_id).returning(_W.person_id)
    was_there = session.execute(gone).first() is not None
    return Watched(client_id, Act.WATCH_ENDED if was_there else None)


def watchers_of(session: Session, ids: Collection[int]) -> dict[int, list[Watcher]]:
    """Who watches each of these tickets, by login; nobody who does not see it any more."""
    sees = _PEOPLE.c.all_clients | exists().where(
        GRANTS.c.person_id == _W.person_id, GRANTS.c.client_id == _W.client_id
    )
    is_there = _PEOPLE.c.disabled_ms.is_(None) & _PEOPLE.c.role.not_in(CLIENT_ROLES)
    asked = (
        select(_W.ticket_id, _W.person_id, _PEOPLE.c.login, _PEOPLE.c.mail)
        .join_from(WATCHERS, _PEOPLE, _PEOPLE.c.id == _W.person_id)
        .where(_W.ticket_id.in_(ids), is_there, sees)
        .order_by(_W.ticket_id, _PEOPLE.c.login)
    )
    found: dict[int, list[Watcher]] = {}
    for row in session.execute(asked):
        found.setdefault(row.ticket_id, []).append(Watcher(row.person_id, row.login, row.mail))
    return found


def client_of(session: Session, scope: Scope, ticket_id: int) -> int:
    """Whose client's ticket it is, of those that are seen."""
    asked = select(TICKETS.c.client_id).where(TICKETS.c.id == ticket_id, scope.within(TICKETS.c.client_id))
    client_id: int | None = session.execute(asked).scalar()
    if client_id is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    return client_id
