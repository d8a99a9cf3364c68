"""Which clients somebody is granted: some by name, or all there are and will be; otherwise none.

A grant holds from the next request on, in sessions that are open too (`people.who`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlmodel import Session

from tocsin_protocol.vocabulary import CLIENT_ROLES
from tocsin_server.access.store import GRANTS, PersonRow
from tocsin_server.errors import Unprocessable
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.store import Client, known

_CLIENTS = Client.metadata.tables["client"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody is to see, in place of what they saw."""

    clients: Sequence[str] = ()
    """Slugs."""
    all_clients: bool = False

    @property
    def told(self) -> str | list[str]:
        """As the audit log has it."""
        return "all" if self.all_clients else sorted(set(self.clients))


def grant(session: Session, person: PersonRow, wish: Grant) -> None:
    """Let them see these clients and no other; raises `NotFound` for a slug that nobody has."""
    if wish.all_clients and person.role in CLIENT_ROLES:
        raise Unprocessable(
            f"a {person.role.value} is one client's and cannot see all",
            remedy="name the client: --client SLUG",
        )
    person_id = known(person.id)
    ids = sorted({known(client_named(session, slug).id) for slug in wish.clients})
    person.all_clients = wish.all_clients
    session.add(person)
    session.flush()
    session.execute(delete(GRANTS).where(GRANTS.c.person_id == person_id))
    if ids:
        session.execute(insert(GRANTS), [{"person_id": person_id, "client_id": each} for each in ids])


def granted(session: Session) -> dict[int, list[str]]:
    """The slugs of the clients that are granted by name, by the person's id."""
    asked = (
        select(GRANTS.c.person_id, _CLIENTS.c.slug)
        .join_from(GRANTS, _CLIENTS, _CLIENTS.c.id == GRANTS.c.client_id)
        .order_by(_CLIENTS.c.slug)
    )
    found: dict[int, list[str]] = {}
    for person_id, slug in session.execute(asked):
        found.setdefault(person_id, []).append(slug)
    return found
