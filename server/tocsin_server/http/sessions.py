"""Who asks: the guard before every route of the API, and signing in and out.

Without a valid session there is nobody; a viewer may read, and only who is more may change. An agent's
session is kept elsewhere under other names, so here an agent is nobody.
"""

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from litestar import Request, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.api import LoginAnswer, LoginRequest, Person
from tocsin_protocol.vocabulary import Role
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.access.people import (
    SESSION_MS,
    Visit,
    issue_session,
    log_out,
    password_hash_of,
    person_named,
    told,
    touch,
    who,
)
from tocsin_server.clock import moment
from tocsin_server.errors import Forbidden, Unauthenticated, Unavailable
from tocsin_server.http.deps import Deps, Wired

SignedIn = Request[Person, Visit, Any]
Connection = ASGIConnection[Any, Any, Any, Any]

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_TOKEN = 200


def bearer(connection: Connection) -> str | None:
    """The token that the request carries."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and 0 < len(token) <= _MAX_TOKEN else None


def is_same(given: str | None, secret: str) -> bool:
    """Whether a token is the secret one; where there is no secret nothing is. Takes as long for a near miss."""
    return bool(secret) and hmac.compare_digest((given or "").encode(), secret.encode())


async def visit_of(connection: Connection, deps: Deps) -> Visit | None:
    """The valid session behind a request, if there is one; that it is in use is written down now and then."""
    token = bearer(connection)
    if token is None:
        return None
    now_ms = deps.clock.now_ms()
    visit = await deps.storage.read_soon(partial(who, token=token, now_ms=now_ms))
    if visit is not None and visit.is_touch_due:
        with contextlib.suppress(Unavailable):  # the next request will say it again
            deps.storage.submit(partial(touch, visit=visit, now_ms=now_ms))
    return visit


def signed_in(deps: Deps) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """The guard of everything that is not open to all."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        visit = await visit_of(connection, deps)
        if visit is None:
            raise Unauthenticated(
                "nobody is signed in", remedy="sign in; a session ends when it is long unused"
            )
        is_change = connection.scope.get("method") not in _READING and not handler.opt.get("for_viewers")
        if is_change and visit.person.role is Role.VIEWER:
            raise Forbidden(
                f"{visit.person.login} may read only", remedy="ask an administrator for another role"
            )
        connection.scope["user"] = visit.person
        connection.scope["auth"] = visit

    return guard


@post("/login", status_code=200)
async def login(data: JSONBody[LoginRequest], request: Request[Any, Any, Any], deps: Wired) -> LoginAnswer:
    """Sign in with a password."""
    now_ms = deps.clock.now_ms()
    source = _source(request)
    key = (data.login, source)
    deps.attempts.refuse_haste(key, now_ms)
    kept = await deps.storage.read_soon(partial(password_hash_of, login=data.login))
    if not await asyncio.to_thread(deps.passwords.is_right, kept, data.password):
        deps.attempts.failed(key, now_ms)
        await _note_failure(deps, data.login, source, now_ms)
        raise Unauthenticated("the login or the password is wrong")
    deps.attempts.succeeded(key)
    return await deps.storage.write_soon(partial(_sign_in, login=data.login, source=source, now_ms=now_ms))


def actor(request: SignedIn) -> Actor:
    """Who asks, for the audit log."""
    return Actor(Party.PERSON, request.user.login, _source(request))


def _source(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


def _sign_in(session: Session, *, login: str, source: str, now_ms: int) -> LoginAnswer:
    person = person_named(session, login)
    if person is None or person.disabled_ms is not None:
        raise Unauthenticated("the login or the password is wrong")
    who = Actor(Party.PERSON, login, source)
    record(session, Deed(Act.PERSON_SIGNED_IN, login, by=who, at_ms=now_ms))
    return LoginAnswer(
        token=issue_session(session, person, now_ms),
        expires_at=moment(now_ms + SESSION_MS),
        person=told(person),
    )


async def _note_failure(deps: Deps, login: str, source: str, now_ms: int) -> None:
    """Into the audit log, as long as there are not too many; whoever fails is told so in any case."""
    passed_over = deps.failures.take(now_ms)
    if passed_over is not None:
        act = partial(_sign_in_failed, login=login, source=source, now_ms=now_ms, passed_over=passed_over)
        with contextlib.suppress(Unavailable):
            await deps.storage.write_soon(act)


def _sign_in_failed(session: Session, *, login: str, source: str, now_ms: int, passed_over: int) -> None:
    """A login that nobody has is not written down: it may be a password, typed in the wrong place."""
    known = "" if person_named(session, login) is None else login
    who, details = Actor(Party.NOBODY, known, source), {"passed_over": passed_over} if passed_over else {}
    record(session, Deed(Act.PERSON_SIGN_IN_FAILED, known, by=who, at_ms=now_ms, details=details))


@post("/logout", status_code=204, opt={"for_viewers": True})
async def logout(request: SignedIn, deps: Wired) -> None:
    """End this session."""
    deed = Deed(Act.PERSON_SIGNED_OUT, request.user.login, by=actor(request), at_ms=deps.clock.now_ms())

    def act(session: Session) -> None:
        log_out(session, request.auth)
        record(session, deed)

    await deps.storage.write_soon(act)


@get("/me")
async def me(request: SignedIn) -> Person:
    """Who is signed in."""
    return request.user
