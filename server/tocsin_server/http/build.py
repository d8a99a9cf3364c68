"""All routes of the server in one ASGI application.

Agents' requests are dispatched by path before anything else sees them: theirs are most, and none of what
people need applies to them. Everything under `/api/v1` asks for a session or a token but signing in; a query
and a why are answered to the operator at this machine too; what Prometheus reads asks for its token. Where a
route does not say who may call it, and with which permission, no server starts (`permitted.py`).
"""

import asyncio
from functools import cache
from typing import Any

from litestar import Litestar, Router, get
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.types import Receive, Scope, Send

from tocsin_protocol.api import PREFIX
from tocsin_server.access.permissions import Permission
from tocsin_server.http import (
    alerts,
    bulk,
    charts,
    clients,
    contracts,
    events,
    healthz,
    hosts,
    looking,
    me,
    metrics,
    prometheus,
    query,
    ranges,
    relations,
    sessions,
    signin,
    silences,
    status,
    teams,
    tickets,
    watching,
    why,
)
from tocsin_server.http.deps import Deps
from tocsin_server.http.description import completed
from tocsin_server.http.needs import Asgi
from tocsin_server.http.once import Repeated, repeated_response
from tocsin_server.http.permitted import PRINCIPAL, Principal, needs, require_all_said
from tocsin_server.http.problems import EXCEPTION_HANDLERS

AGENT_PREFIX = "/agent/v1/"
MAX_BODY_BYTES = 256 * 1024


def build(deps: Deps) -> Asgi:
    """The application."""
    people = routes(deps)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"].startswith(AGENT_PREFIX):
            await deps.agents(scope, receive, send)
        else:
            await people(scope, receive, send)

    return dispatch


def routes(deps: Deps) -> Litestar:
    """Everything but the agents' part; raises `Misconfigured` where a route is for nobody knows whom."""
    app = _litestar(deps, [_open(), _for_people(deps), _for_whoever_asks(deps), _for_prometheus(deps)])
    require_all_said(app)
    return app


def _litestar(deps: Deps, routers: list[Router], openapi_config: OpenAPIConfig | None = None) -> Litestar:
    return Litestar(
        routers,
        dependencies={"deps": Provide(lambda: deps, sync_to_thread=False)},
        exception_handlers={**EXCEPTION_HANDLERS, Repeated: repeated_response},
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=openapi_config,
        logging_config=None,
    )


def _open() -> Router:
    return Router(
        "/",
        opt={PRINCIPAL: Principal.ANYBODY},
        route_handlers=[healthz.healthz, Router(PREFIX, route_handlers=[signin.login])],
    )


def _for_people(deps: Deps) -> Router:
    return Router(
        PREFIX,
        opt={PRINCIPAL: Principal.PERSON},
        guards=[sessions.signed_in(deps)],
        response_headers={"cache-control": "no-store"},
        route_handlers=[
            sessions.logout,
            sessions.me,
            *me.ROUTES,
            status.server_status,
            *tickets.ROUTES,
            *relations.ROUTES,
            bulk.bulk,
            *watching.ROUTES,
            looking.looking,
            *teams.ROUTES,
            *contracts.ROUTES,
            *clients.ROUTES,
            *alerts.ROUTES,
            *silences.ROUTES,
            *hosts.ROUTES,
            *charts.ROUTES,
            events.events(deps),
            _description(deps),
        ],
    )


def _for_whoever_asks(deps: Deps) -> Router:
    """For people, and for the operator at this machine."""
    return Router(
        PREFIX,
        opt={PRINCIPAL: Principal.ASKER},
        guards=[query.may_ask(deps)],
        response_headers={"cache-control": "no-store"},
        route_handlers=[query.instant_query, ranges.range_query, *why.ROUTES],
    )


def _for_prometheus(deps: Deps) -> Router:
    return Router(
        "/",
        opt={PRINCIPAL: Principal.SCRAPER},
        guards=[prometheus.may_scrape(deps)],
        include_in_schema=False,
        route_handlers=[metrics.own_metrics, *prometheus.ROUTES],
    )


def _description(deps: Deps) -> HTTPRouteHandler:
    """The API in OpenAPI's words, for who is signed in.

    The framework would publish it, with pages of its own, to everybody; so it describes a copy that is not
    served, when somebody first asks.
    """

    @cache
    def describe() -> dict[str, Any]:
        config = OpenAPIConfig(title="tocsin", version=deps.version)
        asked = _litestar(deps, [_open(), _for_people(deps), _for_whoever_asks(deps)], config)
        return completed(asked.openapi_schema.to_schema())

    @get("/openapi.json", include_in_schema=False, opt=needs(Permission.READ))
    async def openapi() -> dict[str, Any]:
        return await asyncio.to_thread(describe)

    return openapi
