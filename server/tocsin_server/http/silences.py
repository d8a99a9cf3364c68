"""`/api/v1/silences…`: who asks that nobody be woken by such alerts for some time.

What somebody does not see is not there for them: neither a client nor its silences. A silence for all clients
is every technician's to see, for it is about their alerts too; only who sees all clients makes, changes or ends
one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from litestar import delete, get, post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol import silences as api
from tocsin_protocol.silences import NewSilence, SilencePage
from tocsin_protocol.vocabulary import SilenceState
from tocsin_server.access.audit import Act, Actor
from tocsin_server.access.auditlog import record
from tocsin_server.access.permissions import Permission
from tocsin_server.alerts import silenced
from tocsin_server.alerts.matchertext import parse_matchers, spelled
from tocsin_server.alerts.silences import MAX_COMMENT, Silence, Wish, deed
from tocsin_server.clock import moment
from tocsin_server.desk.text import given_text
from tocsin_server.errors import Forbidden, NotFound, Unavailable, Unprocessable
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.once import Done, once
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import MAX_ID, Id, SilencesShown, Slug, instant
from tocsin_server.http.sessions import SignedIn, actor, scope_of
from tocsin_server.series.matchers import Matchers


@dataclass(frozen=True, slots=True)
class Reach:
    """The clients that somebody sees, their slugs by id, and whether those are all there are."""

    login: str
    clients: Mapping[int, str]
    is_everywhere: bool

    def client_id(self, slug: str) -> int:
        """The client with this slug; what is not seen is `NotFound` as what is not there."""
        found = next((client_id for client_id, each in self.clients.items() if each == slug), None)
        if found is None:
            raise NotFound(
                f"no client is called {slug!r}", remedy="take the slug as the list of hosts shows it"
            )
        return found

    def silence(self, session: Session, silence_id: int) -> Silence:
        """A silence that is seen; `NotFound` likewise."""
        if 0 <= silence_id <= MAX_ID:
            with contextlib.suppress(NotFound):
                found = silenced.silence(session, silence_id)
                if found.client_id is None or found.client_id in self.clients:
                    return found
        raise NotFound(f"there is no silence {silence_id}", remedy="take a number as the list of them shows it")

    def check(self, client_id: int | None) -> None:
        """Raises `Forbidden` where a silence for all clients is not this person's to make, change or end."""
        if client_id is None and not self.is_everywhere:
            raise Forbidden(
                f"{self.login} does not work for all clients", remedy="make a silence of one client's"
            )

    def slug(self, client_id: int | None) -> str | None:
        """The client's; nothing for all clients."""
        return None if client_id is None else self.clients[client_id]

    def told(self, of: Silence, now_ms: int) -> api.Silence:
        """A silence as they are told of it."""
        return silence_view(of, self.slug(of.client_id), now_ms)


@get("/silences", opt=needs(Permission.INSPECT))
async def listed(
    deps: Wired, request: SignedIn, shown: SilencesShown = "active", client: Slug = None
) -> SilencePage:
    """Those that hold or will, or all there have been; those for all clients among them."""
    reach, now_ms = _reach(deps, request), deps.clock.now_ms()
    clients = reach.clients.keys() if client is None else {reach.client_id(client)}
    ask = partial(silenced.silences, now_ms=now_ms, with_expired=shown == "all", clients=frozenset(clients))
    return SilencePage(silences=[reach.told(each, now_ms) for each in await deps.storage.read_soon(ask)])


@get("/silences/{silence_id:int}", opt=needs(Permission.INSPECT))
async def one(deps: Wired, request: SignedIn, silence_id: Id) -> api.Silence:
    """One silence, expired or not."""
    reach = _reach(deps, request)
    found = await deps.storage.read_soon(partial(reach.silence, silence_id=silence_id))
    return reach.told(found, deps.clock.now_ms())


