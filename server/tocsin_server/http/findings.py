"""What the samples say of an alert: those that its rule looks at, and what the rule's expression says of it at
moments since before it began. What cannot be told any more is said in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tocsin_protocol.why import AskedSelector, AskedSeries, ConditionAt, SeriesSample
from tocsin_server.alerts.proclaim import PROCLAIMED
from tocsin_server.clock import moment
from tocsin_server.desk.why import Case
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.deps import Deps
from tocsin_server.http.kept import Asked, fitted, since_ms, source_of
from tocsin_server.http.looks import Look, Span, agree, keeps_to_instance, looks
from tocsin_server.http.query import LONGEST_S, MOST_FRAMES, MOST_SAMPLES
from tocsin_server.http.reach import may_concern
from tocsin_server.promql import Expression, Inquiry, Vector, Verdict
from tocsin_server.promql.budget import Budget, TooCostly
from tocsin_server.promql.spelling import decimal
from tocsin_server.series.arrays import Ints
from tocsin_server.series.fixed import FixedSource
from tocsin_server.series.labels import NAME
from tocsin_server.series.noted import NOTED
from tocsin_server.series.source import Window

MOST_SELECTORS = 10
MOST_SERIES = 20
MOST_POINTS = 30
DAY_MS = 86_400_000
MADE_HERE = PROCLAIMED | NOTED
"""What only the head has, beside what rules record: no host sends it, and it is not drawn again as `up` is."""
_HOLDS = {Verdict.TRUE: True, Verdict.FALSE: False, Verdict.UNKNOWN: None}


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several alerts may cost."""

    frames: int
    samples: int
    seconds: float

    @classmethod
    def of(cls, alerts: int) -> "Share":
        parts = max(1, alerts)
        return cls(MOST_FRAMES // parts, MOST_SAMPLES // parts, LONGEST_S / parts)


@dataclass(frozen=True, slots=True)
class Question:
    """An alert, what its rule asks, and the time that matters."""

    case: Case
    expression: Expression
    start_ms: int
    end_ms: int
    now_ms: int
    query_offset_ms: int = 0
    recorded: frozenset[str] = frozenset()
    """The names of what rules record."""


@dataclass(frozen=True, slots=True)
class Findings:
    """`missing` is what is not told, in words."""

    selectors: Sequence[AskedSelector] = ()
    condition: Sequence[ConditionAt] = ()
    missing: Sequence[str] = ()


def findings(deps: Deps, question: Question, share: Share) -> Findings:
    """Reads and evaluates, so it is not for the event loop."""
    client = deps.estate.client(question.case.client_id)
    kept_days, _ = deps.settings.days_of("" if client is None else client.slug)
    kept_ms = question.now_ms - kept_days * DAY_MS
    host_id = question.case.alert.host_id
    if host_id is not None and deps.estate.host(host_id) is None:
        return Findings(missing=["samples: its host is no longer in service, and nothing is kept of it"])
    gone = f"are kept for {kept_days} days (samples_days)"
    if question.end_ms <= kept_ms:
        return Findings(missing=[f"samples: those of that time are gone, they {gone}"])
    missing = [f"samples before {_clock(kept_ms)}: they {gone}"] if question.start_ms < kept_ms else []
    for asked, lacks in _readings(deps, question, kept_ms):
        reading = fitted(asked, share.frames, deps.sent.frames)
        if reading is not None:
            found = _found(deps, question, reading, share, is_whole=not lacks)
            return replace(found, missing=[*missing, *lacks, *found.missing])
    return Findings(missing=[*missing, "samples: there are more than can be read at once"])


def _readings(deps: Deps, question: Question, kept_ms: int) -> Iterator[tuple[Asked, list[str]]]:
    """What might be read, the best first, each with what it lacks."""
    span = max(question.start_ms, kept_ms), question.end_ms
    client_id = question.case.client_id
    concerned = _concerned(deps, question)
    own = [host for host in concerned if agree(_target(host), question.case.row_labels)]
    whole = Asked(
        client_id=client_id,
        looks=looks(question.expression),
        hosts=own if keeps_to_instance(question.expression.root) else concerned,
        kept_ms=kept_ms,
        now_ms=question.now_ms,
        spans=[span],
    )
    yield whole, []
    yield (
        replace(whole, hosts=own),
        [f"the condition: it rests on {len(whole.hosts)} hosts, more than can be read at once"],
    )


def _concerned(deps: Deps, question: Question) -> list[HostFacts]:
    return [
        host
        for host in deps.estate.hosts()
        if host.client_id == question.case.client_id and may_concern(question.expression, host)
    ]


def _target(host: HostFacts) -> Mapping[str, str]:
    return {"instance": host.name, "job": host.job, "site": host.site}


def _found(deps: Deps, question: Question, reading: Asked, share: Share, *, is_whole: bool) -> Findings:
    source = source_of(deps, reading)
    shown = [_selector(look, source, reading, question.case) for look in reading.looks[:MOST_SELECTORS]]
    condition, unsaid = _condition(question, reading, source, share) if is_whole else ([], [])
    return Findings(shown, condition, [*_unread(reading), *unsaid])


def _unread(reading: Asked) -> Iterator[str]:
    for (_, ended_ms), (begins_ms, _) in pairwise(reading.spans):
        if ended_ms < begins_ms:
            unread = f"{_clock(ended_ms)} to {_clock(begins_ms)}"
            yield f"samples from {unread}: there are more than can be read at once"
    if len(reading.looks) > MOST_SELECTORS:
        yield f"the samples of {len(reading.looks) - MOST_SELECTORS} more selectors"


# -- samples


def _selector(look: Look, source: FixedSource, reading: Asked, case: Case) -> AskedSelector:
    selection = source.select(look.selector.name, look.selector.matchers)
    windows = [
        source.window(selection, *span) for span in dict.fromkeys(look.span(*span) for span in reading.spans)
    ]
    counts = np.sum([window.count for window in windows], axis=0)
    found = [(selection.labels.row(row), row) for row in np.flatnonzero(counts).tolist()]
    fitting = [each for each in found if agree(each[0], case.row_labels)]
    fitting.sort(key=lambda each: sorted(each[0].items()))
    series = [_series(labels, row, windows) for labels, row in fitting[:MOST_SERIES]]
    return AskedSelector(selector=look.text, series=series, total=len(fitting))


def _series(labels: dict[str, str], row: int, windows: Sequence[Window]) -> AskedSeries:
    times = np.concatenate([window.times[row, : window.count[row]] for window in windows])
    values = np.concatenate([window.values[row, : window.count[row]] for window in windows])
    kept = thinned(len(times))
    samples = [
        SeriesSample(at=moment(at_ms), value=decimal(value))
        for at_ms, value in zip(times[kept].tolist(), values[kept].tolist(), strict=True)
    ]
    return AskedSeries(labels=labels, samples=samples, total=len(times))


def thinned(count: int) -> Ints:
    """The places of not too many of so many, evenly; the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(np.int64))


# -- the condition


def _condition(
    question: Question, reading: Asked, source: FixedSource, share: Share
) -> tuple[list[ConditionAt], list[str]]:
    """What the expression says at each moment, and what it cannot say."""
    budget = Budget(samples=share.samples, seconds=share.seconds)
    moments, unsaid = _sayable(question, reading, source)
    told: list[ConditionAt] = []
    failures: dict[str, None] = {}
    try:
        for at_ms in moments:
            inquiry = Inquiry(question.expression, source, at_ms - question.query_offset_ms, budget=budget)
            told.append(_at(question, at_ms, inquiry))
            failures |= dict.fromkeys(inquiry.vector.failures.values())
    except TooCostly as error:
        unsaid.append(f"the condition from {_clock(at_ms)} on: {error.message}")
    return told, [*unsaid, *(f"the condition where it cannot be evaluated: {why}" for why in failures)]


def _at(question: Question, at_ms: int, inquiry: Inquiry) -> ConditionAt:
    case = question.case
    value = _value(inquiry.vector, case)
    if value is not None:
        return ConditionAt(at=moment(at_ms), holds=True, value=decimal(value))
    verdict = inquiry.verdict(client_id=case.client_id, labels=case.row_labels)
    return ConditionAt(at=moment(at_ms), holds=_HOLDS[verdict], value=None)


def _value(vector: Vector, case: Case) -> float | None:
    """The value of the alert's own row."""
    wanted = {NAME: "", **case.row_labels}
    for row in np.flatnonzero(vector.labels.clients == case.client_id).tolist():
        labels = vector.labels.row(row)
        if {**labels, NAME: labels.get(NAME, "") if wanted[NAME] else ""} == wanted:
            return float(vector.values[row])
    return None


def _sayable(question: Question, reading: Asked, source: FixedSource) -> tuple[list[int], list[str]]:
    """The moments of which all that the expression looks at is kept, and words about the others."""
    made = [look for look in reading.looks if (look.selector.name or "") in MADE_HERE | question.recorded]
    back_ms = max((look.back_ms for look in reading.looks if look.pinned_ms is None), default=0)
    pinned = [look.span(0, 0)[0] for look in reading.looks if look.pinned_ms is not None]
    if any(begin_ms < reading.kept_ms for begin_ms in pinned):
        return [], ["the condition: it looks at a moment of which no samples are kept"]
    from_ms = reading.kept_ms + back_ms + question.query_offset_ms
    if made:
        from_ms = max(from_ms, since_ms(source, made, question.now_ms))
    moments = _moments(question, reading.spans)
    sayable = [at_ms for at_ms in moments if at_ms >= from_ms]
    if len(sayable) == len(moments):
        return sayable, []
    names = ", ".join(sorted({look.selector.name or "" for look in made}))
    because = (
        f"{names} is made by the server and kept as far as rules look back" if made else "samples are gone"
    )
    return sayable, [f"the condition before {_clock(from_ms)}: {because}"]


def _moments(question: Question, spans: Sequence[Span]) -> list[int]:
    """Moments spread over the spans, and those that matter."""
    marks = [
        at_ms
        for at_ms in (*question.case.marks, question.end_ms)
        if any(start <= at_ms <= end for start, end in spans)
    ]
    count = max(2, (MOST_POINTS - len(marks)) // len(spans))
    spread = [at_ms for span in spans for at_ms in np.linspace(*span, count).tolist()]
    seconds = {int(at_ms) // 1000 for at_ms in spread} - {at_ms // 1000 for at_ms in marks}
    return sorted({*marks, *(second * 1000 for second in seconds)})[-MOST_POINTS:]


def _clock(at_ms: int) -> str:
    return f"{moment(at_ms):%Y-%m-%d %H:%M:%S} UTC"
