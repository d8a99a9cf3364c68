"""Values as the words, glyphs and tones of the screen: pure, and without a screen.

A *span* is a piece of text with a tone; a *line* is a row of spans. A tone is what a text means, not how it
looks: `widgets.paint` knows the colours. Nothing is said by tone alone: each has its glyph or its word as
well.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tocsin_protocol.vocabulary import (
    AlertState,
    HostKind,
    HostState,
    Severity,
    SilenceState,
    TicketKind,
    TicketState,
)


class Tone(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    TITLE = "title"
    KEY = "key"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    URGENT = "urgent"
    UNKNOWN = "unknown"
    MINE = "mine"
    UNOWNED = "unowned"
    FRESH = "fresh"


Span = tuple[str, Tone]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of spans; where it has to wrap, what follows is indented by `hang` cells.

    One that does not wrap is cut, and `cut` stands where something is missing.
    """

    spans: tuple[Span, ...] = ()
    hang: int = 0
    wraps: bool = True
    cut: str = ""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.spans)


def line(*parts: str | Span, hang: int = 0) -> Line:
    """A line from plain texts and spans."""
    return Line(tuple((part, Tone.PLAIN) if isinstance(part, str) else part for part in parts), hang)


def shortened(*parts: str | Span) -> Line:
    """A line that is cut where it has no room, the cut shown."""
    return Line(line(*parts).spans, wraps=False, cut="…")


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Neighbours of one tone as one span."""
    runs: list[Span] = []
    for text, tone in spans:
        if runs and runs[-1][1] is tone:
            runs[-1] = (runs[-1][0] + text, tone)
        else:
            runs.append((text, tone))
    return tuple(runs)


def dim(text: str) -> Span:
    return (text, Tone.DIM)


def strong(text: str) -> Span:
    return (text, Tone.STRONG)


RULE = Line((("─" * 400, Tone.DIM),), wraps=False)
"""A horizontal rule as wide as the place it stands in; it is cut, not wrapped."""
EMPTY = line()

_PRIORITIES: dict[int, Span] = {
    1: ("▲1", Tone.URGENT),
    2: ("▲2", Tone.WARN),
    3: ("·3", Tone.PLAIN),
    4: ("·4", Tone.DIM),
}
_HOSTS: dict[HostState, Span] = {
    HostState.UP: ("■", Tone.GOOD),
    HostState.SILENT: ("○", Tone.UNKNOWN),
    HostState.AWAITED: ("…", Tone.DIM),
    HostState.RETIRED: ("×", Tone.DIM),
}
_KINDS: dict[HostKind, str] = {
    HostKind.SERVER: "serv",
    HostKind.DESKTOP: "desk",
    HostKind.NETWORK: "net",
    HostKind.APPLICATION: "app",
}
"""Each a part of the kind's own word, so that a filter finds what is seen."""
_REQUEST: Span = ("▪", Tone.STRONG)
_ALERTS: dict[AlertState, Span] = {
    AlertState.INACTIVE: ("· inactive", Tone.DIM),
    AlertState.PENDING: ("◌ pending", Tone.WARN),
    AlertState.FIRING: ("● firing", Tone.BAD),
    AlertState.UNKNOWN: ("? unknown", Tone.UNKNOWN),
    AlertState.RESOLVED: ("✓ resolved", Tone.GOOD),
}
_SEVERITIES: dict[Severity, Span] = {
    Severity.CRITICAL: ("crit", Tone.BAD),
    Severity.WARNING: ("warn", Tone.WARN),
    Severity.INFO: ("info", Tone.PLAIN),
}
_SILENCES: dict[SilenceState, Span] = {
    SilenceState.ACTIVE: ("● active", Tone.WARN),
    SilenceState.PENDING: ("◌ pending", Tone.PLAIN),
    SilenceState.EXPIRED: ("· expired", Tone.DIM),
}
_TICKETS: dict[TicketState, Span] = {
    TicketState.NEW: ("NEW", Tone.FRESH),
    TicketState.IN_PROGRESS: ("IN PROGRESS", Tone.MINE),
    TicketState.PENDING: ("PENDING", Tone.DIM),
    TicketState.SOLVED: ("SOLVED", Tone.GOOD),
    TicketState.CLOSED: ("CLOSED", Tone.DIM),
}


def priority(number: int) -> Span:
    return _PRIORITIES.get(number, (f"·{number}", Tone.DIM))


