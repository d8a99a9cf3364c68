"""`GET /api/v1/alerts…`: what the rules see."""

from functools import partial

from litestar import get

from tocsin_protocol.alerts import Alert, AlertPage
from tocsin_server.access.permissions import Permission
from tocsin_server.desk.alarms import alert_page, alert_view
from tocsin_server.http.deps import Wired
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import AlertStates, HostId, Id, Slug
from tocsin_server.http.scoped import asked_soon
from tocsin_server.http.sessions import SignedIn, scope_of


@get("/alerts", opt=needs(Permission.READ))
async def alerts(
    deps: Wired,
    request: SignedIn,
    which: AlertStates = "active",
    client: Slug = None,
    host: HostId = None,
) -> AlertPage:
    """The alerts that are watched now, or all there have been."""
    ask = partial(alert_page, state=which, client=client, host_id=host, live_value=deps.judge.live_value)
    return await asked_soon(deps.storage, scope_of(request), ask)


@get("/alerts/{alert_id:int}", opt=needs(Permission.READ))
async def alert(deps: Wired, request: SignedIn, alert_id: Id) -> Alert:
    """One alert."""
    ask = partial(alert_view, alert_id=alert_id, live_value=deps.judge.live_value)
    return await asked_soon(deps.storage, scope_of(request), ask)


ROUTES = (alerts, alert)