@post("/silences", opt=needs(Permission.SILENCE))
async def keep(deps: Wired, request: SignedIn, data: JSONBody[NewSilence]) -> api.Silence:
    """Make one, or change one that is there."""
    reach, now_ms = _reach(deps, request), deps.clock.now_ms()
    wish = await asyncio.to_thread(_wish, data, reach, now_ms)
    reach.check(wish.client_id)
    if data.id is None:
        return await _done(deps, request, reach, partial(_make, by=actor(request), wish=wish, now_ms=now_ms))
    act = partial(
        _change,
        reach=reach,
        by=actor(request),
        silence_id=data.id,
        wish=wish,
        has_start=data.starts_at is not None,
        now_ms=now_ms,
    )
    return await _done(deps, request, reach, act)


@delete("/silences/{silence_id:int}", status_code=200, opt=needs(Permission.SILENCE))
async def expire(deps: Wired, request: SignedIn, silence_id: Id) -> api.Silence:
    """End one now; one that has ended stays as it is."""
    reach = _reach(deps, request)
    act = partial(_expire, reach=reach, by=actor(request), silence_id=silence_id, now_ms=deps.clock.now_ms())
    return await _done(deps, request, reach, act)


def silence_view(of: Silence, client: str | None, now_ms: int) -> api.Silence:
    """A silence as it is told; `client` is the slug of whose alerts it is about."""
    return api.Silence(
        id=of.id,
        client=client,
        matchers=spelled(of.matchers),
        state=of.state(now_ms),
        starts_at=moment(of.starts_ms),
        ends_at=moment(of.ends_ms),
        author=of.author,
        comment=of.comment,
    )


async def _done(deps: Deps, request: SignedIn, reach: Reach, act: Callable[[Session], Silence]) -> api.Silence:
    """Do it, let the next round know, and have consoles look again."""

    def run(session: Session) -> Done[api.Silence, None]:
        stands = act(session)
        return Done(reach.told(stands, deps.clock.now_ms()), stands.client_id, None)

    done = await once(deps, request, run)
    with contextlib.suppress(Unavailable):  # it is written, and a job will look soon
        await asyncio.to_thread(deps.silences.reload)
    deps.broker.publish("rules", None, client=reach.slug(done.client_id))
    return done.answer


def _make(session: Session, *, by: Actor, wish: Wish, now_ms: int) -> Silence:
    made = silenced.add_silence(session, wish, now_ms)
    record(session, deed(Act.SILENCE_MADE, made, by=by, at_ms=now_ms))
    return made


def _change(
    session: Session, *, reach: Reach, by: Actor, silence_id: int, wish: Wish, has_start: bool, now_ms: int
) -> Silence:
    was = reach.silence(session, silence_id)
    reach.check(was.client_id)
    if not has_start and was.state(now_ms) is not SilenceState.EXPIRED:
        wish = replace(wish, starts_ms=was.starts_ms)
    stands = silenced.change_silence(session, silence_id, wish, now_ms)
    record(session, deed(Act.SILENCE_CHANGED, stands, by=by, at_ms=now_ms, was=was.id))
    return stands


def _expire(session: Session, *, reach: Reach, by: Actor, silence_id: int, now_ms: int) -> Silence:
    was = reach.silence(session, silence_id)
    reach.check(was.client_id)
    now = silenced.expire_silence(session, silence_id, now_ms)
    if now != was:
        record(session, deed(Act.SILENCE_ENDED, now, by=by, at_ms=now_ms))
    return now


def _reach(deps: Deps, request: SignedIn) -> Reach:
    scope = scope_of(request)
    return Reach(
        request.user.login,
        {client.id: client.slug for client in deps.estate.clients() if scope.sees(client.id)},
        is_everywhere=scope.is_everywhere,
    )


def _wish(data: NewSilence, reach: Reach, now_ms: int) -> Wish:
    return Wish(
        client_id=None if data.client is None else reach.client_id(data.client),
        matchers=_matchers(data.matchers),
        starts_ms=now_ms if data.starts_at is None else instant("starts_at", data.starts_at),
        ends_ms=instant("ends_at", data.ends_at),
        author=reach.login,
        comment=given_text(data.comment, what="the comment", most=MAX_COMMENT),
    )


def _matchers(text: str) -> Matchers:
    try:
        return parse_matchers(text)
    except ValueError as error:
        raise Unprocessable(
            f"matchers: {error}", remedy='write them as {alertname="DiskFull",instance=~"db-.+"}'
        ) from error


ROUTES = (listed, one, keep, expire)
