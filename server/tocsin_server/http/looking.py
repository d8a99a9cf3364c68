"""`POST /api/v1/tickets/{id}/looking`: a console says every few seconds that it shows a ticket.

Nothing is written to the database, and it is read only for a ticket that nobody looks at yet.
"""

from functools import partial

from litestar import post
from litestar.params import JSONBody

from tocsin_protocol.lookers import Lookers, Looking
from tocsin_server.access.permissions import Permission
from tocsin_server.desk.watching import client_of
from tocsin_server.errors import NotFound
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.lookers import Console, Place
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import Id
from tocsin_server.http.scoped import asked_soon
from tocsin_server.http.sessions import SignedIn, scope_of


@post("/tickets/{ticket_id:int}/looking", status_code=200, opt=needs(Permission.WORK))
async def looking(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Looking]) -> Lookers:
    """Say that it is looked at, or not any more; who does."""
    place = await _place(deps, request, ticket_id)
    console = Console(request.auth.digest, request.user.login)
    if data.gone:
        return Lookers(lookers=deps.lookers.leaves(place, console))
    return Lookers(lookers=deps.lookers.looks(place, console, data.writing))


async def _place(deps: Deps, request: SignedIn, ticket_id: int) -> Place:
    scope = scope_of(request)
    known = deps.lookers.place(ticket_id)
    if known is not None and scope.sees(known.client_id):
        return known
    client_id = await asked_soon(deps.storage, scope, partial(client_of, ticket_id=ticket_id))
    slug = next((client.slug for client in deps.estate.clients() if client.id == client_id), None)
    if slug is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    return Place(ticket_id, client_id, slug)
