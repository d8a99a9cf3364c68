"""`/api/v1/tickets…`: the queue, and what people do to a ticket.

A change is made and the ticket read back in one transaction, so the answer is the ticket as that change has
left it; every console hears of it by the event that follows.
"""

from collections.abc import Callable, Collection
from functools import partial

from litestar import Response, get, post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.acts import (
    Acknowledgement,
    Change,
    NewComment,
    NewTicket,
    Prioritisation,
    Resolution,
    Wait,
)
from tocsin_protocol.teams import Assign
from tocsin_protocol.tickets import TicketDetail, TicketPage
from tocsin_server.access.auditlog import record
from tocsin_server.access.permissions import Permission
from tocsin_server.desk import attested, opening, relations, work
from tocsin_server.desk.filters import Filters, Order
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail, ticket_page
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.etags import etag, opaque_of, read_tags, unchanged, wanted_version
from tocsin_server.http.once import Done, once
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import (
    Due,
    Flag,
    HostId,
    Id,
    Kind,
    Limit,
    Moment,
    Priorities,
    Slug,
    TicketOrder,
    TicketStates,
    Within,
    Word,
    instant,
    span,
)
from tocsin_server.http.scoped import asked_soon, narrowed
from tocsin_server.http.sessions import SignedIn, actor, scope_of

DEFAULT_PAGE = 100


@get("/tickets", opt=needs(Permission.READ))
async def queue(
    deps: Wired,
    request: SignedIn,
    which: TicketStates = "open",
    client: Slug = None,
    host: HostId = None,
    owner: Word = None,
    team: Word = None,
    kind: Kind = None,
    priority: Priorities = None,
    since: Moment = None,
    due: Due = None,
    within: Within = None,
    q: Word = None,
    order: TicketOrder = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Word = None,
    *,
    my_teams: Flag = False,
) -> TicketPage:
    """One page of the queue, the most urgent first, or what is due first; of what has words, the newest."""
    now_ms = deps.clock.now_ms()
    is_due = bool(due or within)
    filters = Filters(
        state=which,
        client=client,
        host_id=host,
        owner=owner,
        team=team,
        member_id=request.user.id if my_teams else None,
        kind=kind,
        priorities=priority or (),
        since_ms=None if since is None else instant("since", since),
        due_from_ms=now_ms if within and not due else None,
        due_to_ms=now_ms + (span("within", within) if within else 0) if is_due else None,
        text=q,
        order=None if order is None else Order(order),
    )
    ask = partial(
        ticket_page,
        filters=filters,
        limit=limit,
        cursor=cursor,
        seen=deps.broker.newest_id(),  # asked before the page: what is told after this is an event as well
        terms=deps.terms(),
    )
    return await asked_soon(deps.storage, scope_of(request), ask)


@get("/tickets/{ticket_id:int}", opt=needs(Permission.READ))
async def ticket(deps: Wired, request: SignedIn, ticket_id: Id) -> Response[TicketDetail]:
    """A ticket with its timeline, its alerts and its clocks."""
    known = read_tags("If-None-Match", request.headers.getall("if-none-match", []))
    ask = partial(ticket_detail, ticket_id=ticket_id, live_value=deps.judge.live_value, terms=deps.terms())
    detail = await asked_soon(deps.storage, scope_of(request), ask)
    headers = {"etag": etag(detail.ticket.version)}
    if known is not None and known.match(opaque_of(detail.ticket.version)):
        return unchanged(headers)
    return Response(detail, headers=headers)


@post("/tickets", opt=needs(Permission.OPEN))
async def open_ticket(deps: Wired, request: SignedIn, data: JSONBody[NewTicket]) -> TicketDetail:
    """Open one by hand."""
    now_ms, tables = deps.clock.now_ms(), deps.tables()
    act = partial(
        opening.open_ticket,
        scope=scope_of(request),
        new=data,
        person=request.user,
        now_ms=now_ms,
        tables=tables,
    )
    return await _done(deps, request, lambda session: [act(session)])


