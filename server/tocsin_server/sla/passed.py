"""Which thresholds of a ticket's clocks are passed, what of that is news, and when the next one will be. Pure.

    clocks, what was told before, now ─▶ to be written down, to be told, the next instant

A threshold is passed once its instant is past: what ends a clock at that very instant is in time. Each is
written down once. Of those of one clock that are passed together (the server was off, a contract came or was
mended, the priority has changed) the last is told and the others are passed over: what counts is how it stands.
A threshold below one that was told already is passed over as well, and so is what nobody can do anything about:
a clock that was superseded or cancelled, or has ended more than `LATE_MS` ago.

The breach is a threshold whether or not the agreement names one at 100 %.
"""

from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from tocsin_server.sla.clock import Clock, ClockState
from tocsin_server.sla.terms import Threshold

BREACH = "100%"
BREACH_PERCENT = 100.0
LATE_MS = 3_600_000
_GONE = frozenset({ClockState.SUPERSEDED, ClockState.CANCELLED})


class Key(NamedTuple):
    """A threshold of a clock of a ticket; the same however often the clock is reckoned."""

    agreement: str
    kind: str
    assigned_by: int
    round: int
    threshold: str


class Instant(NamedTuple):
    """When a clock has used so much of its target; `used_percent` is over 100 after the breach."""

    at_ms: int
    used_percent: float
    threshold: str


class News(NamedTuple):
    """What is to be told of a clock."""

    clock: Clock
    instant: Instant

    @property
    def is_breach(self) -> bool:
        return self.instant.used_percent >= BREACH_PERCENT


class Look(NamedTuple):
    """What a look at clocks gives."""

    passed: tuple[tuple[Key, Instant], ...]
    """What was not written down before."""
    news: tuple[News, ...]
    """In the order of their instants."""
    next_ms: int | None
    """When to look again, if nothing happens: once this is past."""


NOTHING = Look((), (), None)


def look_at(clocks: Iterable[Clock], told: Collection[Key], now_ms: int) -> Look:
    """What is passed and not told by now; `told` is what was written down of this ticket."""
    passed: list[tuple[Key, Instant]] = []
    news: list[News] = []
    ahead: list[int] = []
    for clock in clocks:
        instants = sorted(_instants(clock))
        ahead += [each.at_ms for each in instants if each.at_ms >= now_ms]
        past = {key_of(clock, each): each for each in instants if each.at_ms < now_ms}
        fresh = [(key, each) for key, each in past.items() if key not in told]
        passed += fresh
        if fresh and fresh[-1][0] == next(reversed(past)) and _matters(clock, now_ms):
            news.append(News(clock, fresh[-1][1]))
    return Look(tuple(passed), tuple(sorted(news, key=attrgetter("instant"))), min(ahead, default=None))


def key_of(clock: Clock, instant: Instant) -> Key:
    """What a threshold of a clock is written down as."""
    return Key(clock.agreement.name, clock.target.kind.value, clock.assigned.id, clock.round, instant.threshold)


def _matters(clock: Clock, now_ms: int) -> bool:
    if clock.state in _GONE:
        return False
    return clock.ended_ms is None or now_ms - clock.ended_ms <= LATE_MS


def _instants(clock: Clock) -> Iterator[Instant]:
    """Those that have come, and those that are known to come if nothing happens."""
    thresholds = {each.name: each for each in clock.agreement.thresholds}
    for passing in clock.passings:
        if passing.at_ms is not None:
            yield Instant(passing.at_ms, _used_percent(thresholds[passing.name], clock), passing.name)
    due_ms = clock.deadline_ms if clock.ended_ms is None else clock.breached_ms
    if due_ms is not None and BREACH not in thresholds:
        yield Instant(due_ms, BREACH_PERCENT, BREACH)


def _used_percent(threshold: Threshold, clock: Clock) -> float:
    if threshold.percent is not None:
        return float(threshold.percent)
    target_ms = clock.target.target_ms
    return round(100 * (target_ms - threshold.before_ms) / target_ms, 2)
