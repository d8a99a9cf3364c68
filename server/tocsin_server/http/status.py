"""`GET /api/v1/status`: what the console's status line shows of the server."""

import asyncio

from litestar import get

from tocsin_protocol.api import RuleProblem, ServerStatus
from tocsin_protocol.vocabulary import HostState
from tocsin_server.clock import moment
from tocsin_server.http.deps import Deps, Wired


@get("/status")
async def server_status(deps: Wired) -> ServerStatus:
    """How the server is, from what it has in memory."""
    return await asyncio.to_thread(_status, deps)


def series_in_head(deps: Deps) -> int:
    """How many series there are; waits for the head."""
    with deps.head.lock:
        return deps.head.series_count


def file_problems(deps: Deps) -> list[RuleProblem]:
    """What is wrong with the files that operators write: of rules, of devices, of suppressions, of tickets."""
    return [*deps.judge.problems, *deps.other_problems()]


def _status(deps: Deps) -> ServerStatus:
    hosts = deps.hosts.states()
    return ServerStatus(
        version=deps.version,
        now=moment(deps.clock.now_ms()),
        hosts=hosts.total(),
        hosts_silent=hosts[HostState.SILENT],
        series=series_in_head(deps),
        rules=len(deps.judge.rules),
        rule_problems=file_problems(deps),
        evaluation_ms=deps.evaluation_s() * 1000,
        waits_for=list(deps.lifecycle().waits_for),
    )
