"""The life of one alert: what it becomes, given what was and what is seen now.

    inactive ──true──▶ pending ──true for `for`──▶ firing ──false──▶ resolved
                          │                         │  ▲
                        miss                  unknown  true
                          ▼                         ▼  │
                      inactive                     unknown ──false──▶ resolved

Prometheus's rules, and one of ours: a condition that can no longer be judged is not false. Only a condition
that has been seen false, and stays so for `keep_firing_for`, resolves.
"""

from dataclasses import dataclass, replace

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.rules import OnNoData
from tocsin_server.promql import Verdict

ACTIVE = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.UNKNOWN})
"""States in which an alert is watched from round to round."""
ALARMING = frozenset({AlertState.FIRING, AlertState.UNKNOWN})
"""States that hold a ticket open."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule says about time."""

    for_ms: int = 0
    keep_firing_for_ms: int = 0
    on_no_data: OnNoData = OnNoData.KEEP


@dataclass(frozen=True, slots=True)
class Life:
    """Where an alert stands; moments are those of evaluations."""

    state: AlertState = AlertState.INACTIVE
    active_ms: int | None = None
    """Since when the condition is true."""
    fired_ms: int | None = None
    keep_firing_since_ms: int | None = None
    """Since when it is seen false, while `keep_firing_for` holds it."""
    resolved_ms: int | None = None


UNBORN = Life()


def advance(life: Life, seen: Verdict, terms: Terms, now_ms: int) -> Life:
    """The life after an evaluation at `now_ms` that has seen this."""
    if seen is Verdict.TRUE:
        return _held(life, terms, now_ms)
    if life.state is AlertState.PENDING:
        return UNBORN
    if life.state not in ALARMING:
        return life
    if seen is Verdict.UNKNOWN and terms.on_no_data is OnNoData.KEEP:
        return _alarming(life, AlertState.UNKNOWN)
    if seen is Verdict.UNKNOWN and terms.on_no_data is OnNoData.FIRE:
        return _alarming(life, AlertState.FIRING)
    return _cleared(life, terms, now_ms)


def _held(life: Life, terms: Terms, now_ms: int) -> Life:
    """The condition is true."""
    if life.state in ALARMING:
        return _alarming(life, AlertState.FIRING)
    since_ms = life.active_ms if life.state is AlertState.PENDING and life.active_ms is not None else now_ms
    if now_ms - since_ms < terms.for_ms:
        return Life(AlertState.PENDING, active_ms=since_ms)
    return Life(AlertState.FIRING, active_ms=since_ms, fired_ms=now_ms)


def _alarming(life: Life, state: AlertState) -> Life:
    """It goes on, or goes on as something else; most alerts are in most rounds what they were."""
    if life.state is state and life.keep_firing_since_ms is None:
        return life
    return replace(life, state=state, keep_firing_since_ms=None)


def _cleared(life: Life, terms: Terms, now_ms: int) -> Life:
    """The condition is false."""
    since_ms = now_ms if life.keep_firing_since_ms is None else life.keep_firing_since_ms
    if now_ms - since_ms < terms.keep_firing_for_ms:
        return replace(life, state=AlertState.FIRING, keep_firing_since_ms=since_ms)
    return replace(life, state=AlertState.RESOLVED, keep_firing_since_ms=None, resolved_ms=now_ms)
