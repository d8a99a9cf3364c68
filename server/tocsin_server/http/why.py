"""`…/why`: why an alert stands as it does, or each alert of a ticket.

    written    its changes, what withheld each, which ticket heard of it
    kept       the samples that its rule looks at, and what the rule said of them since before it began

Several alerts share what one query may cost.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from litestar import get

from tocsin_protocol.alerts import AlertPage
from tocsin_protocol.why import JudgedRule, TicketWhy, Why
from tocsin_server.access.permissions import Permission
from tocsin_server.alerts.lint import recorded_names
from tocsin_server.alerts.rules import AlertingRule, Group, RuleSet
from tocsin_server.clock import moment
from tocsin_server.desk.alarms import alert_page
from tocsin_server.desk.why import Case, alert_case, ticket_cases
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.findings import Findings, Question, Share, findings
from tocsin_server.http.permitted import needs
from tocsin_server.http.query import a_turn
from tocsin_server.http.questions import Id
from tocsin_server.http.scoped import asked_soon
from tocsin_server.http.sessions import SignedIn, scope_of
from tocsin_server.promql import BadExpression, parse

BEFORE_MS = 300_000
"""What is looked at before the condition became true."""

_Found = tuple[Group, AlertingRule]


@get("/why", opt=needs(Permission.INSPECT))
async def active_alerts(deps: Wired, request: SignedIn) -> AlertPage:
    """The alerts that may be asked about: the worst that are active."""
    ask = partial(alert_page, live_value=deps.judge.live_value)
    return await asked_soon(deps.storage, scope_of(request), ask)


@get("/alerts/{alert_id:int}/why", opt=needs(Permission.INSPECT))
async def alert_why(deps: Wired, request: SignedIn, alert_id: Id) -> Why:
    """Why one alert stands as it does."""
    ask = partial(alert_case, alert_id=alert_id, live_value=deps.judge.live_value)
    case = await asked_soon(deps.storage, scope_of(request), ask)
    with a_turn():
        return await asyncio.to_thread(_why, deps, case, Share.of(1))


@get("/tickets/{ticket_id:int}/why", opt=needs(Permission.INSPECT))
async def ticket_why(deps: Wired, request: SignedIn, ticket_id: Id) -> TicketWhy:
    """Why of each of a ticket's alerts, the worst first."""
    ask = partial(ticket_cases, ticket_id=ticket_id, live_value=deps.judge.live_value)
    row, cases, left_out = await asked_soon(deps.storage, scope_of(request), ask)
    with a_turn():
        whys = await asyncio.to_thread(_whys, deps, cases)
    return TicketWhy(ticket=row, whys=whys, left_out=left_out)


def _whys(deps: Deps, cases: Sequence[Case]) -> list[Why]:
    share = Share.of(len(cases))
    return [_why(deps, case, share) for case in cases]


def _why(deps: Deps, case: Case, share: Share) -> Why:
    now_ms = deps.clock.now_ms()
    rules = deps.rules_in_force()
    found = _in_force(rules, case.rule_key)
    start_ms = case.from_ms - BEFORE_MS
    end_ms = max(start_ms, now_ms if case.to_ms is None else min(case.to_ms, now_ms))
    seen = _findings(deps, case, rules, (start_ms, end_ms, now_ms), share)
    return Why(
        alert=case.alert,
        rule=_judged(case, found),
        steps=list(case.steps),
        steps_left_out=case.left_out,
        start=moment(start_ms),
        end=moment(end_ms),
        condition=list(seen.condition),
        selectors=list(seen.selectors),
        missing=list(seen.missing),
    )


def _findings(deps: Deps, case: Case, rules: RuleSet, times: tuple[int, int, int], share: Share) -> Findings:
    found = _in_force(rules, case.rule_key)
    try:
        expression = parse(case.alert.expression)
    except BadExpression as error:
        return Findings(missing=[f"samples: the expression is not understood any more ({error.message})"])
    offset_ms = 0 if found is None else found[0].query_offset_ms
    return findings(deps, Question(case, expression, *times, offset_ms, recorded_names(rules)), share)


def _in_force(rules: RuleSet, key: str) -> _Found | None:
    """The rule that an alert's key names, with its group."""
    for group in rules.groups:
        for rule in group.rules:
            if rule.key == key and isinstance(rule, AlertingRule):
                return group, rule
    return None


def _judged(case: Case, found: _Found | None) -> JudgedRule:
    alert = case.alert
    file, name, expression = alert.rule_file, alert.rule_group, alert.expression
    if found is None:
        return JudgedRule(file=file, group=name, expression=expression, in_force=False)
    group, rule = found
    return JudgedRule(
        file=file,
        group=name,
        expression=expression,
        in_force=True,
        now_asks=None if rule.expression.text == expression else rule.expression.text,
        line=rule.line,
        for_s=rule.for_ms / 1000,
        keep_firing_for_s=rule.keep_firing_for_ms / 1000,
        interval_s=None if group.interval_ms is None else group.interval_ms / 1000,
    )


ROUTES = (active_alerts, alert_why, ticket_why)
