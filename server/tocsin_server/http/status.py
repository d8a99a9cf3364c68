"""`GET /api/v1/status`: what the console's status line shows of the server."""

import asyncio

from litestar import get

from tocsin_protocol.status import RuleProblem, ServerStatus
from tocsin_protocol.vocabulary import HostState
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.clock import moment
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.permitted import needs
from tocsin_server.http.sessions import SignedIn, scope_of


@get("/status", opt=needs(Permission.READ))
async def server_status(deps: Wired, request: SignedIn) -> ServerStatus:
    """How the server is, from what it has in memory.

    Who does not see all clients is told of their hosts, and of the server nothing that others have a part in.
    """
    return await asyncio.to_thread(_status, deps, scope_of(request))


def series_in_head(deps: Deps) -> int:
    """How many series there are; waits for the head."""
    with deps.head.lock:
        return deps.head.series_count


def file_problems(deps: Deps) -> list[RuleProblem]:
    """What is wrong with the files that operators write: of rules, of devices, of suppressions, of tickets."""
    return [*deps.judge.problems, *deps.other_problems()]


def _status(deps: Deps, scope: Scope) -> ServerStatus:
    hosts = deps.hosts.states(scope)
    sees_all = scope.is_everywhere
    return ServerStatus(
        version=deps.version,
        now=moment(deps.clock.now_ms()),
        hosts=hosts.total(),
        hosts_silent=hosts[HostState.SILENT],
        series=series_in_head(deps) if sees_all else 0,
        rules=len(deps.judge.rules),
        rule_problems=file_problems(deps) if sees_all else [],
        evaluation_ms=deps.evaluation_s() * 1000 if sees_all else 0,
        waits_for=list(deps.lifecycle().waits_for),
    )
