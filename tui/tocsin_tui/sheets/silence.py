"""A silence in words: its row in the list, its lines below, and all of it."""

from collections.abc import Collection, Iterable
from datetime import datetime

from tocsin_protocol.silences import Silence
from tocsin_protocol.vocabulary import SilenceState
from tocsin_tui.format import (
    EMPTY,
    RULE,
    Line,
    Span,
    Tone,
    clock,
    dim,
    duration,
    line,
    one_line,
    shortened,
    silence_state,
    strong,
)
from tocsin_tui.silence import state_at


def cells(silence: Silence, *, now: datetime, is_ghost: bool) -> tuple[Span, ...]:
    """The row's cells: state, id, client, time that is left, author, comment and matchers."""
    state = state_at(silence, now)
    is_over = state is SilenceState.EXPIRED
    all_cells = (
        silence_state(state),
        (f"#{silence.id}", Tone.DIM),
        ("all", Tone.STRONG) if silence.client is None else (silence.client, Tone.PLAIN),
        ("over" if is_over else duration(silence.ends_at - now), Tone.PLAIN),
        (silence.author, Tone.PLAIN),
        (one_line(silence.comment) or "–", Tone.PLAIN if silence.comment else Tone.DIM),
        (silence.matchers, Tone.PLAIN),
    )
    return tuple(dim(text) for text, _ in all_cells) if is_ghost or is_over else all_cells


def below(silence: Silence, *, now: datetime, room: int) -> list[Line]:
    """The silence under the cursor in so many lines, none longer than the screen."""
    told = (shortened(*each.spans) for each in lines(silence, now=now))
    return [RULE, *told][:room]


def lines(silence: Silence, *, now: datetime) -> list[Line]:
    """All of a silence."""
    comment = silence.comment.splitlines() or [""]
    return [
        line(
            silence_state(state_at(silence, now)),
            strong(f"  #{silence.id}"),
            ("  all clients", Tone.STRONG) if silence.client is None else f"  {silence.client}",
            *_when(silence, now),
        ),
        line(dim("alerts   "), silence.matchers, hang=9),
        line(dim("because  "), comment[0] or dim("no reason is given"), hang=9),
        *(line(f"         {text}", hang=9) for text in comment[1:]),
        line(dim("by       "), silence.author, hang=9),
    ]


def foot(
    shown: int, silences: Collection[Silence], *, now: datetime, with_expired: bool, is_cut: bool
) -> list[Span]:
    """How many there are, and how many of them do not hold; a list that is full may not be all."""
    states = [state_at(silence, now) for silence in silences]
    total = len(states)
    count = f"the {total} that end last" if is_cut else "1 silence" if total == 1 else f"{total} silences"
    count = count if shown == total else f"{shown} of {count}"
    pending, expired = states.count(SilenceState.PENDING), states.count(SilenceState.EXPIRED)
    return [
        dim(f" {count}"),
        (", there may be more" if is_cut else "", Tone.WARN),
        dim(f" · {pending} pending" if pending else ""),
        dim(f" · {expired} expired" if expired else ""),
        dim("" if with_expired else " · t shows the expired as well"),
    ]


def nothing_here(filter_text: str, total: int, *, with_expired: bool) -> list[Line]:
    """What stands where the list is empty."""
    if filter_text:
        return [line(dim(f"0 of {total} match "), strong(f'"{filter_text}"'), dim("  ·  \\ clears the filter"))]
    never = (
        "There is no silence, and there has been none."
        if with_expired
        else "No silence holds, and none is to come."
    )
    return [
        line((never, Tone.GOOD)),
        EMPTY,
        line("S on an alert or a ticket makes one: alerts like it ring no more for some time."),
        EMPTY,
        line(dim("1 queue · 3 alerts" if with_expired else "1 queue · 3 alerts · t shows those that are over")),
    ]


def _when(silence: Silence, now: datetime) -> Iterable[Span]:
    """From when until when it holds, and how long that is still to come."""
    start, end = clock(silence.starts_at, now), clock(silence.ends_at, now)
    match state_at(silence, now):
        case SilenceState.ACTIVE:
            yield (f"  until {end}", Tone.PLAIN)
            yield dim(f", {duration(silence.ends_at - now)} to go; since {start}")
        case SilenceState.PENDING:
            yield (f"  from {start}", Tone.PLAIN)
            yield dim(f", in {duration(silence.starts_at - now)}; until {end}")
        case SilenceState.EXPIRED:
            yield dim(f"  {start} to {end}")
