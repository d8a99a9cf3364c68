"""Rules in hindsight: what they would have said of a gap, had its data come when it was made.

    journal ─▶ past (a head of its own) ─▶ the same roster, watches and states as live ─▶ episodes

The rules begin as far before the gap as anything looks back, waits or pauses: as the gap begins, windows are
full and alerts stand as they did. An alert counts that begins within the span of its host and ends there too;
what is true before or still is after is live evaluation's. An alert without a host counts within the whole gap,
as far back as the journal has everybody's frames. Nothing is written, and no lock of the living is held; the
caller rests between steps.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil

import structlog

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import Change, Key
from tocsin_server.alerts.episode import Episode
from tocsin_server.alerts.past import Past
from tocsin_server.alerts.recorder import Recorder
from tocsin_server.alerts.roster import Course, Roster
from tocsin_server.alerts.rules import AlertingRule, RuleSet
from tocsin_server.alerts.watch import HostOf, Watch
from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.gaps import Gap
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.late import Span
from tocsin_server.series.source import LOOKBACK_MS

_log = structlog.get_logger()

PORTION_MS = 600_000
"""So much is read from the journal at a time, of few hosts; less of many."""
INSTANTS = 100_000
"""About as many are held at a time."""
_LAG = 10
"""A step comes a tenth of the interval after the frame that it is for: no clock ticks to the millisecond."""

Read = Callable[[int, int], Iterable[HostFrame]]
"""The frames of the client's hosts with an instant in this time, in any order."""


class Hindsight:
    """One gap under judgement. `play` it to its end; then `episodes` are what has come of it, by their ends."""

    def __init__(
        self,
        gap: Gap,
        rules: RuleSet,
        hosts: Sequence[HostFacts],
        *,
        host_of: HostOf,
        interval_s: float,
        whole_from_ms: int = 0,
    ) -> None:
        """`hosts` are all of the client's; from `whole_from_ms` on the journal has the frames of each."""
        windows = rules.windows()
        self._gap = gap
        self._interval_ms = round(interval_s * 1000)
        self._past = Past(hosts, windows, interval_s=interval_s)
        self._roster = Roster(rules, host_of=host_of)
        self._back_ms = LOOKBACK_MS + reach_ms(rules)
        self._portion_ms = max(60_000, min(PORTION_MS, INSTANTS * self._interval_ms // max(1, len(hosts))))
        self._whole = Span(0, max(gap.from_ms, whole_from_ms), gap.to_ms, 0, 0, 0)
        self._under_way: dict[tuple[str, Key], list[Change]] = {}
        self._failed: set[str] = set()
        self.episodes: list[Episode] = []

    def play(self, read: Read) -> Iterator[None]:
        """Judge step by step; gives way after each frame and each rule."""
        steps = self._steps()
        had_ms = steps[0] - self._interval_ms
        while steps:
            until_ms = steps[0] + self._portion_ms
            portion = [at_ms for at_ms in steps if at_ms <= until_ms]
            steps = steps[len(portion) :]
            for frame in read(had_ms, portion[-1]):
                self._past.take(frame, from_ms=had_ms, to_ms=portion[-1])
                yield
            self._past.arrange()
            had_ms = portion[-1]
            for at_ms in portion:
                yield from self._judge(at_ms)

    def _steps(self) -> range:
        """From far enough before the gap until live evaluation has taken over."""
        step_ms = self._interval_ms
        first_ms = self._gap.from_ms + step_ms // _LAG
        before = ceil(self._back_ms / step_ms)
        inside = ceil((self._gap.to_ms - self._gap.from_ms) / step_ms) + 1
        return range(first_ms - before * step_ms, first_ms + inside * step_ms + 1, step_ms)

    def _judge(self, at_ms: int) -> Iterator[None]:
        self._past.go_to(at_ms)
        self._roster.prepare(self._past.head, at_ms)
        for course in [course for course in self._roster.courses if course.begin(at_ms)]:
            for member in course.members:
                self._run(course, member, at_ms)
                yield

    def _run(self, course: Course, member: Watch | Recorder, at_ms: int) -> None:
        try:
            changes = course.judge(member, self._past.head, at_ms).changes
            if isinstance(member, Watch):
                for change in changes:
                    member.keep(change.alert)
                    self._note(change)
        except Exception as error:  # noqa: BLE001 - one rule that fails leaves the others alone
            if member.rule.key not in self._failed:
                _log.error(
                    "a rule cannot be evaluated over late data",
                    action="late_rule_failed",
                    rule=member.rule.key,
                    reason=f"{type(error).__name__}: {error}",
                )
            self._failed.add(member.rule.key)

    def _note(self, change: Change) -> None:
        if not change.is_transition:
            return
        alert = change.alert
        place = alert.rule_key, alert.key
        sample_ms = None if alert.host_id is None else self._past.head.newest_ms(alert.host_id)
        changes = self._under_way.setdefault(place, [])
        changes.append(replace(change, sample_ms=sample_ms))
        if alert.life.state in (AlertState.INACTIVE, AlertState.RESOLVED):
            episode = Episode(tuple(self._under_way.pop(place)))
            if alert.life.state is AlertState.RESOLVED and self._is_within(episode):
                self.episodes.append(episode)

    def _is_within(self, episode: Episode) -> bool:
        host_id = episode.alert.host_id
        span = self._whole if host_id is None else self._gap.spans.get(host_id)
        if span is None:
            return False
        is_cut = host_id in self._gap.cut if host_id is not None else bool(self._gap.cut)
        # Of what is there with the first sample that has come nobody knows yet since when.
        begin_ms = span.from_ms + (2 * self._interval_ms if is_cut else 0)
        return begin_ms <= episode.from_ms and episode.to_ms <= span.to_ms + 2 * self._interval_ms


def reach_ms(rules: RuleSet) -> int:
    """From how long ago on something matters for what rules say now."""
    waits = [rule.for_ms + rule.keep_firing_for_ms for rule in rules.rules() if isinstance(rule, AlertingRule)]
    pauses = [group.interval_ms or 0 for group in rules.groups]
    return max([0, *rules.windows().values()]) + max([0, *waits]) + max([0, *pauses])
