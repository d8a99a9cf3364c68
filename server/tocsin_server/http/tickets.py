"""`/api/v1/tickets…`: the queue, and what people do to a ticket.

A change is made and the ticket read back in one transaction, so the answer is the ticket as that change has
left it; every console hears of it by the event that follows.
"""

from collections.abc import Callable
from functools import partial

from litestar import get, post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.api import (
    Acknowledgement,
    Change,
    NewComment,
    NewTicket,
    Resolution,
    TicketDetail,
    TicketPage,
)
from tocsin_server.desk import work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail, ticket_page
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.questions import HostId, Id, Limit, Slug, TicketStates, Word
from tocsin_server.http.sessions import SignedIn

DEFAULT_PAGE = 100


@get("/tickets")
async def queue(
    deps: Wired,
    which: TicketStates = "open",
    client: Slug = None,
    host: HostId = None,
    owner: Word = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Word = None,
) -> TicketPage:
    """One page of the queue, the most urgent first."""
    ask = partial(
        ticket_page,
        state=which,
        client=client,
        host_id=host,
        owner=owner,
        limit=limit,
        cursor=cursor,
        seen=deps.broker.newest_id(),  # asked before the page: what is told after this is an event as well
    )
    return await deps.storage.read_soon(ask)


@get("/tickets/{ticket_id:int}")
async def ticket(deps: Wired, ticket_id: Id) -> TicketDetail:
    """A ticket with its timeline and its alerts."""
    return await deps.storage.read_soon(
        partial(ticket_detail, ticket_id=ticket_id, live_value=deps.judge.live_value)
    )


@post("/tickets")
async def open_ticket(deps: Wired, request: SignedIn, data: JSONBody[NewTicket]) -> TicketDetail:
    """Open one by hand."""
    act = partial(work.open_ticket, new=data, person=request.user, now_ms=deps.clock.now_ms())
    return await _done(deps, act)


@post("/tickets/{ticket_id:int}/take", status_code=200)
async def take(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """Make it mine."""
    return await _change(deps, request, ticket_id, partial(work.take, version=data.version))


@post("/tickets/{ticket_id:int}/release", status_code=200)
async def release(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """Give it back to the queue."""
    return await _change(deps, request, ticket_id, partial(work.release, version=data.version))


@post("/tickets/{ticket_id:int}/comment", status_code=200)
async def comment(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[NewComment]) -> TicketDetail:
    """Say something."""
    return await _change(deps, request, ticket_id, partial(work.comment, version=data.version, text=data.text))


@post("/tickets/{ticket_id:int}/acknowledge", status_code=200)
async def acknowledge(
    deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Acknowledgement]
) -> TicketDetail:
    """Know of its alerts: they ring no more until they have cleared."""
    verb = partial(work.acknowledge, version=data.version, text=data.text)
    return await _change(deps, request, ticket_id, verb)


@post("/tickets/{ticket_id:int}/resolve", status_code=200)
async def resolve(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Resolution]) -> TicketDetail:
    """Solve it, and say how."""
    return await _change(deps, request, ticket_id, partial(work.resolve, version=data.version, text=data.text))


@post("/tickets/{ticket_id:int}/reopen", status_code=200)
async def reopen(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """It was not solved."""
    return await _change(deps, request, ticket_id, partial(work.reopen, version=data.version))


async def _change(
    deps: Deps, request: SignedIn, ticket_id: int, verb: Callable[..., Happening]
) -> TicketDetail:
    act = partial(verb, ticket_id=ticket_id, person=request.user, now_ms=deps.clock.now_ms())
    return await _done(deps, act)


async def _done(deps: Deps, act: Callable[[Session], Happening]) -> TicketDetail:
    """Do it, tell everybody, and give the ticket as it is now."""

    def run(session: Session) -> tuple[Happening, TicketDetail]:
        happening = act(session)
        return happening, ticket_detail(session, happening.ticket_id, live_value=deps.judge.live_value)

    happening, detail = await deps.storage.write_soon(run)
    deps.notices.tickets([happening])
    return detail


ROUTES = (queue, ticket, open_ticket, take, release, comment, acknowledge, resolve, reopen)
