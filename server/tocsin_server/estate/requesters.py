"""The people of a client who ask for things: name and mail address, and a site where they have one.

They do not sign in. An address is one person's among those who are there; who has left stays, for the tickets.
"""

from typing import NamedTuple

from sqlmodel import Session, col, select

from tocsin_server.errors import Conflict, NotFound
from tocsin_server.estate.names import checked_mail, cleaned_name
from tocsin_server.estate.sites import site_named
from tocsin_server.estate.store import Client, Requester, Site, known


class Asker(NamedTuple):
    """Somebody who asks, as they are now; `site` is a slug or empty."""

    id: int
    client_id: int
    name: str
    mail: str
    site: str
    has_left: bool


class Wish(NamedTuple):
    """What of them is to be another; nothing for what is to stay. An empty `site` is none."""

    name: str | None = None
    mail: str | None = None
    site: str | None = None


def add_requester(session: Session, client: Client, mail: str, wish: Wish, now_ms: int) -> Asker:
    """Somebody of the client's; raises `Conflict` where the address is taken."""
    address = _free(session, client, mail)
    row = Requester(client_id=known(client.id), name=address, mail=address, created_ms=now_ms)
    return _fulfil(session, client, row, wish._replace(mail=None))


def change_requester(session: Session, client: Client, mail: str, wish: Wish) -> Asker:
    """The requester as they are then."""
    return _fulfil(session, client, _there(session, client, mail), wish)


def remove_requester(session: Session, client: Client, mail: str, now_ms: int) -> Asker:
    """They are no longer the client's; their tickets stay theirs, and the address is free."""
    row = _there(session, client, mail)
    row.left_ms = now_ms
    session.add(row)
    session.flush()
    return _told(session, row)


def requesters(session: Session, client_id: int) -> list[Asker]:
    """Those who are there, by name."""
    asked = (
        select(Requester, Site.slug)
        .outerjoin(Site, col(Site.id) == Requester.site_id)
        .where(Requester.client_id == client_id, col(Requester.left_ms).is_(None))
        .order_by(Requester.name, Requester.mail)
    )
    return [_asker(row, slug) for row, slug in session.exec(asked)]


def requester_by_mail(session: Session, client_id: int, mail: str) -> Asker:
    """The one with this address; raises `NotFound`."""
    row = _found(session, client_id, mail)
    if row is None:
        raise NotFound(
            f"the client has no requester {mail[:80]!r}",
            remedy="leave the requester out, or add them: tocsin-server requester add",
        )
    return _told(session, row)


def requester_by_id(session: Session, requester_id: int) -> Asker:
    """The one with this number, whether or not they have left."""
    return _told(session, session.get_one(Requester, requester_id))


def _fulfil(session: Session, client: Client, row: Requester, wish: Wish) -> Asker:
    if wish.name is not None:
        row.name = cleaned_name(wish.name, of="requester")
    if wish.mail is not None and wish.mail.lower() != row.mail:
        row.mail = _free(session, client, wish.mail)
    if wish.site is not None:
        row.site_id = known(site_named(session, client, wish.site).id) if wish.site else None
    session.add(row)
    session.flush()
    return _told(session, row)


def _free(session: Session, client: Client, mail: str) -> str:
    address = checked_mail(mail).lower()
    if _found(session, known(client.id), address) is not None:
        raise Conflict(f"{client.slug} has a requester {address} already", remedy="change that one")
    return address


def _there(session: Session, client: Client, mail: str) -> Requester:
    found = _found(session, known(client.id), mail)
    if found is None:
        raise NotFound(
            f"{client.slug} has no requester {mail[:80]!r}", remedy="tocsin-server requester list shows them"
        )
    return found


def _found(session: Session, client_id: int, mail: str) -> Requester | None:
    asked = select(Requester).where(
        Requester.client_id == client_id, Requester.mail == mail.lower(), col(Requester.left_ms).is_(None)
    )
    return session.exec(asked).one_or_none()


def _told(session: Session, row: Requester) -> Asker:
    site = None if row.site_id is None else session.get_one(Site, row.site_id)
    return _asker(row, None if site is None else site.slug)


def _asker(row: Requester, site: str | None) -> Asker:
    return Asker(known(row.id), row.client_id, row.name, row.mail, site or "", row.left_ms is not None)
