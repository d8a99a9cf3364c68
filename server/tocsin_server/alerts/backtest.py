"""Rules over history: which alerts they would have fired, had they been in force.

    history ─▶ replay ─▶ past (a head of its own) ─▶ the same roster, watches and states as live ─▶ firings

Rules begin as far before the time that is asked as anything looks back, waits or pauses, as in hindsight: as it
begins, windows are full and alerts stand as they did. They are judged once a step, where live evaluation judges
a group without an interval each second: what is over within a step is not seen.

Nothing is said of a host before it is heard for the first time, nor of a client before any of its hosts is.
Where only roll-ups are left, a rule that looks at ranges with too few of them in is not judged, nor is one that
asks for what such a rule records.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import Alert, Change, Key
from tocsin_server.alerts.hindsight import INSTANTS, reach_ms
from tocsin_server.alerts.lint import SERVERS_OWN
from tocsin_server.alerts.past import Past
from tocsin_server.alerts.recorder import Recorder
from tocsin_server.alerts.roster import Course, Roster
from tocsin_server.alerts.rules import RecordingRule, RuleSet
from tocsin_server.alerts.state import ACTIVE
from tocsin_server.alerts.watch import Watch
from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.promql import Expression
from tocsin_server.promql.syntax import Range, walk
from tocsin_server.series.history.reader import FEWEST_IN_A_WINDOW, Covered
from tocsin_server.series.history.rollups import BUCKET_MS
from tocsin_server.series.history.stretches import HOUR_MS
from tocsin_server.series.source import LOOKBACK_MS

STEP_MS = 60_000
"""How often a group is judged that does not say so itself."""
MOST_HOURS = 6
"""So much is read at a time of few hosts, less of many."""

_HOLDING = ACTIVE - {AlertState.UNKNOWN}
"""States in which the condition is true, unless the alert is only kept firing."""

Read = Callable[[HostFacts, int, int], HostFrame | None]
"""What a host has sent in a time, both ends included."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert from when it fired until it resolved, within the time that was asked."""

    rule_key: str
    client_id: int
    fingerprint: str
    instance: str
    """The host that it is about; empty where it is about none."""
    begun_ms: int
    """Since when its condition was true, be it before that time."""
    from_ms: int
    to_ms: int
    is_active: bool
    """Whether it still fires as the time ends."""
    held_ms: int
    """The longest that its condition was true without a break: with a longer `for` it would not have fired."""

    @property
    def lasted_ms(self) -> int:
        return self.to_ms - self.from_ms


@dataclass(slots=True)
class _Run:
    """An alert under way: as it stands, since when its condition is true, and the longest that it was.

    `step_ms` is how often it is judged.
    """

    alert: Alert
    step_ms: int
    true_ms: int | None = None
    held_ms: int = 0

    def see_true(self, now_ms: int) -> None:
        """The condition is true, maybe since earlier."""
        self.true_ms = now_ms if self.true_ms is None else self.true_ms

    def see_false(self, before_ms: int) -> None:
        """It is not, or cannot be judged; with the evaluation before it was as it had been."""
        if self.true_ms is not None:
            self.held_ms = max(self.held_ms, before_ms - self.true_ms)
        self.true_ms = None


