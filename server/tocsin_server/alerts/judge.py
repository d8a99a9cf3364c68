"""The judge: all rules in force, round by round.

    replace_rules ─▶ round (under the head's lock: decides) ─▶ settle (without it: writes) ─▶ the desk

A round changes nothing that matters: it proposes changes, and `settle` writes them in one transaction before
they count. Where the write fails everything stays as it was, and the next round proposes the same again; only
since when a condition is true is remembered, or a full disk would begin every `for` anew.
One rule that fails, or one client for which it fails, leaves the others alone; their alerts stay as they are.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from tocsin_protocol.status import RuleProblem
from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.alert import REASON, Alert, Change, Key
from tocsin_server.alerts.deliveries import PLAIN, Deliveries, Surroundings
from tocsin_server.alerts.roster import Course, Roster
from tocsin_server.alerts.rules import Group, Rule, RuleSet
from tocsin_server.alerts.settle import active_alerts, calm_and_flapping, histories, write_changes
from tocsin_server.alerts.state import ACTIVE, UNBORN
from tocsin_server.alerts.watch import HostOf, Watch
from tocsin_server.health import Health
from tocsin_server.series.head import Head
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()

_GONE = "the rule is no longer in force, or names this alert otherwise"


@dataclass(frozen=True, slots=True)
class Round:
    """What one round has found; nothing of it counts before it is settled."""

    at_ms: int
    took_s: float
    changes: tuple[Change, ...]


class Judge:
    """All rules in force and their alerts. `round` and `settle` belong to one thread, in turn."""

    def __init__(
        self,
        *,
        head: Head,
        storage: Storage,
        health: Health,
        host_of: HostOf,
        surroundings: Surroundings = PLAIN,
    ) -> None:
        self._head = head
        self._storage = storage
        self._health = health
        self._host_of = host_of
        self._deliveries = Deliveries(surroundings)
        self._rules = RuleSet()
        self._is_renewed = False
        self._roster = Roster(self._rules, host_of=host_of)
        self._places: dict[int, tuple[Watch, Key]] = {}
        """Where the alert of a row is, for whoever asks by its id."""
        self._restored: list[Alert] = []
        self._gone: dict[tuple[str, Key], Alert] = {}
        """Alerts whose rule has gone, until it is written that they are resolved."""
        self._failing: dict[str, RuleProblem] = {}
        self._has_write_failed = False

    @property
    def rules(self) -> RuleSet:
        """The rules in force; just after `replace_rules` those that are with the next round."""
        return self._rules

    @property
    def problems(self) -> list[RuleProblem]:
        """The rules that could not be evaluated the last time."""
        return list(self._failing.values())

    def live_value(self, alert_id: int) -> float | None:
        """The value of an active alert's expression, as of the last round that saw it true."""
        place = self._places.get(alert_id)
        if place is None:
            return None
        watch, key = place
        return watch.values.get(key)

    def restore(self, now_ms: int) -> None:
        """Take up the alerts that were active at the last end; their rules get them with the next round."""
        self._restored = self._storage.read(active_alerts)
        flaps = self._storage.read(partial(histories, now_ms=now_ms))
        self._deliveries.restore(flaps, self._storage.read(calm_and_flapping))

    def replace_rules(self, rules: RuleSet) -> None:
        """Put other rules in force with the next round; callable from any thread."""
        with self._head.lock:
            self._head.require(rules.windows())
            self._rules = rules
            self._is_renewed = True

    def round(self, now_ms: int) -> Round:
        """Judge what is due. The caller holds the head's lock."""
        began = time.perf_counter()
        if self._is_renewed:
            self._is_renewed = False
            self._adopt(self._rules)
        self._roster.prepare(self._head, now_ms)
        due = [course for course in self._roster.courses if course.begin(now_ms)]
        changes = [change for course in due for change in self._run(course, now_ms)]
        changes += [_gone(alert, now_ms) for alert in self._gone.values()]
        weighed = self._deliveries.weigh(changes, self._active(), now_ms)
        dated = tuple(replace(change, sample_ms=self._sample_ms(change.alert)) for change in weighed)
        took_s = time.perf_counter() - began
        self._health.evaluation.observe(took_s)
        return Round(now_ms, took_s, dated)

    def settle(self, done: Round) -> int:
        """Write what a round has found, then let it count; of how many changes the desk is to hear."""
        if not done.changes:
            return 0
        try:
            ids = self._storage.write(partial(write_changes, changes=done.changes))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round proposes the same again
            if not self._has_write_failed:
                _log.error(
                    "alerts cannot be written and are tried again", action="settle_failed", error=str(error)
                )
            self._has_write_failed = True
            self._postpone(done.changes)
            return 0
        self._has_write_failed = False
        for change, row_id in zip(done.changes, ids, strict=True):
            self._keep(replace(change.alert, id=row_id))
        self._deliveries.settled(done.changes)
        self._count(done.changes)
        return sum(change.is_told for change in done.changes)

    def _run(self, course: Course, now_ms: int) -> Iterator[Change]:
        for member in course.members:
            try:
                judgement = course.judge(member, self._head, now_ms)
            except Exception as error:  # noqa: BLE001 - one rule that fails leaves the others alone
                self._note(course.group, member.rule, f"{type(error).__name__}: {error}", error)
                continue
            self._note(course.group, member.rule, _told(judgement.failures))
            yield from judgement.changes

    def _note(self, group: Group, rule: Rule, reason: str, error: Exception | None = None) -> None:
        """Remember whether a rule fails, and say it once."""
        if not reason:
            self._failing.pop(rule.key, None)
            return
        self._health.rule_failures.labels(rule=rule.key).inc()
        problem = RuleProblem(file=group.file, group=group.name, rule=rule.name, reason=reason)
        if self._failing.get(rule.key) != problem:
            _log.error(
                "a rule cannot be evaluated", action="rule_failed", rule=rule.key, reason=reason, exc_info=error
            )
        self._failing[rule.key] = problem

    def _adopt(self, rules: RuleSet) -> None:
        """Put rules in force; alerts go on where a rule of the same key still names them so."""
        gone = self._gone
        alerts = [*self._restored, *self._active(), *gone.values()]
        self._restored, self._gone, self._places = [], {}, {}
        self._roster = Roster(rules, host_of=self._host_of, before=self._roster)
        for alert in alerts:
            watch = self._roster.watches.get(alert.rule_key)
            if watch is not None and watch.owns(alert):
                self._keep(alert)
                if (alert.rule_key, alert.key) in gone:
                    watch.begin_anew(alert)
            else:
                self._gone[alert.rule_key, alert.key] = alert
        keys = {rule.key for rule in rules.rules()}
        self._failing = {key: problem for key, problem in self._failing.items() if key in keys}
        self._health.rules.set(len(rules))
        self._count_withheld()

    def _active(self) -> Iterator[Alert]:
        return (alert for watch in self._roster.watches.values() for alert in watch.alerts.values())

    def _keep(self, alert: Alert) -> None:
        """An alert stands as it is written."""
        if self._gone.pop((alert.rule_key, alert.key), None) is not None or alert.id is None:
            return
        watch = self._roster.watches.get(alert.rule_key)
        if watch is None:
            return  # one that has ended, and that a rule of other days has left flapping
        watch.keep(alert)
        if alert.key in watch.alerts:
            self._places[alert.id] = watch, alert.key
        else:
            self._places.pop(alert.id, None)

    def _postpone(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            alert = change.alert
            is_watched = change.is_transition or alert.life.state in ACTIVE
            if is_watched and (alert.rule_key, alert.key) not in self._gone:
                self._roster.watches[alert.rule_key].postpone(alert)

    def _sample_ms(self, alert: Alert) -> int | None:
        return None if alert.host_id is None else self._head.newest_ms(alert.host_id)

    def _count(self, changes: tuple[Change, ...]) -> None:
        told = Counter(change.alert.life.state for change in changes if change.is_transition)
        for state, count in told.items():
            self._health.transitions.labels(state=state.value).inc(count)
        counts = Counter(alert.life.state for alert in self._active())
        for state in ACTIVE:
            self._health.alerts.labels(state=state.value).set(counts[state])
        self._count_withheld()

    def _count_withheld(self) -> None:
        kinds = Counter(kind for alert in self._active() for kind in {each.kind for each in alert.suppressed})
        for kind in SuppressionKind:
            self._health.alerts_suppressed.labels(reason=kind.value).set(kinds[kind])


def _gone(alert: Alert, now_ms: int) -> Change:
    """The end of an alert whose rule has gone: Prometheus forgets it, we say so."""
    if alert.life.state is AlertState.PENDING:
        life = UNBORN
    else:
        life = replace(alert.life, state=AlertState.RESOLVED, keep_firing_since_ms=None, resolved_ms=now_ms)
    annotations = {**alert.annotations, REASON: _GONE}
    return Change(alert.life.state, replace(alert, life=life, annotations=annotations), now_ms)


def _told(failures: Mapping[int, str]) -> str:
    """Why a rule fails, where it does so for some clients only."""
    if not failures:
        return ""
    client_id, reason = next(iter(failures.items()))
    others = f" and {len(failures) - 1} others" if len(failures) > 1 else ""
    return f"for client {client_id}{others}: {reason}"
