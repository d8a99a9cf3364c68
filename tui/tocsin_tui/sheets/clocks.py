"""What is promised about a ticket in words: what is due next, and how each clock stands.

A clock on the wall counts down to a deadline, which holds on business calendars too. How much open time is left
is told only where it stands still: it would be wrong a minute after the server had told it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.tickets import TicketDetail, TicketRow
from tocsin_tui.format import Line, Span, Tone, clock, dim, duration, line, strong

SOON = timedelta(hours=1)
"""From when on the queue says that a ticket is due."""
_KIND_WIDTH = len("first response")


def due(row: TicketRow, now: datetime) -> Span | None:
    """What is due next of a ticket: `due 2h10`, `late 12m`; nothing where nobody knows."""
    if row.due_at is None:
        return None
    left = row.due_at - now
    if left < timedelta():
        return (f"late {duration(-left)}", Tone.BAD)
    return (f"due {duration(left)}", Tone.WARN if left <= SOON else Tone.PLAIN)


def pressing(row: TicketRow, now: datetime) -> Span:
    """How the subject of a ticket begins that is late or due soon, and the tone of all of it."""
    said = due(row, now)
    if said is None or said[1] is Tone.PLAIN:
        return ("", Tone.PLAIN)
    return (f"{said[0]}: ", said[1])


def in_heading(row: TicketRow, now: datetime) -> Iterable[Span]:
    """The same with the moment, at the end of a line."""
    said = due(row, now)
    if said is not None and row.due_at is not None:
        text, tone = said
        yield dim(" · ")
        yield (f"{text} {'since' if row.due_at < now else 'at'} {clock(row.due_at, now)}", tone)
    elif row.due_state == "paused":
        yield dim(" · its clocks wait")


def lines(detail: TicketDetail, *, now: datetime) -> list[Line]:
    """The clocks that count, a line each under the agreement's name; or why there are none."""
    if detail.unclocked:
        return [line(dim(f"no clocks: {detail.unclocked}"), hang=2)]
    told: list[Line] = []
    agreement = ""
    for each in _counting(detail.clocks):
        if each.agreement != agreement:
            agreement = each.agreement
            told.append(line(strong(agreement), dim(f" · {each.calendar}, {each.zone}"), hang=2))
        told.append(_line(each, now))
    return told


def _counting(clocks: Sequence[TicketClock]) -> list[TicketClock]:
    """Those that nothing has taken the place of, and of rounds the last."""
    last = {(each.agreement, each.kind): each for each in clocks if each.state != "superseded"}
    return list(last.values())


def _line(each: TicketClock, now: datetime) -> Line:
    kind = each.kind.replace("_", " ")
    (state, tone), more = _standing(each, now)
    return line(f"{kind:{_KIND_WIDTH}}  ", (state, tone), dim(more), hang=_KIND_WIDTH + 2)


def _standing(each: TicketClock, now: datetime) -> tuple[Span, str]:
    """How it stands, and what else there is to say of that."""
    target = f"of {_open_time(each.target_s)}"
    took = f"{_open_time(each.elapsed_s)} {target}"
    if each.state == "met":
        return ("✓ met", Tone.GOOD), f" in {took}"
    if each.ended_at is not None:
        return (
            ("● missed", Tone.BAD) if each.state == "breached" else (f"· {each.state}", Tone.DIM)
        ), f", {took}"
    if each.due_at is None:
        return ("… paused", Tone.WARN), f" for {each.reason}, {_open_time(each.remaining_s)} left {target}"
    when = clock(each.due_at, now)
    if each.due_at < now:
        return (f"● late {duration(now - each.due_at)}", Tone.BAD), f", was due {when}, {target}"
    tone = Tone.WARN if each.due_at - now <= SOON else Tone.PLAIN
    return (f"◌ due {duration(each.due_at - now)}", tone), f", {when}, {target}"


def _open_time(seconds: float) -> str:
    """Time of a calendar, of which hours are the longest: `4h`, `1h30`, `20m`, `45s`."""
    hours, rest = divmod(max(0, int(seconds)), 3600)
    if hours:
        return f"{hours}h{rest // 60:02d}" if rest >= 60 else f"{hours}h"
    return f"{rest // 60}m" if rest >= 60 else f"{rest}s"
