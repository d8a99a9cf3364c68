"""`/api/v1/tickets/{id}/…`: what people do to two tickets at once. The answer is the one of the path."""

from functools import partial

from litestar import post
from litestar.params import JSONBody

from tocsin_protocol.acts import Link, Merge, Unmerge
from tocsin_protocol.tickets import TicketDetail
from tocsin_server.access.permissions import Permission
from tocsin_server.desk import relations
from tocsin_server.desk.relations import Other
from tocsin_server.http.deps import Wired
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import Id
from tocsin_server.http.sessions import SignedIn
from tocsin_server.http.tickets import done, hand_of, wanted


@post("/tickets/{ticket_id:int}/link", status_code=200, opt=needs(Permission.WORK))
async def link(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Link]) -> TicketDetail:
    """Say what another ticket is to it."""
    hand = hand_of(deps, request, wanted(request, data.version))
    other = _other(data.other, data.other_version)
    act = partial(relations.link, ticket_id=ticket_id, hand=hand, kind=data.kind, other=other)
    return await done(deps, request, act)


@post("/tickets/{ticket_id:int}/unlink", status_code=200, opt=needs(Permission.WORK))
async def unlink(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Link]) -> TicketDetail:
    """Take that back."""
    hand = hand_of(deps, request, wanted(request, data.version))
    other = _other(data.other, data.other_version)
    act = partial(relations.unlink, ticket_id=ticket_id, hand=hand, kind=data.kind, other=other)
    return await done(deps, request, act)


@post("/tickets/{ticket_id:int}/merge", status_code=200, opt=needs(Permission.WORK))
async def merge(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Merge]) -> TicketDetail:
    """Make it part of another one."""
    hand = hand_of(deps, request, wanted(request, data.version))
    into = _other(data.into, data.into_version)
    return await done(deps, request, partial(relations.merge, ticket_id=ticket_id, hand=hand, into=into))


@post("/tickets/{ticket_id:int}/unmerge", status_code=200, opt=needs(Permission.WORK))
async def unmerge(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Unmerge]) -> TicketDetail:
    """Make it a ticket of its own again."""
    hand = hand_of(deps, request, wanted(request, data.version))
    versions = _other(0, data.into_version).versions
    act = partial(relations.unmerge, ticket_id=ticket_id, hand=hand, into_versions=versions)
    return await done(deps, request, act)


def _other(ticket_id: int, version: int | None) -> Other:
    return Other(ticket_id, None if version is None else {version})


ROUTES = (link, unlink, merge, unmerge)
