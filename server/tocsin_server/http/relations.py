"""`/api/v1/tickets/{id}/…`: what people do to two tickets at once. The answer is the one of the path."""

from collections.abc import Collection
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
from tocsin_server.http.tickets import change_all


@post("/tickets/{ticket_id:int}/link", status_code=200, opt=needs(Permission.WORK))
async def link(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Link]) -> TicketDetail:
    """Say what another ticket is to it."""
    verb = partial(relations.link, kind=data.kind, other=_other(data))
    return await change_all(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/unlink", status_code=200, opt=needs(Permission.WORK))
async def unlink(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Link]) -> TicketDetail:
    """Take that back."""
    verb = partial(relations.unlink, kind=data.kind, other=_other(data))
    return await change_all(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/merge", status_code=200, opt=needs(Permission.WORK))
async def merge(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Merge]) -> TicketDetail:
    """Make it part of another one."""
    verb = partial(relations.merge, into=Other(data.into, _versions(data.into_version)))
    return await change_all(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/unmerge", status_code=200, opt=needs(Permission.WORK))
async def unmerge(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Unmerge]) -> TicketDetail:
    """Make it a ticket of its own again."""
    verb = partial(relations.unmerge, into_versions=_versions(data.into_version))
    return await change_all(deps, request, ticket_id, verb, version=data.version)


def _other(data: Link) -> Other:
    return Other(data.other, _versions(data.other_version))


def _versions(version: int | None) -> Collection[int] | None:
    return None if version is None else {version}


ROUTES = (link, unlink, merge, unmerge)
