"""`…/chart`: one line over the last minutes, with what it is judged by.

An alert's line is the left side of its comparison, evaluated for the alert's own labels, so that one sees the
value come near the threshold; the samples are those that the host has pushed.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from litestar import get
from sqlmodel import Session

from tocsin_protocol.query import Chart
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.alerts.store import AlertRow
from tocsin_server.clock import moment
from tocsin_server.errors import NotFound
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.looks import looks
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import Id, Minutes, VitalName
from tocsin_server.http.scoped import asked_soon
from tocsin_server.http.sessions import SignedIn, scope_of
from tocsin_server.http.vitals import VITALS
from tocsin_server.promql import Comparison, Expression, Line, comparison, evaluate_range, parse
from tocsin_server.series.arrays import Floats, stale
from tocsin_server.series.fixed import FixedSource
from tocsin_server.series.labels import NAME
from tocsin_server.series.source import LOOKBACK_MS

MAX_POINTS = 240
MINUTE_MS = 60_000
DEFAULT_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Steps:
    """The moments that are drawn."""

    start_ms: int
    step_ms: int
    count: int

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.step_ms * (self.count - 1)


def steps_until(now_ms: int, minutes: int, interval_ms: int) -> Steps:
    """At most `MAX_POINTS` moments, no closer than samples come, the last of them this second."""
    span_ms = minutes * MINUTE_MS
    step_ms = max(interval_ms, -(-span_ms // MAX_POINTS // 1000) * 1000)
    count = min(MAX_POINTS, span_ms // step_ms + 1)
    end_ms = now_ms - now_ms % 1000
    return Steps(end_ms - step_ms * (count - 1), step_ms, count)


@get("/alerts/{alert_id:int}/chart", opt=needs(Permission.READ))
async def alert_chart(
    deps: Wired, request: SignedIn, alert_id: Id, minutes: Minutes = DEFAULT_MINUTES
) -> Chart:
    """The metric of an alert, from before the breach until now."""
    alert = await asked_soon(deps.storage, scope_of(request), partial(_alert, alert_id=alert_id))
    return await asyncio.to_thread(_alert_chart, deps, alert, minutes)


@get("/hosts/{host_id:int}/chart", opt=needs(Permission.READ))
async def host_chart(
    deps: Wired, request: SignedIn, host_id: Id, vital: VitalName, minutes: Minutes = DEFAULT_MINUTES
) -> Chart:
    """One vital of a host."""
    host = deps.estate.host(host_id)
    if host is None or not scope_of(request).sees(host.client_id):
        raise NotFound(f"there is no host {host_id} in service")
    return await asyncio.to_thread(_host_chart, deps, host, vital, minutes)


def _alert(session: Session, scope: Scope, *, alert_id: int) -> AlertRow:
    alert = session.get(AlertRow, alert_id)
    if alert is None or not scope.sees(alert.client_id):
        raise NotFound(f"there is no alert {alert_id}")
    return alert


def _alert_chart(deps: Deps, alert: AlertRow, minutes: int) -> Chart:
    compared = comparison(parse(alert.expression))
    drawn = compared.left if compared is not None else parse(alert.expression)
    host = deps.estate.host(alert.host_id) if alert.host_id is not None else None
    steps = steps_until(deps.clock.now_ms(), minutes, deps.settings.interval_s * 1000)
    lines = _lines(deps, host, drawn, steps) if host is not None else []
    mine = [line.values for line in lines if is_part_of(line.labels, alert.row_labels)]
    return _chart(drawn.text, unit_of(drawn.text), steps, mine[:1], compared, _marks(alert))


def _host_chart(deps: Deps, host: HostFacts, name: str, minutes: int) -> Chart:
    vital = next(vital for vital in VITALS if vital.name == name)
    steps = steps_until(deps.clock.now_ms(), minutes, deps.settings.interval_s * 1000)
    lines = _lines(deps, host, vital.expression, steps)
    return _chart(vital.name, vital.unit, steps, [line.values for line in lines], None, {})


def _lines(deps: Deps, host: HostFacts, expression: Expression, steps: Steps) -> Sequence[Line]:
    windows = expression.windows()
    since_ms = steps.start_ms - max(windows.values(), default=0) - LOOKBACK_MS
    series = deps.sent.series(
        host,
        windows.keys(),
        [(since_ms, steps.end_ms)],
        step_ms=steps.step_ms,
        window_ms=shortest_range_ms(expression),
    )
    source = FixedSource.from_series(series, clients=[host.client_id])
    return evaluate_range(
        expression, source, start_ms=steps.start_ms, end_ms=steps.end_ms, step_ms=steps.step_ms
    )


def shortest_range_ms(expression: Expression) -> int:
    """The shortest range that it looks at; 0 where it looks at newest samples only."""
    return min((look.range_ms for look in looks(expression) if look.range_ms), default=0)


def is_part_of(labels: Mapping[str, str], whole: Mapping[str, str]) -> bool:
    """Whether the labels of an alert's row hold all of a line's; the metric's name is none of them."""
    return all(whole.get(name) == value for name, value in labels.items() if name != NAME)


def unit_of(expression: str) -> str:
    """What an expression is measured in, as far as its words tell."""
    if "/" in expression:
        return "%" if "* 100" in expression or "100 *" in expression else "ratio"
    per_second = "/s" if "rate(" in expression else ""
    if "_bytes" in expression:
        return f"bytes{per_second}"
    if "_seconds" in expression:
        return "ratio" if per_second else "s"
    return per_second


def _chart(
    title: str,
    unit: str,
    steps: Steps,
    lines: Sequence[Floats],
    compared: Comparison | None,
    marks: Mapping[str, int],
) -> Chart:
    return Chart(
        title=title,
        unit=unit,
        start=moment(steps.start_ms),
        step_s=steps.step_ms / 1000,
        values=[value if math.isfinite(value) else None for value in highest(lines, steps.count).tolist()],
        threshold=compared.threshold if compared is not None else None,
        operator=compared.operator if compared is not None else None,
        marks={name: moment(at_ms) for name, at_ms in marks.items()},
    )


def highest(lines: Sequence[Floats], count: int) -> Floats:
    """The highest of the lines at each moment: of several filesystems the fullest."""
    if not lines:
        return stale(count)
    together: Floats = np.fmax.reduce(np.stack(lines))
    return together


def _marks(alert: AlertRow) -> dict[str, int]:
    marks = {"active": alert.active_ms, "fired": alert.fired_ms, "resolved": alert.resolved_ms}
    return {name: at_ms for name, at_ms in marks.items() if at_ms is not None}


ROUTES = (alert_chart, host_chart)
