"""`GET /api/v1/status`: what the console's status line shows of the server."""

from litestar import get

from tocsin_protocol.api import ServerStatus
from tocsin_server.clock import moment
from tocsin_server.http.deps import Wired


@get("/status", sync_to_thread=False)
def server_status(deps: Wired) -> ServerStatus:
    """How the server is, from what it has in memory."""
    now_ms = deps.clock.now_ms()
    hosts = deps.estate.hosts()
    heard = [host.id for host in hosts if deps.presence.was_heard(host.id)]
    return ServerStatus(
        version=deps.version,
        now=moment(now_ms),
        hosts=len(hosts),
        hosts_silent=sum(not deps.presence.is_up(host_id, now_ms) for host_id in heard),
        series=deps.head.series_count,
        rules=len(deps.judge.rules),
        rule_problems=list(deps.judge.problems),
        evaluation_ms=deps.evaluation_s() * 1000,
    )
