"""The provider's clients."""

from typing import Literal, overload

from sqlmodel import Session, select

from tocsin_server.errors import Conflict, NotFound
from tocsin_server.estate.names import checked_slug, cleaned_name
from tocsin_server.estate.store import Client


def add_client(session: Session, slug: str, name: str, now_ms: int) -> Client:
    """A new client; its slug is taken for ever."""
    checked_slug(slug, of="client")
    if client_named(session, slug, missing_ok=True) is not None:
        raise Conflict(f"there is a client {slug!r} already", remedy="choose another slug")
    client = Client(slug=slug, name=cleaned_name(name, of="client"), created_ms=now_ms)
    session.add(client)
    session.flush()
    return client


@overload
def client_named(session: Session, slug: str, *, missing_ok: Literal[False] = ...) -> Client: ...
@overload
def client_named(session: Session, slug: str, *, missing_ok: Literal[True]) -> Client | None: ...
def client_named(session: Session, slug: str, *, missing_ok: bool = False) -> Client | None:
    """The client of that slug; raises `NotFound` where there is none and one has to be."""
    client = session.exec(select(Client).where(Client.slug == slug)).one_or_none()
    if client is None and not missing_ok:
        raise NotFound(f"there is no client {slug!r}", remedy=f"tocsin-server client add {slug}")
    return client
