"""What a session or a token is fit for, beside what its person may.

A token for programs does what its scopes say and nothing about its person. Whose role asks for one-time codes
and who has no device yet may enrol one, and nothing else. A route says which it is in its `opt`.
"""

from collections.abc import Collection
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from tocsin_protocol.api import ENROLMENT_REQUIRED, PREFIX
from tocsin_protocol.vocabulary import Role, TokenScope
from tocsin_server.access.people import Visit
from tocsin_server.errors import Forbidden

OWN: Final = {"for_sessions": True}
"""It is about one's own way in: no token gets there, to read neither."""
ENROLLING: Final = {"for_enrolling": True}
"""It is there for who has to enrol a device first."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITES = {f"{PREFIX}/tickets": TokenScope.TICKETS_WRITE, f"{PREFIX}/silences": TokenScope.SILENCES_WRITE}


class EnrolmentRequired(Forbidden):
    """One-time codes are asked for, and there is no device yet that makes them."""

    kind = ENROLMENT_REQUIRED


def require_fit(
    connection: ASGIConnection[Any, Any, Any, Any],
    handler: BaseRouteHandler,
    visit: Visit,
    require_totp: Collection[Role],
) -> None:
    """Raise `Forbidden` where the session or token is not for this."""
    if visit.scopes is not None:
        _require_scope(connection, handler, visit.scopes)
    if must_enrol(visit.person.role, require_totp, has_codes=visit.has_second_factor) and not handler.opt.get(
        "for_enrolling"
    ):
        raise EnrolmentRequired(
            f"{visit.person.login} needs one-time codes to sign in", remedy="sign in again, and enrol a device"
        )


def must_enrol(role: Role, require_totp: Collection[Role], *, has_codes: bool) -> bool:
    """Whether somebody of the role can do nothing yet but enrol a device."""
    return role in require_totp and not has_codes


def scope_for(method: str, path: str) -> TokenScope | None:
    """What a token has to be for; no token is for a change that is not listed here. `path` is the route's."""
    if method in READING:
        return TokenScope.READ
    return next(
        (scope for prefix, scope in _WRITES.items() if path == prefix or path.startswith(f"{prefix}/")), None
    )


def _require_scope(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, scopes: frozenset[TokenScope]
) -> None:
    wanted = scope_for(str(connection.scope.get("method")), connection.scope["path_template"])
    if wanted is None or handler.opt.get("for_sessions"):
        raise Forbidden("no token is for this", remedy="sign in with a password")
    if wanted not in scopes:
        raise Forbidden(f"this token is not for {wanted}", remedy=f"make one with the scope {wanted}")