class Backtest:
    """`play` it to its end; then `firings` are what has come of it, each as it ended."""

    def __init__(
        self,
        rules: RuleSet,
        hosts: Sequence[HostFacts],
        covered: Mapping[int, Covered],
        *,
        start_ms: int,
        end_ms: int,
        interval_s: float,
        step_ms: int | None = None,
    ) -> None:
        """`covered` says by host of which time there is anything, from `lead_ms` before `start` on.

        A step takes the place of the groups' own intervals. `interval_s` is how often agents push.
        """
        self.rules = _paced(rules, step_ms)
        self.start_ms, self.end_ms = start_ms, end_ms
        self._covered = {host.id: covered[host.id] for host in hosts if host.id in covered}
        # As if enrolled at the end: who was not heard yet is unknown, and not silent.
        self._hosts = [replace(host, enrolled_ms=end_ms) for host in hosts if host.id in covered]
        self._past = Past(
            self._hosts,
            self.rules.windows(),
            interval_s=interval_s,
            rolled_until_ms={host_id: each.rolled_until_ms for host_id, each in self._covered.items()},
        )
        ids = {(host.client_id, host.name): host.id for host in self._hosts}
        self._roster = Roster(self.rules, host_of=lambda client_id, name: ids.get((client_id, name)))
        self.step_ms = min((group.interval_ms or STEP_MS for group in self.rules.groups), default=STEP_MS)
        self.moments = self._moments()
        """When rules are judged."""
        instants = INSTANTS * round(interval_s * 1000) // max(1, len(self._hosts))
        self._portion_ms = max(1, min(MOST_HOURS, instants // HOUR_MS)) * HOUR_MS
        self._runs: dict[tuple[str, Key], _Run] = {}
        self._judged_ms: dict[str, int] = {}
        self._heard_ms: dict[int, int] = {}
        self.judged_from_ms = judged_from(self.rules, self.samples_from_ms)
        """By rule from when on history is fine enough for it; 0 where it always is."""
        self.firings: list[Firing] = []
        self.failures: dict[str, str] = {}
        """By rule why it could not be evaluated, the first time."""

    @property
    def samples_from_ms(self) -> int:
        """From when on there are samples of every host; 0 where there always are."""
        return max((each.rolled_until_ms for each in self._covered.values()), default=0)

    @property
    def heard_from_ms(self) -> int:
        """When anybody was heard first, once it is played."""
        return min(self._heard_ms.values(), default=self.end_ms)

    @property
    def hosts(self) -> Sequence[HostFacts]:
        """The hosts of which there is anything."""
        return self._hosts

    def play(self, read: Read) -> Iterator[int]:
        """Judge step by step; gives way after each with its moment."""
        had_ms = self.moments.start - 1
        until_ms = had_ms
        for at_ms in self.moments:
            if at_ms > until_ms:
                had_ms, until_ms = until_ms, at_ms // HOUR_MS * HOUR_MS + self._portion_ms - 1
                self._take(read, had_ms, until_ms)
            self._judge(at_ms)
            yield at_ms
        for (rule_key, _), run in self._runs.items():
            run.see_false(self._judged_ms[rule_key])
            self._close(run, self._judged_ms[rule_key], is_active=True)

    def _moments(self) -> range:
        """From the lead on, or from the first hour that there is."""
        there_ms = min((each.from_ms for each in self._covered.values()), default=self.start_ms)
        first_ms = max(self.start_ms - lead_ms(self.rules), there_ms)
        return range(-(-first_ms // self.step_ms) * self.step_ms, self.end_ms + 1, self.step_ms)

    def _take(self, read: Read, had_ms: int, until_ms: int) -> None:
        for host in self._hosts:
            frame = read(host, had_ms + 1, until_ms)
            if frame is not None:
                first_ms = self._heard_ms.get(host.client_id, until_ms)
                self._heard_ms[host.client_id] = min(first_ms, frame.times_ms[0])
                self._past.take(self._thinned(frame), from_ms=had_ms, to_ms=until_ms)
        self._past.arrange()

    def _thinned(self, frame: HostFrame) -> HostFrame:
        """Where no rule looks at a range, of each step the newest instant alone: nobody sees the others."""
        if any(self.rules.windows().values()):
            return frame
        steps = -(-np.array(frame.times_ms, np.int64) // self.step_ms)
        newest = np.flatnonzero(np.diff(steps, append=steps[-1] + 1))
        times = [frame.times_ms[place] for place in newest.tolist()]
        return HostFrame(frame.host_id, frame.schema, times, frame.matrix[newest])

    def _judge(self, at_ms: int) -> None:
        self._past.go_to(at_ms)
        self._roster.prepare(self._past.head, at_ms)
        for course in self._roster.courses:
            if course.begin(at_ms):
                for member in course.members:
                    if at_ms >= self.judged_from_ms[member.rule.key]:
                        self._run(course, member, at_ms)

    def _run(self, course: Course, member: Watch | Recorder, at_ms: int) -> None:
        key = member.rule.key
        try:
            judgement = course.judge(member, self._past.head, at_ms)
        except Exception as error:  # noqa: BLE001 - one rule that fails leaves the others alone
            self.failures.setdefault(key, f"{type(error).__name__}: {error}")
            return
        for reason in judgement.failures.values():
            self.failures.setdefault(key, reason)
        for change in judgement.changes:
            if isinstance(member, Watch):
                member.keep(change.alert)
                self._note(change, at_ms, course.group.interval_ms or self.step_ms)
        self._judged_ms[key] = at_ms

    def _note(self, change: Change, at_ms: int, step_ms: int) -> None:
        alert = change.alert
        place = alert.rule_key, alert.key
        run = self._runs.setdefault(place, _Run(alert, step_ms))
        run.alert = alert
        if alert.life.state in _HOLDING and alert.life.keep_firing_since_ms is None:
            run.see_true(at_ms)
        else:
            run.see_false(self._judged_ms.get(alert.rule_key, at_ms))
        if alert.life.state not in ACTIVE:
            self._close(self._runs.pop(place), at_ms, is_active=False)

    def _close(self, run: _Run, at_ms: int, *, is_active: bool) -> None:
        alert, fired_ms = run.alert, run.alert.life.fired_ms
        since_ms = max(self.start_ms, self._heard_ms.get(alert.client_id, self.end_ms + 1))
        # What was true before anything was known is over with the first evaluation that knows better.
        if fired_ms is None or at_ms < since_ms or (fired_ms < since_ms and at_ms - since_ms < run.step_ms):
            return
        self.firings.append(
            Firing(
                rule_key=alert.rule_key,
                client_id=alert.client_id,
                fingerprint=alert.fingerprint,
                instance=alert.labels.get("instance", ""),
                begun_ms=fired_ms if alert.life.active_ms is None else alert.life.active_ms,
                from_ms=max(fired_ms, since_ms),
                to_ms=at_ms,
                is_active=is_active,
                held_ms=run.held_ms,
            )
        )


def lead_ms(rules: RuleSet) -> int:
    """How long before a time history is needed for rules to be judged in it."""
    return LOOKBACK_MS + reach_ms(rules)


def judged_from(rules: RuleSet, samples_from_ms: int) -> dict[str, int]:
    """By rule from when on it can be judged, where before `samples_from` there are roll-ups only.

    A rule with a range that would hold too few buckets waits for samples until its longest range is full of
    them, and a rule that asks for what such a one records waits for that. The others never wait, which is 0.
    """
    recorded = {rule.name for rule in rules.rules() if isinstance(rule, RecordingRule)}
    written: dict[str, int] = {}
    begins: dict[str, int] = {}
    for rule in rules.rules():
        windows = rule.expression.windows()
        is_fine = samples_from_ms and _wants_samples(rule.expression, recorded)
        waits_ms = max([samples_from_ms if is_fine else 0, *(written.get(name, 0) for name in windows)])
        begins[rule.key] = waits_ms + max(windows.values(), default=0) if waits_ms else 0
        if isinstance(rule, RecordingRule):
            written[rule.name] = max(written.get(rule.name, 0), begins[rule.key])
    return begins


def _wants_samples(expression: Expression, recorded: Collection[str]) -> bool:
    ranges = [node for node in walk(expression.root) if isinstance(node, Range)]
    return any(
        node.range_ms < FEWEST_IN_A_WINDOW * BUCKET_MS
        for node in ranges
        if node.selector.name not in SERVERS_OWN and node.selector.name not in recorded
    )


def _paced(rules: RuleSet, step_ms: int | None) -> RuleSet:
    """The rules with groups that all have an interval."""
    return RuleSet(
        tuple(replace(group, interval_ms=step_ms or group.interval_ms or STEP_MS) for group in rules.groups)
    )
