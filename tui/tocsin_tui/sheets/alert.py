"""An alert in words: what it says, how it stands, and why nobody is told of it."""

from collections.abc import Iterable
from datetime import datetime

from tocsin_protocol.api import Alert
from tocsin_protocol.vocabulary import AlertState
from tocsin_tui.format import (
    Line,
    Span,
    Tone,
    alert_state,
    clock,
    dim,
    labels,
    line,
    number,
    one_line,
    shortened,
    strong,
)

SAID_ELSEWHERE = ("__name__", "alertname", "severity", "instance", "client", "job", "site")


def lines(alert: Alert, *, now: datetime) -> list[Line]:
    """An alert with what a technician needs to judge it; its rule stands last."""
    told = glance(alert, now=now)
    own_labels = labels(alert.labels, hidden=SAID_ELSEWHERE)
    if own_labels:
        told.append(line(dim("where  "), own_labels, hang=7))
    told += [
        line(dim(f"{word:7}"), one_line(alert.annotations[name]), hang=7)
        for name, word in (("description", "about"), ("runbook_url", "see"))
        if alert.annotations.get(name)
    ]
    return [*told, line(dim(f"rule   {alert.rule_file} › {alert.rule_group}"), hang=7)]


def glance(alert: Alert, *, now: datetime) -> list[Line]:
    """The first lines of that: which, how it stands, and what it says."""
    began = since(alert)
    told = [dim(f"  since {clock(began, now)}")] if began else []
    told += [dim(f", cleared {clock(alert.resolved_at, now)}")] if alert.resolved_at else []
    return [
        line(alert_state(alert.state), "  ", strong(alert.alertname), *told),
        *standing(alert, now=now),
        line(dim("value  "), _value(alert), hang=7),
        line(dim("when   "), one_line(alert.expression), hang=7),
    ]


def digest(alert: Alert) -> Line:
    """An alert in one line, which begins with why it does not ring."""
    quiet: list[Span] = [part for why in reasons(alert) for part in (dim("  "), (why, Tone.WARN))]
    value = (dim("  value "), _value(alert), dim("  "), one_line(alert.expression))
    return shortened(alert_state(alert.state), *(quiet or value))


def standing(alert: Alert, *, now: datetime) -> Iterable[Line]:
    """A line for each reason why nobody is told of it, and one for who knows of it."""
    for each in alert.suppressed:
        yield shortened(("withheld: ", Tone.WARN), one_line(each.words))
    if alert.acknowledged_by:
        when = f", {clock(alert.acknowledged_at, now)}" if alert.acknowledged_at else ""
        yield shortened(("acknowledged", Tone.MINE), " by ", strong(alert.acknowledged_by), dim(when))
    if alert.late:
        yield shortened(("late: ", Tone.WARN), "was over before it was heard of")


def reasons(alert: Alert) -> list[str]:
    """Why it does not ring, in words; nothing where it does."""
    told = [f"withheld: {one_line(each.words)}" for each in alert.suppressed]
    told += [f"acknowledged by {alert.acknowledged_by}"] if alert.acknowledged_by else []
    return [*told, "late: was over before it was heard of"] if alert.late else told


def since(alert: Alert) -> datetime | None:
    """When it began to fire; while it waits, when its condition came true."""
    return alert.fired_at or alert.active_at


def _value(alert: Alert) -> Span:
    return (number(alert.value), Tone.BAD if alert.state is AlertState.FIRING else Tone.PLAIN)
