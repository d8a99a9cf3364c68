"""A ticket in words: its row in the queue, its preview, its timeline, its alerts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin_protocol.api import Alert, TicketDetail, TicketEvent, TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, ActorKind, AlertState, TicketEventKind, TicketKind
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
    owner,
    percent,
    priority,
    strong,
    ticket_kind,
    ticket_state,
)

_HAPPENED: dict[TicketEventKind, Span] = {
    TicketEventKind.OPENED: ("opened", Tone.BAD),
    TicketEventKind.ALERT_FIRED: ("alert", Tone.BAD),
    TicketEventKind.ALERT_UNKNOWN: ("unknown", Tone.UNKNOWN),
    TicketEventKind.ALERT_RESOLVED: ("cleared", Tone.GOOD),
    TicketEventKind.TAKEN: ("taken", Tone.MINE),
    TicketEventKind.RELEASED: ("released", Tone.PLAIN),
    TicketEventKind.COMMENTED: ("note", Tone.STRONG),
    TicketEventKind.RECOVERED: ("confirm", Tone.WARN),
    TicketEventKind.SOLVED: ("solved", Tone.GOOD),
    TicketEventKind.REOPENED: ("reopened", Tone.BAD),
    TicketEventKind.CLOSED: ("closed", Tone.DIM),
}
_SIGNS: dict[AlertState, Span] = {
    AlertState.FIRING: ("●", Tone.BAD),
    AlertState.PENDING: ("◌", Tone.WARN),
    AlertState.UNKNOWN: ("?", Tone.UNKNOWN),
    AlertState.RESOLVED: ("✓", Tone.GOOD),
    AlertState.INACTIVE: (" ", Tone.DIM),
}
_SAID_ELSEWHERE = ("__name__", "alertname", "severity", "instance", "client", "job", "site")
_LONGEST_S = 1e10
"""What is longer is no time that a host was up."""


def sign(row: TicketRow) -> Span:
    """One glyph for what its alerts do now; a request has a glyph of its own."""
    if row.recovered:
        return ("✓", Tone.WARN)
    return ticket_kind(row.kind) if row.alert_state is None else _SIGNS[row.alert_state]


def cells(row: TicketRow, *, me: str, now: datetime, is_ghost: bool) -> tuple[Span, ...]:
    """The row's cells: priority, sign, id, age, client, host, subject, owner."""
    whose = owner(row.owner, me)
    age = duration(now - row.opened_at)
    all_cells = (
        priority(row.priority),
        sign(row),
        (str(row.id), Tone.PLAIN),
        (age, Tone.FRESH if age == "<1m" else Tone.DIM),
        (row.client, Tone.PLAIN),
        (row.host or "–", Tone.STRONG if row.host else Tone.DIM),
        (_subject(row, is_ghost=is_ghost), Tone.PLAIN),
        whose,
    )
    return tuple((text, Tone.DIM) for text, _ in all_cells) if is_ghost else all_cells


def _subject(row: TicketRow, *, is_ghost: bool) -> str:
    if is_ghost:
        return f"{row.state.value.replace('_', ' ')}: {row.title}"
    return f"recovered, confirm: {row.title}" if row.recovered else row.title


def heading(row: TicketRow, *, me: str, now: datetime) -> list[Line]:
    """The first lines of a ticket: what, whose, where, since when."""
    state, state_tone = ticket_state(row.state)
    whose, whose_tone = owner(row.owner, me)
    place = " · ".join(part for part in (row.client, row.site, row.host) if part)
    return [
        line(priority(row.priority), strong(f" #{row.id}  {row.title}"), hang=3),
        line(
            *_asked(row),
            (state, state_tone),
            dim(" · owner "),
            (whose, whose_tone),
            dim(" · "),
            place,
            dim(f" · opened {clock(row.opened_at, now)}, {duration(now - row.opened_at)} ago"),
            *_waits(row),
        ),
    ]


def _asked(row: TicketRow) -> Iterable[Span]:
    if row.kind is TicketKind.REQUEST:
        yield ("▪ REQUEST", Tone.STRONG)
        yield dim(" · ")


def _waits(row: TicketRow) -> Iterable[Span]:
    if row.recovered and row.state in OPEN_TICKET_STATES:
        yield (" · ✓ recovered, confirm with d", Tone.WARN)


def preview(
    row: TicketRow, detail: TicketDetail | None, chart: Sequence[Line], *, me: str, now: datetime
) -> list[Line]:
    """The ticket under the cursor, beside the queue; its chart comes drawn."""
    lines = [*heading(row, me=me, now=now), RULE]
    if detail is None:
        return [*lines, line(dim("…"))]
    for alert in detail.alerts[:1]:
        lines += [*alert_lines(alert, now=now)[:-1], *chart, RULE]
    return [*lines, *timeline(detail.events[-3:], now=now)]