@post("/tickets/{ticket_id:int}/take", status_code=200, opt=needs(Permission.WORK))
async def take(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """Make it mine."""
    return await _change(deps, request, ticket_id, work.take, version=data.version)


@post("/tickets/{ticket_id:int}/release", status_code=200, opt=needs(Permission.WORK))
async def release(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """Give it back to the queue."""
    return await _change(deps, request, ticket_id, work.release, version=data.version)


@post("/tickets/{ticket_id:int}/wait", status_code=200, opt=needs(Permission.WORK))
async def wait(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Wait]) -> TicketDetail:
    """Let it wait for something, at most until a time."""
    until_ms = None if data.until is None else instant("until", data.until)
    verb = partial(work.wait, reason=data.reason, until_ms=until_ms, text=data.text)
    return await _change(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/assign", status_code=200, opt=needs(Permission.WORK))
async def assign(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Assign]) -> TicketDetail:
    """Give it to a team, to somebody of one, or to a supplier."""
    verb = partial(work.assign, wish=data, contracts=deps.terms().contracts)
    return await _change(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/resume", status_code=200, opt=needs(Permission.WORK))
async def resume(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """Go on with it."""
    return await _change(deps, request, ticket_id, work.resume, version=data.version)


@post("/tickets/{ticket_id:int}/comment", status_code=200, opt=needs(Permission.COMMENT))
async def comment(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[NewComment]) -> TicketDetail:
    """Say something, among technicians or to who asked."""
    verb = partial(work.comment, text=data.text, public=data.public)
    return await _change(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/prioritise", status_code=200, opt=needs(Permission.WORK))
async def prioritise(
    deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Prioritisation]
) -> TicketDetail:
    """Say how urgent it is."""
    verb = partial(work.prioritise, wish=data)
    return await _change(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/acknowledge", status_code=200, opt=needs(Permission.WORK))
async def acknowledge(
    deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Acknowledgement]
) -> TicketDetail:
    """Know of its alerts: they ring no more until they have cleared."""
    verb = partial(work.acknowledge, text=data.text)
    return await _change(deps, request, ticket_id, verb, version=data.version)


@post("/tickets/{ticket_id:int}/resolve", status_code=200, opt=needs(Permission.WORK))
async def resolve(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Resolution]) -> TicketDetail:
    """Solve it, and say how; with its children, where that is asked."""
    if data.children:
        verb = partial(relations.resolve_all, text=data.text)
        return await change_all(deps, request, ticket_id, verb, version=data.version)
    return await _change(deps, request, ticket_id, partial(work.resolve, text=data.text), version=data.version)


@post("/tickets/{ticket_id:int}/reopen", status_code=200, opt=needs(Permission.WORK))
async def reopen(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """It was not solved."""
    return await _change(deps, request, ticket_id, work.reopen, version=data.version)


@post("/tickets/{ticket_id:int}/close", status_code=200, opt=needs(Permission.WORK))
async def close(deps: Wired, request: SignedIn, ticket_id: Id, data: JSONBody[Change]) -> TicketDetail:
    """It is over for good."""
    return await _change(deps, request, ticket_id, work.close, version=data.version)


async def _change(
    deps: Deps, request: SignedIn, ticket_id: int, verb: Callable[..., Happening], *, version: int | None
) -> TicketDetail:
    def all_of(session: Session, ticket_id: int, hand: work.Hand) -> list[Happening]:
        return [verb(session, ticket_id=ticket_id, hand=hand)]

    return await change_all(deps, request, ticket_id, all_of, version=version)


async def change_all(
    deps: Deps,
    request: SignedIn,
    ticket_id: int,
    verb: Callable[..., list[Happening]],
    *,
    version: int | None,
) -> TicketDetail:
    """Do to a ticket what changes others as well, where it has the version that headers and body say."""
    versions = wanted_version(read_tags("If-Match", request.headers.getall("if-match", [])), version)
    hand = hand_of(deps, request, versions)
    return await _done(deps, request, partial(verb, ticket_id=ticket_id, hand=hand))


def hand_of(deps: Deps, request: SignedIn, versions: Collection[int] | None) -> work.Hand:
    """Who asks, as the desk knows them."""
    return work.Hand(
        person=request.user,
        scope=scope_of(request),
        now_ms=deps.clock.now_ms(),
        lifecycle=deps.lifecycle(),
        tables=deps.tables(),
        versions=versions,
    )


async def _done(deps: Deps, request: SignedIn, act: Callable[[Session], list[Happening]]) -> TicketDetail:
    """Do it, record of each ticket what was done, tell everybody, and give the first as it is now."""
    scope, who, now_ms = scope_of(request), actor(request), deps.clock.now_ms()
    ask = partial(ticket_detail, live_value=deps.judge.live_value, terms=deps.terms())

    def run(session: Session) -> Done[TicketDetail, list[Happening]]:
        with narrowed(session, scope):
            happenings = act(session)
            deeds = [attested.deed(session, each, by=who, at_ms=now_ms) for each in happenings]
            detail = ask(session, scope, happenings[0].ticket_id)
        for deed in deeds:
            record(session, deed)
        return Done(detail, deeds[0].client_id, happenings)

    finished = await once(deps, request, run)
    deps.notices.tickets(finished.happened)
    return finished.answer


ROUTES = (
    queue,
    ticket,
    open_ticket,
    take,
    release,
    assign,
    wait,
    resume,
    comment,
    prioritise,
    acknowledge,
    resolve,
    reopen,
    close,
)
