"""`GET /api/v1/query`: an expression of PromQL at a moment, over the series of the clients that the asker sees.

    head       what rules see now, where the expression looks no further back than rules do
    sent       where it does: journal and history of the hosts that it can be about, so much at most

Few are evaluated at once, and none that would keep the head from the rules for long.
"""

import asyncio
import contextlib
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from tocsin_protocol.query import QueryAnswer, QueryRow
from tocsin_server.access.operator import OPERATOR
from tocsin_server.access.people import Visit
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.alerts.lint import recorded_names
from tocsin_server.alerts.proclaim import ALERTS, SINCE
from tocsin_server.clock import moment
from tocsin_server.errors import NotFound, Overloaded, Unprocessable
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.looks import Span
from tocsin_server.http.moments import moment_ms
from tocsin_server.http.permitted import check, needs
from tocsin_server.http.portion import Portion
from tocsin_server.http.questions import Query, Rows, Slug, Word
from tocsin_server.http.reach import looks_back, may_concern, within
from tocsin_server.http.sessions import Connection, SignedIn, bearer, is_same, scope_of, signed_in
from tocsin_server.http.vitals import vital_windows
from tocsin_server.promql import Expression, Row, Vector, evaluate, parse
from tocsin_server.promql.budget import Budget, TooCostly
from tocsin_server.promql.spelling import decimal
from tocsin_server.series.fixed import FixedSource
from tocsin_server.series.source import LOOKBACK_MS

DEFAULT_ROWS = 1000
MOST_FRAMES = 25_000
"""What an answer may read, in frames of the journal or as much as takes as long, a second: 800 hosts' last five
minutes, thirty hosts' last day, or one host's last month."""
MOST_SAMPLES = 20_000_000
LONGEST_S = 2.0
"""What one evaluation may take, with the head's lock held: rules wait meanwhile."""
AT_ONCE = 2

_OPERATORS = Visit(person=OPERATOR, scope=EVERYWHERE, digest="", is_touch_due=False)
_turns = threading.BoundedSemaphore(AT_ONCE)


class NotKept(Unprocessable):
    """What is asked of a metric is kept nowhere."""

    kind = "not-kept"


@dataclass(frozen=True, slots=True)
class Question:
    """An expression at a moment, over some clients: their slugs by id."""

    expression: Expression
    at_ms: int
    now_ms: int
    clients: Mapping[int, str]


def may_ask(deps: Deps) -> Guard:
    """The guard: whoever is signed in, and the operator at this machine."""
    as_person = signed_in(deps)

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        if is_same(bearer(connection), deps.operator_token):
            check(handler, _OPERATORS)
            connection.scope["user"] = OPERATOR
            connection.scope["auth"] = _OPERATORS
        else:
            await as_person(connection, handler)

    return guard


@get("/query", opt=needs(Permission.QUERY))
async def instant_query(
    deps: Wired,
    request: SignedIn,
    promql: Query,
    time: Word = None,
    client: Slug = None,
    limit: Rows = DEFAULT_ROWS,
) -> QueryAnswer:
    """What an expression gives now, or at a time: Unix seconds, RFC 3339, or `-5m`."""
    with a_turn():
        return await asyncio.to_thread(_answer, deps, scope_of(request), promql, time, client, limit)


def _answer(
    deps: Deps, scope: Scope, promql: str, time: str | None, client: str | None, limit: int
) -> QueryAnswer:
    now_ms = deps.clock.now_ms()
    at_ms = now_ms if time is None else moment_ms(time, now_ms)
    question = Question(parse(promql), at_ms, now_ms, clients_seen(deps, scope, client))
    asked = looks_back(question.expression, at_ms, now_ms)
    if within(asked, _kept(deps)):
        return _from_head(deps, question, limit)
    return _from_kept(deps, question, asked, limit)


def clients_seen(deps: Deps, scope: Scope, slug: str | None = None) -> dict[int, str]:
    """The clients that are asked about, of those in the scope: their slugs by id."""
    clients = [client for client in deps.estate.clients() if scope.sees(client.id)]
    asked = {client.id: client.slug for client in clients if slug is None or client.slug == slug}
    if slug is not None and not asked:
        raise NotFound(f"no client is called {slug!r}", remedy="take the slug as the list of hosts shows it")
    return asked


