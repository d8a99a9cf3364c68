"""A ticket in words: its row in the queue, its preview, its timeline, its alerts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin_protocol.lookers import Looker
from tocsin_protocol.tickets import TicketDetail, TicketEvent, TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, ActorKind, AlertState, TicketEventKind, TicketKind
from tocsin_tui.format import (
    EMPTY,
    RULE,
    Line,
    Span,
    Tone,
    clock,
    dim,
    duration,
    labels,
    line,
    number,
    owner,
    percent,
    priority,
    shortened,
    strong,
    ticket_kind,
    ticket_state,
    tie_word,
)
from tocsin_tui.sheets import alert, clocks

_HAPPENED: dict[TicketEventKind, Span] = {
    TicketEventKind.OPENED: ("opened", Tone.BAD),
    TicketEventKind.ALERT_FIRED: ("alert", Tone.BAD),
    TicketEventKind.ALERT_UNKNOWN: ("unknown", Tone.UNKNOWN),
    TicketEventKind.ALERT_RESOLVED: ("cleared", Tone.GOOD),
    TicketEventKind.PRIORITISED: ("priority", Tone.WARN),
    TicketEventKind.ACKNOWLEDGED: ("ack", Tone.MINE),
    TicketEventKind.ASSIGNED: ("assigned", Tone.PLAIN),
    TicketEventKind.TAKEN: ("taken", Tone.MINE),
    TicketEventKind.RELEASED: ("released", Tone.PLAIN),
    TicketEventKind.COMMENTED: ("note", Tone.STRONG),
    TicketEventKind.WAITING: ("waits", Tone.WARN),
    TicketEventKind.RESUMED: ("goes on", Tone.MINE),
    TicketEventKind.RECOVERED: ("confirm", Tone.WARN),
    TicketEventKind.SOLVED: ("solved", Tone.GOOD),
    TicketEventKind.REOPENED: ("reopened", Tone.BAD),
    TicketEventKind.CLOSED: ("closed", Tone.DIM),
    TicketEventKind.ATTACHED: ("attached", Tone.BAD),
    TicketEventKind.WINDOW_OPENED: ("planned", Tone.DIM),
    TicketEventKind.WINDOW_CLOSED: ("plan over", Tone.DIM),
    TicketEventKind.LINKED: ("linked", Tone.PLAIN),
    TicketEventKind.UNLINKED: ("unlinked", Tone.PLAIN),
    TicketEventKind.MERGED: ("merged", Tone.STRONG),
    TicketEventKind.UNMERGED: ("unmerged", Tone.STRONG),
    TicketEventKind.ABSORBED: ("absorbed", Tone.STRONG),
    TicketEventKind.SEPARATED: ("separate", Tone.STRONG),
    TicketEventKind.DUE_SOON: ("due soon", Tone.WARN),
    TicketEventKind.BREACHED: ("breached", Tone.BAD),
}
_SIGNS: dict[AlertState, Span] = {
    AlertState.FIRING: ("●", Tone.BAD),
    AlertState.PENDING: ("◌", Tone.WARN),
    AlertState.UNKNOWN: ("?", Tone.UNKNOWN),
    AlertState.RESOLVED: ("✓", Tone.GOOD),
    AlertState.INACTIVE: (" ", Tone.DIM),
}
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
        _subject(row, now, is_ghost=is_ghost),
        whose,
    )
    return tuple((text, Tone.DIM) for text, _ in all_cells) if is_ghost else all_cells


def _subject(row: TicketRow, now: datetime, *, is_ghost: bool) -> Span:
    if is_ghost:
        return (f"{row.state.value.replace('_', ' ')}: {row.title}", Tone.DIM)
    due, tone = clocks.pressing(row, now)
    if row.recovered:
        return (f"{due}recovered, confirm: {row.title}", tone)
    waits = f"waits for {row.waits_for}: " if row.waits_for else ""
    return (f"{due}{waits}{row.title}", tone)


def heading(row: TicketRow, *, me: str, now: datetime) -> list[Line]:
    """The first lines of a ticket: what, whose, where, since when."""
    return [
        _title(row),
        line(*_whose(row, me), dim(" · "), *_where(row, now), *_how_it_stands(row, now)),
    ]


def _title(row: TicketRow) -> Line:
    return line(priority(row.priority), strong(f" #{row.id}  {row.title}"), hang=3)


def _whose(row: TicketRow, me: str) -> Iterable[Span]:
    if row.kind is TicketKind.REQUEST:
        yield ("▪ REQUEST", Tone.STRONG)
        yield dim(" · ")
    yield ticket_state(row.state)
    yield dim(" · owner ")
    yield owner(row.owner, me)
    yield from _of_team(row)


def _where(row: TicketRow, now: datetime) -> Iterable[Span]:
    yield (" · ".join(part for part in (row.client, row.site, row.host) if part), Tone.PLAIN)
    yield dim(f" · opened {clock(row.opened_at, now)}, {duration(now - row.opened_at)} ago")


def _how_it_stands(row: TicketRow, now: datetime) -> Iterable[Span]:
    yield from clocks.in_heading(row, now)
    yield from _waits(row, now)
    yield from _closes(row, now)
    yield from _part_of(row)


def _of_team(row: TicketRow) -> Iterable[Span]:
    if row.team:
        yield dim(" · team ")
        yield (row.team, Tone.PLAIN)
    if row.supplier:
        yield dim(" · with ")
        yield (row.supplier, Tone.PLAIN)


def _waits(row: TicketRow, now: datetime) -> Iterable[Span]:
    if row.waits_for:
        until = "" if row.wakes_at is None else f" until {clock(row.wakes_at, now)}"
        yield (f" · waits for {row.waits_for}{until}, w goes on", Tone.WARN)
    if row.recovered and row.state in OPEN_TICKET_STATES:
        yield (" · ✓ recovered, confirm with d", Tone.WARN)


def _closes(row: TicketRow, now: datetime) -> Iterable[Span]:
    if row.closes_at is not None:
        yield dim(f" · closes itself {clock(row.closes_at, now)}")


def people(others: Sequence[Looker], watchers: Sequence[str], *, me: str) -> list[Line]:
    """Who else is at it and who watches it, in a line; nothing where nobody does either."""
    parts: list[Span] = []
    for each in others:
        said = f"{each.login} is writing a {each.writing}" if each.writing else f"{each.login} is looking"
        parts.append((said, Tone.WARN if each.writing else Tone.FRESH))
    if watchers:
        known = [*(["you"] if me in watchers else []), *(login for login in watchers if login != me)]
        parts.append(dim(f"watched by {', '.join(known)}"))
    spans = [span for part in parts for span in (dim(" · "), part)][1:]
    return [line(*spans)] if spans else []


def _part_of(row: TicketRow) -> Iterable[Span]:
    if row.merged_into is not None:
        yield (f" · merged into #{row.merged_into}", Tone.WARN)
    if row.parent is not None:
        yield dim(f" · below #{row.parent}")


def preview(
    row: TicketRow, detail: TicketDetail | None, chart: Sequence[Line], *, me: str, now: datetime
) -> list[Line]:
    """The ticket under the cursor, beside the queue; its chart comes drawn."""
    lines = [*heading(row, me=me, now=now), RULE]
    if detail is None:
        return [*lines, line(dim("…"))]
    for first in detail.alerts[:1]:
        lines += [*alert.lines(first, now=now)[:-1], *chart, RULE]
    return [*lines, *timeline(detail.events[-3:], now=now)]


def digest(row: TicketRow, detail: TicketDetail | None, *, me: str, now: datetime) -> list[Line]:
    """The same in three lines, below the queue of a small terminal: what its row says as well is cut first."""
    stands = [*_how_it_stands(row, now), dim(" · "), *_where(row, now)]
    head = [shortened(*_title(row).spans), shortened(*_whose(row, me), *stands)]
    if detail is None:
        return [*head, line(dim("…"))]
    if detail.alerts:
        return [*head, alert.digest(detail.alerts[0])]
    return [*head, *timeline(detail.events, now=now)[-1:]]


def timeline(events: Iterable[TicketEvent], *, now: datetime) -> list[Line]:
    """What has happened to a ticket, the oldest first."""
    return [part for event in events for part in _told(event, now)]


def _told(event: TicketEvent, now: datetime) -> list[Line]:
    kind, tone = _happened(event)
    when = clock(event.at, now)
    first, *rest = event.text.split("\n") if event.text else [_in_words(event)]
    actor = event.actor if event.actor_kind is not ActorKind.SYSTEM else "tocsin"
    if event.of is not None:
        actor = f"{actor} on #{event.of}"
    hang = len(when) + 10
    lines = [line(dim(f"{when} "), (f"{kind:8} ", tone), (f"{actor}  ", _tone_of(event)), first, hang=hang)]
    lines += [line(" " * hang + more, hang=hang) for more in rest]
    return [*lines, *(line(" " * hang, dim(evidence), hang=hang) for evidence in _evidence(event))]


def _happened(event: TicketEvent) -> Span:
    """What it is in one word. Where somebody at a host has opened the ticket nothing has gone off: they ask."""
    if event.actor_kind is ActorKind.HOST and event.kind is TicketEventKind.OPENED:
        return ("asked", Tone.STRONG)
    return ("reply", Tone.STRONG) if event.public else _HAPPENED[event.kind]


def _tone_of(event: TicketEvent) -> Tone:
    return Tone.STRONG if event.actor_kind in {ActorKind.PERSON, ActorKind.HOST} else Tone.DIM


_SILENT = frozenset(
    {TicketEventKind.ASSIGNED, TicketEventKind.TAKEN, TicketEventKind.RELEASED, TicketEventKind.RESUMED}
)
"""Of these, the word before them says all."""


_OVER = frozenset({TicketEventKind.ALERT_RESOLVED, TicketEventKind.ALERT_UNKNOWN})
"""The value of these is the last with which the alert has fired: there is none now."""


def _in_words(event: TicketEvent) -> str:
    data = event.data
    match event.kind:
        case kind if kind in _SILENT:
            return ""
        case TicketEventKind.WAITING:
            return f"for {data.get('for', '')}"
        case TicketEventKind.LINKED | TicketEventKind.UNLINKED:
            return f"{tie_word(data.get('tie'))} #{data.get('ticket')}"
        case TicketEventKind.MERGED | TicketEventKind.UNMERGED:
            return f"into #{data['into']}" if "into" in data else f"from #{data.get('from')}"
        case TicketEventKind.ABSORBED | TicketEventKind.SEPARATED:
            return f"#{data.get('ticket')}"
        case TicketEventKind.WINDOW_OPENED | TicketEventKind.WINDOW_CLOSED:
            return f"maintenance {data.get('window')}"
        case TicketEventKind.ACKNOWLEDGED:
            return "its alerts are known and ring no more until they have cleared"
        case _:
            return event.kind.value.replace("_", " ")


def _evidence(event: TicketEvent) -> Iterable[str]:
    """What the event proves itself with: why nobody was told, the value, the labels, what was decided."""
    withheld = event.data.get("withheld")
    if isinstance(withheld, list):
        yield from (f"withheld: {words}" for words in withheld)
    value = event.data.get("value")
    if isinstance(value, int | float):
        yield f"{'value was' if event.kind in _OVER else 'value'} {number(value)}"
    own = event.data.get("labels")
    if isinstance(own, dict) and (shown := labels(own, hidden=alert.SAID_ELSEWHERE)):
        yield shown
    if shown := " · ".join(_host_was(event.data)):
        yield f"the host: {shown}"
    yield from _decided(event.data)


def _decided(data: Mapping[str, object]) -> Iterable[str]:
    """What decision tables or people have said, and which rows."""
    priority, reason, team, rows = (data.get(name) for name in ("priority", "reason", "team", "decided"))
    said = [f"priority {priority}: {reason}" if reason else f"priority {priority}"] if priority else []
    said += [f"team {team}"] if team else []
    said += [f"to {data[name]}" for name in ("owner", "supplier") if data.get(name)]
    if said:
        yield " · ".join(said)
    if nobody := data.get("nobody"):
        yield str(nobody)
    if isinstance(rows, list):
        yield f"decided: {', '.join(map(_row, rows))}"
    service = data.get("service")
    if isinstance(service, dict) and isinstance(row := service.get("row"), str):
        clocked = f"clocked as {service['item']}" if "item" in service else "not clocked"
        yield f"{clocked}: {_row(row)}"


def _row(quoted: str) -> str:
    """`priority@26b79f40c403 row high-high` in few letters: the digest is for who asks the API."""
    table, _, rest = quoted.partition("@")
    return f"{table} {rest.partition(' row ')[2]}"


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


def belonging(detail: TicketDetail) -> list[Line]:
    """The tickets that have to do with it, a line each."""
    return [
        line(
            dim(f"{tie_word(each.tie)} "), strong(f"#{each.ticket} "), each.title, dim(f" · {each.state.value}")
        )
        for each in detail.ties
    ]


def cut_off(detail: TicketDetail) -> list[Line]:
    """How much cannot be reached past its host."""
    said = f"{detail.cut_off} alerts of hosts that cannot be reached past {detail.ticket.host}"
    return [line((said, Tone.WARN))] if detail.cut_off else []


def more_alerts(detail: TicketDetail) -> list[Line]:
    """That there are more alerts than are shown."""
    said = f"the worst of its alerts; {detail.more_alerts} more"
    return [line((said, Tone.WARN))] if detail.more_alerts else []


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
        line(dim("[ ] other view · 2 hosts · 3 alerts")),
    ]
