"""The clocks of a ticket: how each promise stands now, with every stretch of time that led there. Pure.

    clocks(events, contract, now) ─▶ elapsed, remaining, deadline, state, segments, thresholds

1. A clock runs from its start in segments, each with its reason; what counts of one is the time in it that its
   calendar is open, if it is a running one.
2. The deadline is when the target will have elapsed. A clock is breached once that is past, and stays so.
3. What an assignment promises anew takes the place of clocks that still go; one that has ended stays as it is.
4. Before the change the clock paused for what the earlier assignment paused for.

The same calendar arithmetic gives all of it, and the same events give the same clocks however often one asks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tocsin_server.sla.calendar import Calendar
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.course import Assignment, Course, Ending, Mark, Phase, Strand, course_of
from tocsin_server.sla.events import Event
from tocsin_server.sla.terms import Agreement, ClockKind, OnChange, OnMerge, Target, Threshold

MAINTENANCE = "maintenance"
MERGED = "merged"


class SegmentKind(StrEnum):
    """What a stretch of a clock's time is."""

    RUNNING = "running"
    PAUSED = "paused"
    SOLVED = "solved"
    EXCLUDED = "excluded"


class ClockState(StrEnum):
    """How a clock stands."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Segment(NamedTuple):
    """A stretch of time. `open_ms` is how much of it the calendar is open, whether that counts or not."""

    kind: SegmentKind
    reason: str
    from_ms: int
    to_ms: int
    open_ms: int = 0

    @property
    def closed_ms(self) -> int:
        return self.to_ms - self.from_ms - self.open_ms

    @property
    def counted_ms(self) -> int:
        """What it adds to the time that has elapsed."""
        return self.open_ms if self.kind is SegmentKind.RUNNING else 0

    @property
    def name(self) -> str:
        """`running`, `paused:awaiting_customer`, `solved`, `excluded:maintenance`."""
        return f"{self.kind}:{self.reason}" if self.reason else self.kind.value


class Passing(NamedTuple):
    """When a threshold is passed: in the past, in the future if nothing happens, or nobody knows."""

    name: str
    at_ms: int | None
    is_reached: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise about one ticket, in force since `assigned`; for `update` one of its rounds, from 1.

    `reason` says why it is paused or cancelled. `deadline_ms` is None while nobody knows it: paused, cancelled,
    superseded. `breached_ms` is the deadline that was missed.
    """

    agreement: Agreement
    target: Target
    priority: int
    assigned: Mark
    round: int
    state: ClockState
    reason: str
    start_ms: int
    elapsed_ms: int
    deadline_ms: int | None
    breached_ms: int | None
    ended_ms: int | None
    segments: tuple[Segment, ...]
    passings: tuple[Passing, ...]

    @property
    def remaining_ms(self) -> int:
        """What is left of the target; negative once more has elapsed."""
        return self.target.target_ms - self.elapsed_ms

    @property
    def next_threshold_ms(self) -> int | None:
        """When the next threshold is passed, if nothing happens."""
        ahead = [each.at_ms for each in self.passings if each.at_ms is not None and not each.is_reached]
        return min(ahead, default=None)


def clocks(
    events: Iterable[Event], contract: Contract, now_ms: int, *, has_thresholds: bool = True
) -> tuple[Clock, ...]:
    """Every clock that the ticket has or had; raises `ImpossibleEvent` and `Unprocessable`.

    Without thresholds it takes less time: for who asks only what is due, of hundreds of tickets.
    """
    course = course_of(events, contract, now_ms)
    return tuple(
        clock
        for strand in course.strands
        for assignment in strand
        for target in assignment.agreement.targets.get(assignment.priority, ())
        for clock in _clocks_of(
            _Promise(
                course, strand, assignment, target, assignment.agreement.thresholds if has_thresholds else ()
            )
        )
    )


class _Promise(NamedTuple):
    """A target that was assigned, and all that it has to be judged by."""

    course: Course
    strand: Strand
    assignment: Assignment
    target: Target
    thresholds: Sequence[Threshold]


