"""The ids behind the names in a question. A name that is not there, or not seen, is said; never guessed."""

from sqlalchemy import select
from sqlmodel import Session

from tocsin_server.access.scope import Scope
from tocsin_server.access.store import PersonRow
from tocsin_server.errors import NotFound
from tocsin_server.estate.store import Client

_CLIENTS = Client.metadata.tables["client"]
_PEOPLE = PersonRow.metadata.tables["person"]


def client_id_of(session: Session, scope: Scope, slug: str) -> int:
    """The client with this slug, of those that are seen."""
    asked = select(_CLIENTS.c.id).where(_CLIENTS.c.slug == slug, scope.within(_CLIENTS.c.id))
    client_id: int | None = session.execute(asked).scalar()
    if client_id is None:
        raise NotFound(f"no client is called {slug!r}", remedy="take the slug as the list of hosts shows it")
    return client_id


def person_id_of(session: Session, login: str) -> int:
    """The person with this login."""
    person_id: int | None = session.execute(select(_PEOPLE.c.id).where(_PEOPLE.c.login == login)).scalar()
    if person_id is None:
        raise NotFound(f"nobody signs in as {login!r}", remedy="take the login, not the name")
    return person_id
