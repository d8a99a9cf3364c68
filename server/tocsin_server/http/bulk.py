"""`POST /api/v1/tickets/bulk`: one act on many tickets.

All in one transaction, each in a savepoint of its own: what is refused of one leaves the others alone, and the
answer says of each what has come of it. Each that is done has its event and its entry in the audit log, as if
it had been asked for alone; consoles are told once.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from litestar import post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.acts import BulkAct, BulkAnswer, BulkResult, BulkTicket
from tocsin_server.access.audit import Actor, Deed
from tocsin_server.access.auditlog import record
from tocsin_server.access.permissions import Permission
from tocsin_server.desk import attested, work
from tocsin_server.desk.happening import Happening
from tocsin_server.errors import Refused, Unprocessable
from tocsin_server.http.deps import Wired
from tocsin_server.http.once import Done, once
from tocsin_server.http.permitted import needs
from tocsin_server.http.problems import problem_of
from tocsin_server.http.questions import instant
from tocsin_server.http.scoped import narrowed
from tocsin_server.http.sessions import SignedIn, actor
from tocsin_server.http.tickets import hand_of

Verb = Callable[..., Happening]

_PLAIN: Mapping[str, Verb] = {
    "take": work.take,
    "release": work.release,
    "resume": work.resume,
    "close": work.close,
}
_FIELDS = {
    "comment": frozenset({"text", "public"}),
    "acknowledge": frozenset({"text"}),
    "resolve": frozenset({"text"}),
    "wait": frozenset({"text", "reason", "until"}),
}
"""What each act takes; the others take nothing."""


@post("/tickets/bulk", status_code=200, opt=needs(Permission.WORK))
async def bulk(deps: Wired, request: SignedIn, data: JSONBody[BulkAct]) -> BulkAnswer:
    """Do the same to each of up to 200 tickets, and say what has come of each."""
    verb = _verb(data)
    _refuse_repeats(data.tickets)
    act = partial(_on_all, hand_of(deps, request, None), actor(request), verb, data.tickets)
    done = await once(deps, request, act)
    deps.notices.tickets(done.happened)
    return done.answer


def _on_all(
    hand: work.Hand, who: Actor, verb: Verb, tickets: list[BulkTicket], session: Session
) -> Done[BulkAnswer, list[Happening]]:
    done: dict[int, tuple[Happening, Deed]] = {}
    refused: dict[int, Refused] = {}
    with narrowed(session, hand.scope):
        for each in tickets:
            its = replace(hand, versions=None if each.version is None else {each.version})
            try:
                with session.begin_nested():
                    happening = verb(session, ticket_id=each.id, hand=its)
                    deed = attested.deed(session, happening, by=who, at_ms=hand.now_ms)
                    done[each.id] = happening, deed
            except Refused as error:
                refused[each.id] = error
        versions = work.versions_of(session, list(done))
    for _, deed in done.values():
        record(session, deed)
    results = [_result(each.id, versions.get(each.id), refused.get(each.id)) for each in tickets]
    return Done(BulkAnswer(results=results), None, [happening for happening, _ in done.values()])


def _result(ticket_id: int, version: int | None, error: Refused | None) -> BulkResult:
    if error is None:
        return BulkResult(id=ticket_id, status=200, version=version)
    return BulkResult(id=ticket_id, status=error.status, problem=problem_of(error))


def _verb(data: BulkAct) -> Verb:
    """What is to be done to each; raises `Unprocessable` where it is told what it has no use for."""
    given = {name for name in ("text", "public", "reason", "until") if getattr(data, name)}
    useless = given - _FIELDS.get(data.act, frozenset())
    if useless:
        raise Unprocessable(f"{data.act} takes no {' and no '.join(sorted(useless))}", remedy="leave it out")
    match data.act:
        case "take" | "release" | "resume" | "close":
            return _PLAIN[data.act]
        case "comment":
            return partial(work.comment, text=data.text, public=data.public)
        case "acknowledge":
            return partial(work.acknowledge, text=data.text)
        case "resolve":
            return partial(work.resolve, text=data.text)
        case "wait":
            until_ms = None if data.until is None else instant("until", data.until)
            return partial(work.wait, reason=data.reason, until_ms=until_ms, text=data.text)


def _refuse_repeats(tickets: list[BulkTicket]) -> None:
    repeated = [str(number) for number, times in Counter(each.id for each in tickets).items() if times > 1]
    if repeated:
        raise Unprocessable(f"ticket {', '.join(repeated)} is named twice", remedy="name each once")
