"""What a session or a token is fit for, beside what its person may.

A token for programs does what its scopes say and nothing about its person. Whose role asks for one-time codes
and who has no device yet may enrol one, and nothing else. A route says which it is in its `opt`.
"""

from collections.abc import Collection
from typing import Final

from litestar.handlers import BaseRouteHandler

from tocsin_protocol.people import ENROLMENT_REQUIRED
from tocsin_protocol.vocabulary import Role, TokenScope
from tocsin_server.access.people import Visit
from tocsin_server.access.permissions import Permission, scope_with
from tocsin_server.errors import Forbidden
from tocsin_server.http.permitted import PERMISSION

TOKENS_TOO: Final = {"for_tokens": True}
"""It is about the session itself, and a token that reads may know as well; of all else such no token may."""
ENROLLING: Final = {"for_enrolling": True}
"""It is there for who has to enrol a device first."""


class EnrolmentRequired(Forbidden):
    """One-time codes are asked for, and there is no device yet that makes them."""

    kind = ENROLMENT_REQUIRED


def require_fit(handler: BaseRouteHandler, visit: Visit, require_totp: Collection[Role]) -> None:
    """Raise `Forbidden` where the session or token is not for this."""
    if visit.scopes is not None:
        _require_scope(handler, visit.scopes)
    if must_enrol(visit.person.role, require_totp, has_codes=visit.has_second_factor) and not handler.opt.get(
        "for_enrolling"
    ):
        raise EnrolmentRequired(
            f"{visit.person.login} needs one-time codes to sign in", remedy="sign in again, and enrol a device"
        )


def must_enrol(role: Role, require_totp: Collection[Role], *, has_codes: bool) -> bool:
    """Whether somebody of the role can do nothing yet but enrol a device."""
    return role in require_totp and not has_codes


def scope_for(handler: BaseRouteHandler) -> TokenScope | None:
    """What a token has to be for; nothing where none gets there."""
    asked = handler.opt.get(PERMISSION)
    if isinstance(asked, Permission):
        return scope_with(asked)
    return TokenScope.READ if handler.opt.get("for_tokens") else None


def _require_scope(handler: BaseRouteHandler, scopes: frozenset[TokenScope]) -> None:
    wanted = scope_for(handler)
    if wanted is None:
        raise Forbidden("no token is for this", remedy="sign in with a password")
    if wanted not in scopes:
        raise Forbidden(f"this token is not for {wanted}", remedy=f"make one with the scope {wanted}")
