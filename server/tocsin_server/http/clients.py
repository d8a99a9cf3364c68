"""`/api/v1/clients/…`: a client's sites, and its people who ask for things."""

from functools import partial

from litestar import get, post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol import clients as api
from tocsin_server.access.audit import Act, Actor, Deed
from tocsin_server.access.auditlog import record
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.desk.scope import client_id_of
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.requesters import Asker, Wish, add_requester, requesters
from tocsin_server.estate.sites import sites
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.once import Done, once
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import SlugInPath
from tocsin_server.http.scoped import asked_soon, narrowed
from tocsin_server.http.sessions import SignedIn, actor, scope_of


@get("/clients/{slug:str}/sites", opt=needs(Permission.READ))
async def client_sites(deps: Wired, request: SignedIn, slug: SlugInPath) -> api.SitePage:
    """The client's sites."""

    def ask(session: Session, scope: Scope) -> list[api.Site]:
        found = sites(session, client_id_of(session, scope, slug))
        return [api.Site(slug=each.slug, name=each.name) for each in found]

    return api.SitePage(sites=await asked_soon(deps.storage, scope_of(request), ask))


@get("/clients/{slug:str}/requesters", opt=needs(Permission.READ))
async def client_requesters(deps: Wired, request: SignedIn, slug: SlugInPath) -> api.RequesterPage:
    """Who of the client asks for things."""

    def ask(session: Session, scope: Scope) -> list[api.Requester]:
        return [asker_view(each) for each in requesters(session, client_id_of(session, scope, slug))]

    return api.RequesterPage(requesters=await asked_soon(deps.storage, scope_of(request), ask))


@post("/clients/{slug:str}/requesters", opt=needs(Permission.WORK))
async def new_requester(
    deps: Wired, request: SignedIn, slug: SlugInPath, data: JSONBody[api.NewRequester]
) -> api.Requester:
    """Somebody who asks, of a client's."""
    return (await once(deps, request, partial(_add, deps, request, slug, data))).answer


def _add(
    deps: Deps, request: SignedIn, slug: str, data: api.NewRequester, session: Session
) -> Done[api.Requester, None]:
    scope, now_ms = scope_of(request), deps.clock.now_ms()
    with narrowed(session, scope):
        client_id_of(session, scope, slug)
        wish = Wish(name=data.name, site=data.site)
        made = add_requester(session, client_named(session, slug), data.mail, wish, now_ms)
    record(session, asker_deed(Act.REQUESTER_ADDED, made, by=actor(request), at_ms=now_ms))
    return Done(asker_view(made), made.client_id, None)


def asker_view(of: Asker) -> api.Requester:
    """A requester as they are told."""
    return api.Requester(name=of.name, mail=of.mail, site=of.site)


def asker_deed(act: Act, of: Asker, *, by: Actor, at_ms: int) -> Deed:
    """What the audit log is told."""
    details = {"name": of.name, "mail": of.mail, "site": of.site}
    return Deed(act, of.id, by=by, at_ms=at_ms, client_id=of.client_id, details=details)


ROUTES = (client_sites, client_requesters, new_requester)
