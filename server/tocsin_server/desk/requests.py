"""What somebody at a watched host asks for becomes a ticket of kind request: of that host, and once.

Each question has a key from the agent that brings it. The key stays with the ticket, so a question that is
brought again finds it, after a restart of the server and after the ticket was solved. A request has the
priority of a ticket that a person opens by hand, and no alert: nothing but a person will solve it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session

from tocsin_protocol.vocabulary import TicketKind
from tocsin_protocol.wire import MAX_QUESTION_CHARACTERS
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.giving import Giving
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.opening import written_new
from tocsin_server.desk.record import Facts
from tocsin_server.desk.ruling import World, ruled
from tocsin_server.desk.service import with_service
from tocsin_server.desk.store import TICKETS
from tocsin_server.desk.text import cleaned, shortened
from tocsin_server.desk.ticket import opened_from_host
from tocsin_server.errors import Forbidden, Unprocessable
from tocsin_server.estate.store import Client, Host, Site

MAX_SUBJECT = 120
MAX_WHO = 64
SOMEBODY = "somebody"

_HOSTS = Host.metadata.tables["host"]
_SITES = Site.metadata.tables["site"]
_CLIENTS = Client.metadata.tables["client"]
_ASKS = (
    select(
        _HOSTS.c.client_id,
        _HOSTS.c.site_id,
        _HOSTS.c.name,
        _HOSTS.c.kind,
        _SITES.c.slug.label("site"),
        _CLIENTS.c.slug.label("client"),
    )
    .join_from(_HOSTS, _SITES, _SITES.c.id == _HOSTS.c.site_id)
    .join(_CLIENTS, _CLIENTS.c.id == _HOSTS.c.client_id)
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, by whom, through which agent. Make it with `request_of`."""

    agent_id: str
    host_id: int
    key: bytes
    who: str
    subject: str
    text: str

    @property
    def ticket_key(self) -> str:
        """What the ticket keeps. An alert's ticket has a digest in its place, which has no colon."""
        return f"ask:{self.agent_id}:{self.key.hex()}"


def request_of(*, agent_id: str, host_id: int, key: bytes, who: str, text: str) -> Request:
    """Take what a host says as what it may say; raises `Unprocessable` where it asks nothing, or too much."""
    if len(text) > MAX_QUESTION_CHARACTERS:
        raise Unprocessable(
            f"the question has {len(text)} characters", remedy=f"say it in at most {MAX_QUESTION_CHARACTERS}"
        )
    clean = cleaned(text)
    lines = (_visible(line) for line in clean.splitlines())
    subject = next((line for line in lines if line), "")
    if not subject:
        raise Unprocessable("the question is empty", remedy='say what is wrong, such as "the printer jams"')
    return Request(
        agent_id=agent_id,
        host_id=host_id,
        key=key,
        who=shortened(_visible(cleaned(who)), MAX_WHO) or SOMEBODY,
        subject=shortened(subject, MAX_SUBJECT),
        text=clean,
    )


def open_request(
    session: Session,
    request: Request,
    *,
    readings: Mapping[str, str | float | None],
    now_ms: int,
    tables: Tables,
) -> tuple[int, Happening | None]:
    """The number of the request's ticket, and what has happened where it is a new one.

    `readings` are how the host is; they are evidence in the entry that opens the ticket.
    """
    host = session.execute(_ASKS.where(_HOSTS.c.id == request.host_id, _HOSTS.c.retired_ms.is_(None))).first()
    if host is None:
        raise Forbidden("this host is retired", remedy="enrol it again to watch it")
    asked = select(TICKETS.c.id).where(
        TICKETS.c.client_id == host.client_id, TICKETS.c.key == request.ticket_key
    )
    known: int | None = session.execute(asked.order_by(TICKETS.c.id)).scalar()
    if known is not None:
        return known, None
    world = World(host.client, host.site, kind=TicketKind.REQUEST, host_kind=host.kind)
    asks = opened_from_host(
        f"{request.who} on {host.name}",
        now_ms,
        text=request.text,
        data=readings,
        ruling=ruled(tables, world, now_ms),
    )
    change = with_service(asks, tables, world, now_ms)
    facts = Facts(
        client_id=host.client_id,
        site_id=host.site_id,
        host_id=request.host_id,
        key=request.ticket_key,
        title=request.subject,
        opened_ms=now_ms,
        kind=TicketKind.REQUEST,
    )
    opened = written_new(session, facts, change, Giving(session, now_ms, EVERYWHERE))
    return opened.ticket_id, opened


def _visible(line: str) -> str:
    """What can be seen of it: neither marks that turn the direction of a line nor ones without a width."""
    return " ".join("".join(letter for letter in line if letter.isprintable() or letter.isspace()).split())