class _Run(NamedTuple):
    """From which event a clock runs, and up to which; `met` is what ends it well, and `round` its number."""

    round: int
    begin: Mark
    stop: Mark | None
    ending: Ending | None = None
    met: bool = False


def _clocks_of(promise: _Promise) -> Iterator[Clock]:
    return (_clock(promise, run) for run in _runs(promise))


# -- from when to when


def _runs(promise: _Promise) -> Iterator[_Run]:
    """None where a change comes after what would have ended the clock."""
    _, strand, assignment, target, _ = promise
    begin = strand[0].begun if _is_retroactive(assignment) else assignment.begun
    marks = _marks(promise)
    earlier = [mark for mark in marks if mark < assignment.begun]
    if target.kind is ClockKind.UPDATE:
        yield from _rounds(promise, begin, earlier, [mark for mark in marks if mark > assignment.begun])
    elif not earlier:
        yield _run(promise, 1, begin, next(iter(marks), None))


def _is_retroactive(assignment: Assignment) -> bool:
    return assignment.agreement.on_change is OnChange.RETROACTIVE


def _marks(promise: _Promise) -> list[Mark]:
    """What ends this kind of clock, since the strand began and while the assignment was in force."""
    course, strand, assignment, target, _ = promise
    ended = assignment.ended
    return [
        mark
        for mark in course.marks.get(target.kind, ())
        if strand[0].begun < mark and (ended is None or mark < ended)
    ]


def _rounds(promise: _Promise, begin: Mark, earlier: Sequence[Mark], words: Sequence[Mark]) -> Iterator[_Run]:
    """A round from each word to the next; none while the ticket is solved."""
    begins = [max([begin, *earlier]), *words]
    for number, (word, following) in enumerate(zip(begins, [*words, None], strict=True), len(earlier) + 1):
        opened = _opened(promise.course, word)
        run = None if opened is None else _run(promise, number, opened, following)
        if run is not None and (run.stop is None or run.begin < run.stop):
            yield run


def _opened(course: Course, mark: Mark) -> Mark | None:
    """The mark, or when the ticket was reopened after it; None where it is solved still."""
    return next((phase.begun for phase in course.phases[mark.n :] if not phase.is_solved), None)


def _run(promise: _Promise, number: int, begin: Mark, met: Mark | None) -> _Run:
    if met is not None:
        return _Run(number, begin, met, met=True)
    if promise.assignment.ended is not None:
        return _Run(number, begin, promise.assignment.ended, promise.assignment.ending)
    return _Run(number, begin, promise.course.closed)


# -- what the time between was


def _clock(promise: _Promise, run: _Run) -> Clock:
    assignment, target = promise.assignment, promise.target
    segments = _segments(promise, run)
    running = [segment for segment in segments if segment.kind is SegmentKind.RUNNING]
    last = segments[-1]
    due_ms, is_past = _due(running, target.calendar, target.target_ms)
    state = _state(run, last, is_breached=is_past)
    is_known = is_past or _is_known(state, segments, running, due_ms)
    return Clock(
        assignment.agreement,
        target,
        assignment.priority,
        assignment.begun,
        run.round,
        state,
        _reason(state, last),
        segments[0].from_ms,
        sum(segment.counted_ms for segment in segments),
        due_ms if is_known else None,
        due_ms if is_past else None,
        _ended_ms(run, last),
        segments,
        tuple(_passings(promise, running, goes_on=run.stop is None and last.kind is SegmentKind.RUNNING)),
    )


def _segments(promise: _Promise, run: _Run) -> tuple[Segment, ...]:
    """The phases of a run, with those made one that are alike; an empty one only where it is the last."""
    phases = promise.course.phases
    stop = len(phases) if run.stop is None else run.stop.n
    start_ms = _start_ms(promise, run)
    joined = [Segment(SegmentKind.RUNNING, "", start_ms, run.begin.at_ms)]
    for phase in phases[run.begin.n : stop]:
        kind, reason = _counted(promise, phase)
        if joined[-1].from_ms == joined[-1].to_ms:
            joined.pop()
        if joined and (joined[-1].kind, joined[-1].reason) == (kind, reason):
            joined[-1] = joined[-1]._replace(to_ms=phase.to_ms)
        else:
            joined.append(Segment(kind, reason, phase.begun.at_ms, phase.to_ms))
    elapsed = promise.target.calendar.elapsed
    return tuple(each._replace(open_ms=elapsed(each.from_ms, each.to_ms)) for each in joined)


