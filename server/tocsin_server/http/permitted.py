"""Who may call a route, and with which permission: each says it in its options, or no server starts.

principal     what kind of one may call it
permission    of a person, or of the operator: what their role must have (`access/permissions.py`)
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import ASGIRoute, HTTPRoute

from tocsin_server.access.people import Visit
from tocsin_server.access.permissions import Permission, may
from tocsin_server.errors import Forbidden, Misconfigured

PRINCIPAL = "principal"
PERMISSION = "permission"
OWN = "own"
"""In place of a permission: it is about the session itself, so whoever has one may."""


class Principal(StrEnum):
    """What kind of one a route answers."""

    ANYBODY = "anybody"
    PERSON = "person"
    ASKER = "asker"
    """A person, or the operator at this machine."""
    SCRAPER = "scraper"
    """Prometheus, by the scrape token."""


_PEOPLE = (Principal.PERSON, Principal.ASKER)


def needs(permission: Permission) -> dict[str, Any]:
    """The options of a route that asks for it."""
    return {PERMISSION: permission}


OWN_SESSION: dict[str, Any] = {PERMISSION: OWN}


def check(handler: BaseRouteHandler, visit: Visit) -> None:
    """Raise `Forbidden` where the role has not what the route asks for; what asks for nothing is nobody's."""
    asked = handler.opt.get(PERMISSION)
    if asked == OWN:
        return
    if not isinstance(asked, Permission) or not may(visit.person.role, asked):
        raise Forbidden(
            f"{visit.person.login} may not do this as {visit.person.role.value}",
            remedy="ask an administrator for another role",
        )


def handlers(app: Litestar) -> Iterable[tuple[str, str, BaseRouteHandler]]:
    """Method, path and handler of each route there is; of a stream or the like the method is GET."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in sorted(handler.http_methods):
                    if method != "OPTIONS":
                        yield method, route.path, handler
        elif isinstance(route, ASGIRoute):
            yield "GET", route.path, route.route_handler


def require_all_said(app: Litestar) -> None:
    """Raise `Misconfigured` where a route does not say who may call it."""
    for method, path, handler in handlers(app):
        principal = handler.opt.get(PRINCIPAL)
        asked = handler.opt.get(PERMISSION)
        is_said = isinstance(asked, Permission) or asked == OWN
        if not isinstance(principal, Principal) or (principal in _PEOPLE) != is_said:
            raise Misconfigured(
                f"{method} {path} does not say who may call it and with which permission",
                remedy="give its handler opt=needs(...), and put it into a router with a principal",
            )