def digest(row: TicketRow, detail: TicketDetail | None, *, me: str, now: datetime) -> list[Line]:
    """The same in three lines, below the queue of a small terminal."""
    where, whose = heading(row, me=me, now=now)
    if detail is None:
        return [where, whose, line(dim("…"))]
    if detail.alerts:
        alert = detail.alerts[0]
        return [
            where,
            whose,
            line(_state_of(alert), dim("  value "), _value(alert), dim("  "), one_line(alert.expression)),
        ]
    return [where, whose, *timeline(detail.events, now=now)[-1:]]


def alert_lines(alert: Alert, *, now: datetime) -> list[Line]:
    """An alert with what a technician needs to judge it."""
    since = alert.fired_at or alert.active_at
    told = [dim(f"  since {clock(since, now)}")] if since else []
    told += [dim(f", cleared {clock(alert.resolved_at, now)}")] if alert.resolved_at else []
    lines = [
        line(_state_of(alert), "  ", strong(alert.alertname), *told),
        line(dim("value  "), _value(alert), hang=7),
        line(dim("when   "), one_line(alert.expression), hang=7),
    ]
    own_labels = labels(alert.labels, hidden=_SAID_ELSEWHERE)
    if own_labels:
        lines.append(line(dim("where  "), own_labels, hang=7))
    lines += [
        line(dim(f"{word:7}"), one_line(alert.annotations[name]), hang=7)
        for name, word in (("description", "about"), ("runbook_url", "see"))
        if alert.annotations.get(name)
    ]
    return [*lines, line(dim(f"rule   {alert.rule_file} › {alert.rule_group}"), hang=7)]


def _state_of(alert: Alert) -> Span:
    return alert_state(alert.state)


def _value(alert: Alert) -> Span:
    return (number(alert.value), Tone.BAD if alert.state is AlertState.FIRING else Tone.PLAIN)


def timeline(events: Iterable[TicketEvent], *, now: datetime) -> list[Line]:
    """What has happened to a ticket, the oldest first."""
    return [part for event in events for part in _told(event, now)]


def _told(event: TicketEvent, now: datetime) -> list[Line]:
    kind, tone = ("asked", Tone.STRONG) if _is_question(event) else _HAPPENED[event.kind]
    when = clock(event.at, now)
    first, *rest = event.text.split("\n") if event.text else [_in_words(event)]
    actor = event.actor if event.actor_kind is not ActorKind.SYSTEM else "tocsin"
    hang = len(when) + 10
    lines = [line(dim(f"{when} "), (f"{kind:8} ", tone), (f"{actor}  ", _tone_of(event)), first, hang=hang)]
    lines += [line(" " * hang + more, hang=hang) for more in rest]
    return [*lines, *(line(" " * hang, dim(evidence), hang=hang) for evidence in _evidence(event))]


def _is_question(event: TicketEvent) -> bool:
    """Whether somebody at a host has opened the ticket: nothing has gone off, somebody asks."""
    return event.actor_kind is ActorKind.HOST and event.kind is TicketEventKind.OPENED


def _tone_of(event: TicketEvent) -> Tone:
    return Tone.STRONG if event.actor_kind in {ActorKind.PERSON, ActorKind.HOST} else Tone.DIM


def _in_words(event: TicketEvent) -> str:
    return (
        ""
        if event.kind in {TicketEventKind.TAKEN, TicketEventKind.RELEASED}
        else event.kind.value.replace("_", " ")
    )


def _evidence(event: TicketEvent) -> Iterable[str]:
    """What the event proves itself with: the value and the labels, in that order."""
    value = event.data.get("value")
    if isinstance(value, int | float):
        yield f"value {number(value)}"
    own = event.data.get("labels")
    if isinstance(own, dict) and (shown := labels(own, hidden=_SAID_ELSEWHERE)):
        yield shown
    if shown := " · ".join(_host_was(event.data)):
        yield f"the host: {shown}"


def _host_was(data: Mapping[str, object]) -> Iterable[str]:
    """How a host was when somebody asked from there."""
    for name, word in (("cpu_ratio", "cpu"), ("memory_ratio", "memory"), ("filesystem_ratio", "disk")):
        ratio = data.get(name)
        if isinstance(ratio, int | float):
            yield f"{word} {percent(ratio)}"
    load, up_s = data.get("load1"), data.get("uptime_s")
    if isinstance(load, int | float):
        yield f"load {number(load)}"
    if isinstance(up_s, int | float) and abs(up_s) < _LONGEST_S:
        yield f"up {duration(timedelta(seconds=up_s))}"


def nothing_here(view: str, filter_text: str, total: int) -> list[Line]:
    """What stands where a list is empty: never just nothing."""
    if filter_text:
        return [line(dim(f"0 of {total} match "), strong(f'"{filter_text}"'), dim("  ·  \\ clears the filter"))]
    said = {
        "open": "No open tickets. Nothing rings.",
        "mine": "No open ticket is yours.",
        "unowned": "No open ticket is without an owner.",
        "solved": "No ticket has been solved yet.",
    }
    return [
        line((said[view], Tone.GOOD if view == "open" else Tone.PLAIN)),
        EMPTY,
        line(dim("[ ] other view · 2 hosts · t new ticket")),
    ]
