"""One case of a unit test, played to the rules evaluation by evaluation, as the one anonymous client."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tocsin_server.alerts.alert import ALERT_NAME
from tocsin_server.alerts.ground import Yield
from tocsin_server.alerts.proclaim import ALERTS, SINCE, Proclaimer
from tocsin_server.alerts.recorder import Recorder
from tocsin_server.alerts.rules import AlertingRule, Group, Rule, RuleSet
from tocsin_server.alerts.state import ALARMING
from tocsin_server.alerts.tape import Tape, TapeFull
from tocsin_server.alerts.testfile import (
    AlertQuestion,
    Case,
    ExpectedAlert,
    ExpressionQuestion,
    Sample,
    UnitTests,
)
from tocsin_server.alerts.watch import Watch
from tocsin_server.promql import Expression, evaluate
from tocsin_server.promql.spelling import duration
from tocsin_server.promql.syntax import Selector, walk

_Member = tuple[Watch, Proclaimer] | Recorder


class Play:
    """A case being played. Like promtool it evaluates every group at every step, whatever its own interval."""

    def __init__(self, tests: UnitTests, case: Case, rules: RuleSet) -> None:
        self._tests = tests
        self._case = case
        self._tape = Tape()
        self._members = [self._member(group, rule) for group in rules.groups for rule in group.rules]

    def failures(self) -> Iterator[str]:
        """Everything in which the rules differ from what the case expects."""
        self._load()
        try:
            yield from self._played()
        except TapeFull as error:
            yield self._told(f"{error}: ask at an earlier eval_time, or of fewer series")
            return
        for asked in self._case.expressions:
            yield from self._ask_expression(asked)

    def _played(self) -> Iterator[str]:
        step_ms = self._tests.interval_ms
        questions: dict[int, list[AlertQuestion]] = {}
        for question in self._case.alerts:
            questions.setdefault(question.at_ms // step_ms, []).append(question)
        for step in range(self._case.steps(step_ms)) if self._members else sorted(questions):
            yield from self._evaluate(step * step_ms)
            for question in questions.get(step, ()):
                yield from self._ask_alerts(question)

    def _load(self) -> None:
        for series in self._case.series:
            played = [(index, value) for index, value in enumerate(series.values) if value is not None]
            times = [self._case.start_ms + index * self._case.interval_ms for index, _ in played]
            self._tape.load(series.labels, times, [value for _, value in played])

    def _member(self, group: Group, rule: Rule) -> _Member:
        if not isinstance(rule, AlertingRule):
            return Recorder(rule, Yield(rule.key, rule.name), limit=group.limit)
        watch = Watch(
            rule,
            host_of=lambda _client_id, _instance: None,
            limit=group.limit,
            external_labels=self._case.external_labels,
            external_url=self._case.external_url,
        )
        states, since = (Yield(f"{rule.key}/{name}", name) for name in (ALERTS, SINCE))
        return watch, Proclaimer(watch, states, since)

    def _evaluate(self, now_ms: int) -> Iterator[str]:
        for member in self._members:
            rule = member.rule if isinstance(member, Recorder) else member[0].rule
            for reason in self._turn(member, now_ms).values():
                yield self._told(f"rule: {rule.name}, time: {duration(now_ms)}, err: {reason}")

    def _turn(self, member: _Member, now_ms: int) -> Mapping[int, str]:
        now_ms += self._case.start_ms
        if isinstance(member, Recorder):
            return member.record(self._tape, at_ms=now_ms)
        watch, proclaimer = member
        judgement = watch.judge(self._tape, at_ms=now_ms, now_ms=now_ms)
        for change in judgement.changes:
            watch.keep(change.alert)
        proclaimer.proclaim(self._tape, now_ms)
        return judgement.failures

    def _ask_alerts(self, question: AlertQuestion) -> Iterator[str]:
        expected = [
            ExpectedAlert({**alert.labels, ALERT_NAME: question.alertname}, alert.annotations)
            for alert in question.expected
        ]
        got = list(self._firing(question.alertname))
        if sorted(map(_alert_text, expected)) != sorted(map(_alert_text, got)):
            what = f"alertname: {question.alertname}, time: {duration(question.at_ms)}"
            yield self._told(_difference(what, map(_alert_text, expected), map(_alert_text, got)))

    def _firing(self, alertname: str) -> Iterator[ExpectedAlert]:
        for member in self._members:
            if isinstance(member, Recorder) or member[0].rule.name != alertname:
                continue
            watch, _ = member
            for key, alert in watch.alerts.items():
                if alert.life.state in ALARMING:
                    value = watch.values.get(key, alert.value)
                    yield ExpectedAlert(alert.labels, watch.annotations(alert, value))

    def _ask_expression(self, question: ExpressionQuestion) -> Iterator[str]:
        what = f"expr: {question.expression.text!r}, time: {duration(question.at_ms)}"
        if question.is_native or self._asks_native(question.expression):
            yield self._told(f"{what}, refused: native histograms are not offered")
            return
        vector = evaluate(question.expression, self._tape, self._case.start_ms + question.at_ms)
        for reason in vector.failures.values():
            yield self._told(f"{what}, err: {reason}")
        got = [Sample(row.labels, row.value) for row in vector.rows()]
        if not vector.failures and not self._are_same(question.expected, got):
            yield self._told(_difference(what, map(_sample_text, question.expected), map(_sample_text, got)))

    def _asks_native(self, expression: Expression) -> bool:
        """Whether it asks for a series of the case that is not played."""
        native = [series.labels for series in self._case.series if series.is_native]
        selectors = [node for node in walk(expression.root) if isinstance(node, Selector)]
        return any(selector.selects(labels) for selector in selectors for labels in native)

    def _are_same(self, expected: Sequence[Sample], got: Sequence[Sample]) -> bool:
        left, right = sorted(expected, key=_by_labels), sorted(got, key=_by_labels)
        return [sample.labels for sample in left] == [sample.labels for sample in right] and all(
            _is_value(one.value, other.value, is_fuzzy=self._tests.is_fuzzy)
            for one, other in zip(left, right, strict=True)
        )

    def _told(self, failure: str) -> str:
        return f"name: {self._case.name}, {failure}" if self._case.name else failure


def _difference(what: str, expected: Iterable[str], got: Iterable[str]) -> str:
    def listed(texts: Iterable[str]) -> str:
        return "".join(f"\n            {text}" for text in sorted(texts)) or " nothing"

    return f"{what}\n        exp:{listed(expected)}\n        got:{listed(got)}"


def _by_labels(sample: Sample) -> list[tuple[str, str]]:
    return sorted(sample.labels.items())


def _is_value(expected: float, got: float, *, is_fuzzy: bool) -> bool:
    """The very same number; where the file says so, one that lies next to it."""
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return True
    return is_fuzzy and math.nextafter(expected, got) == got


def _alert_text(alert: ExpectedAlert) -> str:
    return f"labels {_labels_text(alert.labels)} annotations {_labels_text(alert.annotations)}"


def _sample_text(sample: Sample) -> str:
    return f"{_labels_text(sample.labels)} {sample.value!r}"


def _labels_text(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={labels[name]!r}" for name in sorted(labels)) + "}"