def _start_ms(promise: _Promise, run: _Run) -> int:
    """When the run's first event was, or the earliest ticket created that was merged into this while it ran."""
    if promise.assignment.agreement.on_merge is OnMerge.KEEP or run.begin.n > 0:
        return run.begin.at_ms
    absorbed = promise.course.absorbed
    merged = [each.created_ms for each in absorbed if run.stop is None or each.mark < run.stop]
    return min([run.begin.at_ms, *merged])


def _counted(promise: _Promise, phase: Phase) -> tuple[SegmentKind, str]:
    """What a phase is for a clock. Pauses are those of whatever was assigned then."""
    if phase.is_solved:
        return SegmentKind.SOLVED, ""
    if phase.is_maintenance:
        return SegmentKind.EXCLUDED, MAINTENANCE
    then = next((each for each in reversed(promise.strand) if each.begun <= phase.begun), promise.strand[0])
    if phase.reason in then.agreement.pauses.get(promise.target.kind, ()):
        return SegmentKind.PAUSED, phase.reason
    return SegmentKind.RUNNING, ""


# -- how it stands


def _due(running: Sequence[Segment], calendar: Calendar, open_ms: int) -> tuple[int | None, bool]:
    """The first instant at which so much has elapsed, and whether it ran on; else by the last segment."""
    at_ms, is_spent = None, False
    for segment in running:
        if not is_spent:
            at_ms = calendar.deadline(segment.from_ms, open_ms)
            is_spent = at_ms <= segment.to_ms
            open_ms -= segment.open_ms
        if at_ms is not None and is_spent and at_ms < segment.to_ms:
            return at_ms, True
    return at_ms, False


def _is_known(
    state: ClockState, segments: Sequence[Segment], running: Sequence[Segment], due_ms: int | None
) -> bool:
    """Whether a deadline that is not past is one: of a paused one only where it was paused then."""
    if state is ClockState.PAUSED:
        return due_ms is not None and due_ms <= running[-1].to_ms
    return state in (ClockState.RUNNING, ClockState.MET) and _ran(segments)


def _ran(segments: Sequence[Segment]) -> bool:
    """Whether it runs, or ran until it was solved."""
    kinds = (segment.kind for segment in reversed(segments) if segment.kind is not SegmentKind.SOLVED)
    return next(kinds, None) is SegmentKind.RUNNING


def _state(run: _Run, last: Segment, *, is_breached: bool) -> ClockState:
    if run.ending is not None:
        return ClockState(run.ending.value)
    if is_breached:
        return ClockState.BREACHED
    if run.met or last.kind is SegmentKind.SOLVED:
        return ClockState.MET
    return ClockState.RUNNING if last.kind is SegmentKind.RUNNING else ClockState.PAUSED


def _reason(state: ClockState, last: Segment) -> str:
    if state is ClockState.CANCELLED:
        return MERGED
    return last.reason if state is ClockState.PAUSED else ""


def _ended_ms(run: _Run, last: Segment) -> int | None:
    if run.met or run.ending is not None:
        return None if run.stop is None else run.stop.at_ms
    return last.from_ms if last.kind is SegmentKind.SOLVED else None


def _passings(promise: _Promise, running: Sequence[Segment], *, goes_on: bool) -> Iterator[Passing]:
    target = promise.target
    for threshold in promise.thresholds:
        open_ms = threshold.elapsed_ms(target.target_ms)
        if open_ms is None:
            continue
        at_ms, is_past = _due(running, target.calendar, open_ms)
        if at_ms is not None and goes_on and not is_past:
            yield Passing(threshold.name, at_ms, at_ms <= running[-1].to_ms)
        else:
            yield Passing(threshold.name, at_ms if is_past else None, is_past)