def host_state(state: HostState) -> Span:
    """A host's state as one glyph."""
    return _HOSTS[state]


def host_kind(kind: HostKind) -> Span:
    """What a host is, in at most four letters."""
    return (_KINDS[kind], Tone.DIM)


def ticket_kind(kind: TicketKind) -> Span:
    """The glyph of a request; an incident has none."""
    return _REQUEST if kind is TicketKind.REQUEST else (" ", Tone.PLAIN)


def alert_state(state: AlertState) -> Span:
    return _ALERTS[state]


def severity(of: Severity | None) -> Span:
    """How bad a rule says it is, in four letters of its word; a word of the rule's own is not known here."""
    return ("–", Tone.DIM) if of is None else _SEVERITIES[of]


def silence_state(state: SilenceState) -> Span:
    return _SILENCES[state]


def tie_word(tie: object) -> str:
    """What another ticket is to this one."""
    return str(tie).replace("_", " ")


def ticket_state(state: TicketState) -> Span:
    return _TICKETS[state]


def owner(login: str | None, me: str) -> Span:
    """Who has a ticket; two dashes are an open hand."""
    if login is None:
        return ("--", Tone.UNOWNED)
    return (login, Tone.MINE if login == me else Tone.PLAIN)


def duration(span: timedelta) -> str:
    """A length of time in at most five characters: `<1m`, `5m`, `3h07`, `2d`."""
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 1:
        return "<1m"
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}"
    return f"{minutes // (24 * 60)}d"


def seconds(span: timedelta) -> str:
    """A short length of time to the second: `8 s`, `2 m 10 s`, then as `duration`."""
    total = max(0, int(span.total_seconds()))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} m {total % 60:02d} s"
    return duration(span)


def clock(moment: datetime, now: datetime) -> str:
    """A moment in local time: `12:37` today, `24 Nov 12:37` else, `24 Nov 2027 12:37` in another year."""
    local, today = moment.astimezone(), now.astimezone().date()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y %H:%M}"


def number(value: float | None) -> str:
    """A number with four digits that count: `0.0294`, `41.7`, `9 412`."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", " ")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.4g}"


def percent(ratio: float | None) -> str:
    """A ratio of 0 to 1 as a percentage."""
    if ratio is None:
        return "–"
    hundredths = ratio * 100
    return f"{hundredths:.1f} %" if 0 < hundredths < 10 else f"{hundredths:.0f} %"


def size(amount: float | None, *, per: str = "") -> str:
    """Bytes in units of 1024: `1.2 GiB`, `311 KiB/s`."""
    if amount is None:
        return "–"
    value, unit = amount, "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(value) < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}{per}" if abs(value) < 10 and unit != "B" else f"{value:.0f} {unit}{per}"


def bits(amount: float | None, *, per: str) -> str:
    """Bits in units of 1000, as lines are sold: `1 Gbit`, `12.4 Mbit/s`."""
    if amount is None:
        return "–"
    value, unit = amount, "bit"
    for larger in ("kbit", "Mbit", "Gbit", "Tbit"):
        if abs(value) < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}{per}"


def quantity(value: float | None, unit: str) -> str:
    """A value in the unit that the server names."""
    match unit:
        case "ratio":
            return percent(value)
        case "bytes":
            return size(value)
        case "bytes/s":
            return size(value, per="/s")
        case "":
            return number(value)
        case _:
            return f"{number(value)} {unit}"


def bar(ratio: float | None, width: int) -> str:
    """A horizontal gauge."""
    full = round(max(0.0, min(1.0, ratio or 0.0)) * width)
    return "█" * full + "░" * (width - full)


def level(ratio: float | None) -> Tone:
    """How worrying a used share is; the number stands beside it."""
    if ratio is None:
        return Tone.DIM
    return Tone.BAD if ratio >= 0.95 else Tone.WARN if ratio >= 0.85 else Tone.GOOD


def one_line(text: str) -> str:
    """A text of several lines on one."""
    return " ".join(text.split())


def clip(text: str, width: int) -> str:
    """A text of narrow characters cut to a width, the cut shown."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def labels(pairs: dict[str, str], hidden: Sequence[str] = ()) -> str:
    """Labels as in Prometheus: `device="sda", mode="idle"`."""
    return ", ".join(f'{name}="{value}"' for name, value in sorted(pairs.items()) if name not in hidden)
