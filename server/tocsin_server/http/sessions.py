"""Who asks: the guard before every route of the API, and signing out.

Without a valid session there is nobody. With one come the role, which has to have the route's permission, and
the clients that are seen, both as they are now. An agent's session is kept elsewhere under other names, so here
an agent is nobody.
"""

import contextlib
import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from litestar import Request, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from sqlmodel import Session

from tocsin_protocol.people import Person
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.access.people import Visit, log_out, touch, who
from tocsin_server.access.scope import Scope
from tocsin_server.errors import Unauthenticated, Unavailable
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.fitness import ENROLLING, TOKENS_TOO, require_fit
from tocsin_server.http.permitted import OWN_SESSION, check

SignedIn = Request[Person, Visit, Any]
Connection = ASGIConnection[Any, Any, Any, Any]

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
        check(handler, visit)
        require_fit(handler, visit, deps.settings.require_totp)
        connection.scope["user"] = visit.person
        connection.scope["auth"] = visit

    return guard


def scope_of(request: SignedIn) -> Scope:
    """Which clients whoever asks sees."""
    return request.auth.scope


def actor(request: SignedIn) -> Actor:
    """Who asks, for the audit log."""
    return Actor(Party.PERSON, request.user.login, source_of(request))


def source_of(request: Request[Any, Any, Any]) -> str:
    """The address that it comes from: the one of the connection, whatever a header says."""
    return request.client.host if request.client else ""


@post("/logout", status_code=204, opt={**OWN_SESSION, **ENROLLING})
async def logout(request: SignedIn, deps: Wired) -> None:
    """End this session."""
    deed = Deed(Act.PERSON_SIGNED_OUT, request.user.login, by=actor(request), at_ms=deps.clock.now_ms())

    def act(session: Session) -> None:
        log_out(session, request.auth)
        record(session, deed)

    await deps.storage.write_soon(act)


@get("/me", opt={**OWN_SESSION, **ENROLLING, **TOKENS_TOO})
async def me(request: SignedIn) -> Person:
    """Who is signed in."""
    return request.user
