"""A ticket that a person opens by hand, and how any that is opened alone is written."""

from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.people import Person
from tocsin_server.access.scope import Scope
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.giving import Giving
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import Facts, Record, write_entries, write_new
from tocsin_server.desk.ruling import World, ruled
from tocsin_server.desk.scope import client_id_of
from tocsin_server.desk.service import with_service
from tocsin_server.desk.standing import Change, known_priority, technician
from tocsin_server.desk.text import MAX_TITLE, given_text, required_text
from tocsin_server.desk.ticket import opened_by_person
from tocsin_server.errors import NotFound
from tocsin_server.estate.requesters import requester_by_mail
from tocsin_server.estate.store import Host, Site

_HOSTS = Host.metadata.tables["host"]
_SITES = Site.metadata.tables["site"]


def open_ticket(
    session: Session, scope: Scope, new: NewTicket, *, person: Person, now_ms: int, tables: Tables
) -> Happening:
    """Open a ticket by hand for a client that is seen; the host, where one is given, must be the client's."""
    priority = known_priority(new.priority)
    title = " ".join(required_text(new.title, what="the title", most=MAX_TITLE).split())
    text = given_text(new.text, what="the text")
    client_id = client_id_of(session, scope, new.client)
    place = None if new.host_id is None else _place(session, new.host_id, client_id)
    world = World(new.client) if place is None else World(new.client, place.site, host_kind=place.kind)
    opened = opened_by_person(
        technician(person),
        now_ms,
        priority=priority,
        text=text,
        ruling=ruled(tables, world, now_ms),
    )
    change = with_service(opened, tables, world, now_ms)
    site_id = None if place is None else place.site_id
    asker = None if new.requester is None else requester_by_mail(session, client_id, new.requester)
    facts = Facts(
        client_id=client_id,
        site_id=site_id,
        host_id=new.host_id,
        key=None,
        title=title,
        opened_ms=now_ms,
        requester_id=None if asker is None else asker.id,
    )
    return written_new(session, facts, change, Giving(session, now_ms, scope))


def written_new(session: Session, facts: Facts, change: Change, giving: Giving) -> Happening:
    """Write a ticket as it was opened, and give it to somebody of its team where that assigns by load."""
    record = Record(facts, change.standing)
    record.take_in(change)
    giving.give(record, facts.opened_ms)
    giving.write()
    write_new(session, [record])
    write_entries(session, [record])
    return Happening(record.ticket_id, change.entry.kind)


def _place(session: Session, host_id: int, client_id: int) -> Row[Any]:
    """The site of one of the client's hosts, and what kind it is."""
    asked = (
        select(_HOSTS.c.site_id, _HOSTS.c.kind, _SITES.c.slug.label("site"))
        .join_from(_HOSTS, _SITES, _SITES.c.id == _HOSTS.c.site_id)
        .where(_HOSTS.c.id == host_id, _HOSTS.c.client_id == client_id)
    )
    found = session.execute(asked).first()
    if found is None:
        raise NotFound(
            f"the client has no host {host_id}", remedy="leave the host out, or choose one of the client's"
        )
    return found
