"""The places of a client."""

from collections.abc import Sequence
from typing import Literal, overload

from sqlmodel import Session, select

from tocsin_server.errors import Conflict, NotFound
from tocsin_server.estate.names import checked_slug, cleaned_name
from tocsin_server.estate.store import Client, Site, known


def add_site(session: Session, client: Client, slug: str, name: str, now_ms: int) -> Site:
    """A new site; its slug is unique among the client's."""
    checked_slug(slug, of="site")
    if site_named(session, client, slug, missing_ok=True) is not None:
        raise Conflict(f"{client.slug} has a site {slug!r} already", remedy="choose another slug")
    site = Site(client_id=known(client.id), slug=slug, name=cleaned_name(name, of="site"), created_ms=now_ms)
    session.add(site)
    session.flush()
    return site


def sites(session: Session, client_id: int) -> Sequence[Site]:
    """The client's sites, by slug."""
    return session.exec(select(Site).where(Site.client_id == client_id).order_by(Site.slug)).all()


@overload
def site_named(session: Session, client: Client, slug: str, *, missing_ok: Literal[False] = ...) -> Site: ...
@overload
def site_named(session: Session, client: Client, slug: str, *, missing_ok: Literal[True]) -> Site | None: ...
def site_named(session: Session, client: Client, slug: str, *, missing_ok: bool = False) -> Site | None:
    """The client's site of that slug; raises `NotFound` where there is none and one has to be."""
    site = session.exec(select(Site).where(Site.client_id == client.id, Site.slug == slug)).one_or_none()
    if site is None and not missing_ok:
        raise NotFound(
            f"{client.slug} has no site {slug!r}", remedy=f"tocsin-server site add {client.slug} {slug}"
        )
    return site
