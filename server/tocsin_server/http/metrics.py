"""`/metrics`: the server's own health. What is counted is there already; what is a picture is taken now."""

import asyncio
import threading
from typing import Any

from litestar import Request, Response, get
from prometheus_client.exposition import choose_encoder
from sqlmodel import Session, col, func, select

from tocsin_protocol.vocabulary import AlertState, HostState, SilenceState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.alerts.store import AlertRow
from tocsin_server.desk.queue import open_by_client
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.status import file_problems, series_in_head

_WATCHED = (AlertState.PENDING, AlertState.FIRING, AlertState.UNKNOWN)
_one_at_a_time = threading.Lock()


@get("/metrics")
async def own_metrics(deps: Wired, request: Request[Any, Any, Any]) -> Response[bytes]:
    """In whichever of Prometheus's formats the scraper asks for."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))

    def page() -> bytes:
        with _one_at_a_time:
            refresh(deps)
            return encode(deps.health.registry)

    return Response(await asyncio.to_thread(page), media_type=content_type.replace("; charset=utf-8", ""))


def refresh(deps: Deps) -> None:
    """Take the pictures; waits for the database and the head."""
    health = deps.health
    health.inbox.set(len(deps.inbox))
    health.head_series.set(series_in_head(deps))
    health.rules.set(len(deps.judge.rules))
    health.rule_problems.set(len(file_problems(deps)))
    now_ms = deps.clock.now_ms()
    health.silences.set(sum(each.state(now_ms) is SilenceState.ACTIVE for each in deps.silences.kept()))
    hosts = deps.hosts.states(EVERYWHERE)
    for state in (HostState.UP, HostState.SILENT, HostState.AWAITED):
        health.hosts.labels(state).set(hosts[state])
    alerts, tickets = deps.storage.read(_count)
    for watched in _WATCHED:
        health.alerts.labels(watched).set(alerts.get(watched, 0))
    health.tickets.clear()
    for (client, priority), count in tickets.items():
        health.tickets.labels(client, priority).set(count)


def _count(session: Session) -> tuple[dict[AlertState, int], dict[tuple[str, int], int]]:
    """Alerts by state, and open tickets by client and priority."""
    alerts = session.exec(
        select(AlertRow.state, func.count())
        .where(col(AlertRow.state).in_(_WATCHED))
        .group_by(col(AlertRow.state))
    ).all()
    return {AlertState(state): count for state, count in alerts}, open_by_client(session)
