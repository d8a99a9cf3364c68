"""`GET /api/v1/hosts…`: what is watched, how it is, its last readings, and what is open about it."""

import asyncio
import math
from collections.abc import Sequence
from functools import partial

from litestar import get
from sqlmodel import Session

from tocsin_protocol.alerts import Alert
from tocsin_protocol.hosts import HostDetail, HostPage, Reading
from tocsin_protocol.tickets import TicketRow
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.clock import moment
from tocsin_server.desk.alarms import LiveValue, alert_page
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.queue import ticket_page
from tocsin_server.errors import NotFound
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.needs import Sample
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import Id, Slug
from tocsin_server.http.scoped import asked_soon
from tocsin_server.http.sessions import SignedIn, scope_of
from tocsin_server.series.schema import TARGET_LABELS

MAX_TICKETS = 50


@get("/hosts", opt=needs(Permission.READ))
async def host_page(deps: Wired, request: SignedIn, client: Slug = None) -> HostPage:
    """Every host in service, or one client's."""
    return HostPage(hosts=await asyncio.to_thread(deps.hosts.all, scope_of(request), client))


@get("/hosts/{host_id:int}", opt=needs(Permission.READ))
async def host_detail(deps: Wired, request: SignedIn, host_id: Id) -> HostDetail:
    """One host with its last readings, its active alerts and its open tickets."""
    scope = scope_of(request)
    row = await asyncio.to_thread(deps.hosts.one, scope, host_id)
    if row is None:
        raise NotFound(f"there is no host {host_id}")
    samples = await asyncio.to_thread(samples_of, deps, host_id)
    ask = partial(_about, host_id=host_id, live_value=deps.judge.live_value, terms=deps.terms())
    alerts, tickets = await asked_soon(deps.storage, scope, ask)
    parents, probed_by = _reached(deps, host_id)
    return HostDetail(
        host=row,
        readings=[_reading(sample) for sample in samples],
        alerts=alerts,
        tickets=tickets,
        parents=parents,
        probed_by=probed_by,
    )


def samples_of(deps: Deps, host_id: int) -> Sequence[Sample]:
    """The last sample of each of a host's series; waits for the head."""
    with deps.head.lock:
        return deps.head.latest(host_id)


def _reached(deps: Deps, host_id: int) -> tuple[list[str], str | None]:
    """What a host in service is reached through, and the host whose agent probes it."""
    host = deps.estate.host(host_id)
    if host is None:
        return [], None
    prober = None if host.prober_id is None else deps.estate.host(host.prober_id)
    return list(host.parents), None if prober is None else prober.name


def _about(
    session: Session, scope: Scope, *, host_id: int, live_value: LiveValue, terms: Terms
) -> tuple[list[Alert], list[TicketRow]]:
    """The host's active alerts and its open tickets."""
    alerts = alert_page(session, scope, host_id=host_id, live_value=live_value).alerts
    about = Filters(host_id=host_id)
    return alerts, ticket_page(session, scope, about, limit=MAX_TICKETS, terms=terms).tickets


def _reading(sample: Sample) -> Reading:
    """As the API tells it: less the labels that the host's row says already."""
    return Reading(
        name=sample.name,
        labels={name: value for name, value in sample.labels.items() if name not in TARGET_LABELS},
        kind=sample.kind,
        value=sample.value if math.isfinite(sample.value) else None,
        at=moment(sample.time_ms),
    )


ROUTES = (host_page, host_detail)
