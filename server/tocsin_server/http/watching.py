"""`/api/v1/tickets/{id}/watch` and `/unwatch`: who wants to hear of a ticket that is not theirs."""

from collections.abc import Callable

from litestar import post
from sqlmodel import Session

from tocsin_protocol.tickets import TicketDetail
from tocsin_server.access.audit import Deed
from tocsin_server.access.auditlog import record
from tocsin_server.access.permissions import Permission
from tocsin_server.desk import watching
from tocsin_server.desk.queue import ticket_detail
from tocsin_server.desk.watching import Watched
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.once import Done, once
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import Id
from tocsin_server.http.scoped import narrowed
from tocsin_server.http.sessions import SignedIn, actor, scope_of


@post("/tickets/{ticket_id:int}/watch", status_code=200, opt=needs(Permission.WORK))
async def watch(deps: Wired, request: SignedIn, ticket_id: Id) -> TicketDetail:
    """Watch it; whoever does already goes on."""
    return await _done(deps, request, ticket_id, watching.watch)


@post("/tickets/{ticket_id:int}/unwatch", status_code=200, opt=needs(Permission.WORK))
async def unwatch(deps: Wired, request: SignedIn, ticket_id: Id) -> TicketDetail:
    """Watch it no more."""
    return await _done(deps, request, ticket_id, watching.unwatch)


async def _done(deps: Deps, request: SignedIn, ticket_id: int, act: Callable[..., Watched]) -> TicketDetail:
    scope, who, now_ms = scope_of(request), actor(request), deps.clock.now_ms()

    def run(session: Session) -> Done[TicketDetail, None]:
        with narrowed(session, scope):
            client_id, done = act(session, scope, ticket_id, request.user.id, now_ms)
            detail = ticket_detail(
                session, scope, ticket_id, live_value=deps.judge.live_value, terms=deps.terms()
            )
        if done is not None:
            record(session, Deed(done, ticket_id, by=who, at_ms=now_ms, client_id=client_id))
        return Done(detail, client_id, None)

    return (await once(deps, request, run)).answer


ROUTES = (watch, unwatch)
