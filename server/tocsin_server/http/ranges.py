"""`GET /api/v1/query_range`: an expression of PromQL at each step of a time, over what hosts have sent.

Every step is evaluated as rules are. Steps of five minutes or longer are read from roll-ups where nothing looks
at a range that is shorter than four of their buckets.
"""

import asyncio
import math
from itertools import islice

from litestar import get

from tocsin_protocol.query import QueryLine, RangeAnswer
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.clock import moment
from tocsin_server.errors import Unprocessable
from tocsin_server.http.charts import shortest_range_ms
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.moments import moment_ms
from tocsin_server.http.permitted import needs
from tocsin_server.http.query import (
    DEFAULT_ROWS,
    MOST_SAMPLES,
    a_turn,
    clients_seen,
    kept_source,
    refuse_what_is_made_here,
)
from tocsin_server.http.questions import Query, Rows, Slug, StepSeconds, Time, Word
from tocsin_server.http.reach import looks_back
from tocsin_server.http.sessions import SignedIn, scope_of
from tocsin_server.promql import Line, evaluate_range, parse
from tocsin_server.promql.budget import Budget
from tocsin_server.promql.spelling import decimal
from tocsin_server.series.source import LOOKBACK_MS

MOST_STEPS = 11_000
"""As Prometheus has it: a week in minutes."""
LONGEST_S = 10.0
"""What one evaluation may take; it holds no lock."""


@get("/query_range", opt=needs(Permission.QUERY))
async def range_query(
    deps: Wired,
    request: SignedIn,
    promql: Query,
    start: Time,
    step: StepSeconds,
    end: Word = None,
    client: Slug = None,
    limit: Rows = DEFAULT_ROWS,
) -> RangeAnswer:
    """What an expression gave from a time on, each step of so many seconds."""
    with a_turn():
        return await asyncio.to_thread(
            _answer, deps, scope_of(request), promql, (start, end), step, client, limit
        )


def _answer(
    deps: Deps,
    scope: Scope,
    promql: str,
    ends: tuple[str, str | None],
    step_s: float,
    client: str | None,
    limit: int,
) -> RangeAnswer:
    now_ms, expression = deps.clock.now_ms(), parse(promql)
    start_ms, end_ms = (now_ms if text is None else moment_ms(text, now_ms) for text in ends)
    steps = range(start_ms, end_ms + 1, round(step_s * 1000))
    if not 0 < len(steps) <= MOST_STEPS:
        raise Unprocessable(
            f"that is {len(steps)} steps", remedy=f"name an end after the start, and {MOST_STEPS} steps at most"
        )
    clients = clients_seen(deps, scope, client)
    asked = looks_back(expression, start_ms, end_ms)
    refuse_what_is_made_here(deps, asked)
    source = kept_source(
        deps,
        expression,
        clients,
        (end_ms - max(asked.values(), default=0) - LOOKBACK_MS, end_ms),
        step_ms=steps.step,
        window_ms=shortest_range_ms(expression),
    )
    budget = Budget(samples=MOST_SAMPLES, seconds=LONGEST_S)
    lines = evaluate_range(
        expression, source, start_ms=start_ms, end_ms=end_ms, step_ms=steps.step, budget=budget
    )
    seen = [line for line in lines if line.client_id in clients]
    return RangeAnswer(
        start=moment(start_ms),
        step_s=steps.step / 1000,
        lines=[_line(deps, clients[line.client_id], line) for line in islice(seen, limit)],
        total=len(seen),
    )


def _line(deps: Deps, client: str, line: Line) -> QueryLine:
    host = None if line.host_id is None else deps.estate.host(line.host_id)
    return QueryLine(
        client=client,
        host=host.name if host is not None and host.client_id == line.client_id else None,
        labels=line.labels,
        values=[None if math.isnan(value) else decimal(value) for value in line.values.tolist()],
    )
