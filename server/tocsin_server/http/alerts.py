"""`GET /api/v1/alerts…`: what the rules see."""

from functools import partial

from litestar import get

from tocsin_protocol.api import Alert, AlertPage
from tocsin_server.desk.alarms import alert_page, alert_view
from tocsin_server.http.deps import Wired
from tocsin_server.http.questions import AlertStates, HostId, Id, Slug


@get("/alerts")
async def alerts(
    deps: Wired, which: AlertStates = "active", client: Slug = None, host: HostId = None
) -> AlertPage:
    """The alerts that are watched now, or all there have been."""
    ask = partial(alert_page, state=which, client=client, host_id=host, live_value=deps.judge.live_value)
    return await deps.storage.read_soon(ask)


@get("/alerts/{alert_id:int}")
async def alert(deps: Wired, alert_id: Id) -> Alert:
    """One alert."""
    return await deps.storage.read_soon(
        partial(alert_view, alert_id=alert_id, live_value=deps.judge.live_value)
    )


ROUTES = (alerts, alert)