def _kept(deps: Deps) -> dict[str, int]:
    """How far back the head holds each metric."""
    longest = vital_windows()
    for name, window_ms in deps.rules_in_force().windows().items():
        longest[name] = max(longest.get(name, 0), window_ms)
    return longest


def _from_head(deps: Deps, question: Question, limit: int) -> QueryAnswer:
    with deps.head.lock:
        source = Portion(deps.head, question.clients)
        vector = evaluate(question.expression, source, question.at_ms, budget=_budget())
        return _told(deps, question, vector, limit)


def _from_kept(deps: Deps, question: Question, asked: Mapping[str, int], limit: int) -> QueryAnswer:
    refuse_what_is_made_here(deps, asked)
    span = question.now_ms - max(asked.values()) - LOOKBACK_MS, question.now_ms
    source = kept_source(deps, question.expression, question.clients, span)
    return _told(deps, question, evaluate(question.expression, source, question.at_ms, budget=_budget()), limit)


def _budget() -> Budget:
    return Budget(samples=MOST_SAMPLES, seconds=LONGEST_S)


def refuse_what_is_made_here(deps: Deps, asked: Collection[str]) -> None:
    """Raise `NotKept`: what hosts have sent is kept, what rules make of it is in the head alone."""
    made = {ALERTS, SINCE, *recorded_names(deps.rules_in_force())}.intersection(asked)
    if made:
        raise NotKept(
            f"{min(made)} is made by rules, and nothing is kept of it for as long as this looks back",
            remedy="ask for it now, without an offset or a range, or ask for what its rule is made of",
        )


def kept_source(
    deps: Deps,
    expression: Expression,
    clients: Collection[int],
    span: Span,
    *,
    step_ms: int = 0,
    window_ms: int = 0,
) -> FixedSource:
    """What hosts of these clients have sent in this time, as far as the expression can look at; see `Sent`."""
    here = deps.estate.hosts()
    hosts = [host for host in here if host.client_id in clients and may_concern(expression, host)]
    _check_cost(deps, hosts, span)
    names = expression.windows().keys()
    series = [
        each
        for host in hosts
        for each in deps.sent.series(host, names, [span], step_ms=step_ms, window_ms=window_ms)
    ]
    return FixedSource.from_series(series, clients={host.client_id for host in here}.intersection(clients))


def _check_cost(deps: Deps, hosts: Sequence[HostFacts], span: Span) -> None:
    if sum(deps.sent.frames(host, *span) for host in hosts) > MOST_FRAMES:
        raise TooCostly(
            "the expression looks further back than rules do, at more than can be read at once",
            remedy="name one client or one host by its instance, or take a shorter range",
        )


def _told(deps: Deps, question: Question, vector: Vector, limit: int) -> QueryAnswer:
    """The answer. What belongs to none of the clients asked about is left out, wherever it comes from."""
    rows = [_row(deps, question, row) for row in islice(_seen(question, vector), limit)]
    return QueryAnswer(
        at=moment(question.at_ms),
        rows=rows,
        total=int(np.isin(vector.labels.clients, list(question.clients)).sum()),
        failures={
            question.clients[client]: why
            for client, why in vector.failures.items()
            if client in question.clients
        },
    )


def _seen(question: Question, vector: Vector) -> Iterator[Row]:
    return (row for row in vector.rows() if row.client_id in question.clients)


def _row(deps: Deps, question: Question, row: Row) -> QueryRow:
    host = None if row.host_id is None else deps.estate.host(row.host_id)
    return QueryRow(
        client=question.clients[row.client_id],
        host=host.name if host is not None and host.client_id == row.client_id else None,
        labels=row.labels,
        value=decimal(row.value),
    )


@contextlib.contextmanager
def a_turn() -> Iterator[None]:
    """One of the few evaluations at a time; who comes too many is told to come again, not kept waiting."""
    if not _turns.acquire(blocking=False):
        raise Overloaded("other queries are under way", remedy="ask again in a moment", retry_after_s=1)
    try:
        yield
    finally:
        _turns.release()
