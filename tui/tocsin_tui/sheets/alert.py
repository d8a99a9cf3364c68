"""An alert in words: its row in the list, what it says, how it stands, and why nobody is told of it."""

from collections.abc import Collection, Iterable
from datetime import datetime

from tocsin_protocol.alerts import Alert
from tocsin_protocol.vocabulary import AlertState
from tocsin_tui.format import (
    EMPTY,
    RULE,
    Line,
    Span,
    Tone,
    alert_state,
    clock,
    dim,
    duration,
    labels,
    line,
    number,
    one_line,
    severity,
    shortened,
    strong,
)
from tocsin_tui.state import is_quiet

SAID_ELSEWHERE = ("__name__", "alertname", "severity", "instance", "client", "job", "site")


def cells(alert: Alert, *, now: datetime, is_ghost: bool) -> tuple[Span, ...]:
    """The row's cells: state, severity, client, host, name, age, and its ticket or why there is none."""
    began = since(alert)
    state, severe = alert_state(alert.state), severity(alert.severity)
    all_cells = (
        dim("× gone") if is_ghost else dim(state[0]) if is_quiet(alert) else state,
        dim(severe[0]) if is_quiet(alert) else severe,
        (alert.client, Tone.PLAIN),
        (alert.host or "–", Tone.STRONG if alert.host else Tone.DIM),
        (alert.alertname, Tone.PLAIN),
        dim(duration(now - began) if began else "–"),
        outcome(alert),
    )
    return tuple(dim(text) for text, _ in all_cells) if is_ghost else all_cells


def outcome(alert: Alert) -> Span:
    """What has come of it: its ticket, and why nobody is told of it."""
    told = [f"#{alert.ticket_id}"] if alert.ticket_id is not None else []
    told += reasons(alert)
    if told:
        return (" · ".join(told), Tone.WARN if is_quiet(alert) else Tone.PLAIN)
    return dim("none yet" if alert.state is AlertState.PENDING else "none")


def below(alert: Alert, *, now: datetime, room: int) -> list[Line]:
    """The alert under the cursor in so many lines, none longer than the screen."""
    began = since(alert)
    first = shortened(
        alert_state(alert.state),
        strong(f"  {alert.alertname}"),
        f"  {alert.client} · {alert.host}" if alert.host else f"  {alert.client}",
        dim(f"  since {clock(began, now)}" if began else ""),
        f"  #{alert.ticket_id}" if alert.ticket_id is not None else dim("  no ticket"),
    )
    word = dim(f"{_value_word(alert)}  ")
    value = shortened(word, _value(alert), dim("  when  "), one_line(alert.expression))
    rest = (shortened(*each.spans) for each in _own(alert))
    return [RULE, first, *_at_most(room - 2, [*standing(alert, now=now)]), value, *rest][:room]


def _at_most(count: int, told: list[Line]) -> list[Line]:
    """So many of the lines; the last of them says how many are left out."""
    left = len(told) - count + 1
    return told if left < 2 else [*told[: max(0, count - 1)], line(dim(f"and {left} more"))]


def foot(shown: int, alerts: Collection[Alert], *, is_cut: bool) -> list[Span]:
    """How many there are, and of how many nobody is told; a page that is full may not be all."""
    total = len(alerts)
    count = f"the {total} worst" if is_cut else "1 alert" if total == 1 else f"{total} alerts"
    count = count if shown == total else f"{shown} of {count}"
    withheld = sum(bool(alert.suppressed) for alert in alerts)
    known = sum(alert.acknowledged_by is not None for alert in alerts)
    return [
        dim(f" {count}"),
        (", there may be more" if is_cut else "", Tone.WARN),
        dim(f" · {withheld} withheld" if withheld else ""),
        dim(f" · {known} acknowledged" if known else ""),
    ]


def nothing_here(filter_text: str, total: int) -> list[Line]:
    """What stands where the list is empty."""
    if filter_text:
        return [line(dim(f"0 of {total} match "), strong(f'"{filter_text}"'), dim("  ·  \\ clears the filter"))]
    return [
        line(("No alert is active. Nothing fires, and nothing is withheld.", Tone.GOOD)),
        EMPTY,
        line(dim("1 queue · 2 hosts")),
    ]


def lines(alert: Alert, *, now: datetime) -> list[Line]:
    """An alert with what a technician needs to judge it; its rule stands last."""
    return [*glance(alert, now=now), *_own(alert)]


def glance(alert: Alert, *, now: datetime) -> list[Line]:
    """The first lines of that: which, how it stands, and what it says."""
    began = since(alert)
    told = [dim(f"  since {clock(began, now)}")] if began else []
    told += [dim(f", cleared {clock(alert.resolved_at, now)}")] if alert.resolved_at else []
    return [
        line(alert_state(alert.state), "  ", strong(alert.alertname), *told),
        *standing(alert, now=now),
        line(dim(f"{_value_word(alert):7}"), _value(alert), hang=7),
        line(dim("when   "), one_line(alert.expression), hang=7),
    ]


def digest(alert: Alert) -> Line:
    """An alert in one line, which begins with why it does not ring."""
    quiet: list[Span] = [part for why in reasons(alert) for part in (dim("  "), (why, Tone.WARN))]
    value = (dim(f"  {_value_word(alert)} "), _value(alert), dim("  "), one_line(alert.expression))
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


def _own(alert: Alert) -> Iterable[Line]:
    """Its labels, what its rule says of it, and which rule that is."""
    own_labels = labels(alert.labels, hidden=SAID_ELSEWHERE)
    if own_labels:
        yield line(dim("where  "), own_labels, hang=7)
    for name, word in (("description", "about"), ("runbook_url", "see")):
        if alert.annotations.get(name):
            yield line(dim(f"{word:7}"), one_line(alert.annotations[name]), hang=7)
    yield line(dim(f"rule   {alert.rule_file} › {alert.rule_group}"), hang=7)


def since(alert: Alert) -> datetime | None:
    """When it began to fire; while it waits, when its condition came true."""
    return alert.fired_at or alert.active_at


def _value_word(alert: Alert) -> str:
    """A condition that is false has no value: what is kept is the last with which it was true."""
    return "was" if alert.resolved_at else "value"


def _value(alert: Alert) -> Span:
    return (number(alert.value), Tone.BAD if alert.state is AlertState.FIRING else Tone.PLAIN)
