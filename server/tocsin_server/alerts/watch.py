"""One alerting rule and the alerts it holds, judged at a moment.

    rows of the expression ── true ──▶ state.advance ──▶ changes
    alerts without a row   ── promql.verdict: false or unknown ──▶ state.advance ──▶ changes

The expression is evaluated once for all clients, and only its rows and the alerts that are active are looked
at: healthy series cost nothing here. Judging proposes changes; `keep` takes one once it is durable.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import ALERT_NAME, REASON, Alert, Change, Key
from tocsin_server.alerts.fingerprint import fingerprint
from tocsin_server.alerts.rules import AlertingRule, OnNoData
from tocsin_server.alerts.state import ACTIVE, ALARMING, UNBORN, Life, Terms, advance
from tocsin_server.alerts.templates import Facts, Template, TemplateFailed
from tocsin_server.promql import Inquiry, Row, Vector, Verdict
from tocsin_server.series.labels import NAME, Labels, labels_of
from tocsin_server.series.source import Source
from tocsin_server.series.symbols import Symbols

HostOf = Callable[[int, str], int | None]
"""(client, instance) → host."""

_Seen = dict[Key, tuple[Alert, float]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one evaluation. A client in `failures` could not be judged: its alerts stay as they are."""

    changes: list[Change]
    failures: Mapping[int, str]


class Watch:
    """A rule with its active alerts. `limit` is how many rows it may have for one client; 0 is any number."""

    def __init__(
        self,
        rule: AlertingRule,
        *,
        host_of: HostOf,
        limit: int = 0,
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
    ) -> None:
        self.rule = rule
        self.alerts: dict[Key, Alert] = {}
        self.values: dict[Key, float] = {}
        """The last value of each active alert's row while there was one."""
        self.unwritten: dict[Key, Life] = {}
        """How those stand whose condition was seen, but nothing of it could be written: what is seen counts."""
        self._terms = Terms(rule.for_ms, rule.keep_firing_for_ms, rule.on_no_data)
        self._limit = limit
        self._host_of = host_of
        self._outside = Facts({}, math.nan, external_labels or {}, external_url)
        self._form: tuple[Hashable, ...] = ()
        self._newborns: dict[tuple[int, ...], Alert] = {}
        """By the keys of rows of this form: these symbols and columns."""
        self._asked: Labels | None = None
        self._asked_rows: list[tuple[int, None, Mapping[str, str]]] = []
        self._remembers = not any(template.uses_value for template in rule.labels.values())

    def judge(self, source: Source, *, at_ms: int, now_ms: int) -> Judgement:
        """Evaluate at `at_ms`; `now_ms` is the moment that counts for `for`."""
        inquiry = Inquiry(self.rule.expression, source, at_ms)
        failures = dict(inquiry.vector.failures)
        seen = self._identified(inquiry.vector, failures)
        self._forget_unwritten(seen, failures)
        missed = {key: alert for key, alert in self.alerts.items() if key not in seen}
        self.values = {key: self.values.get(key, alert.value) for key, alert in missed.items()}
        self.values |= {key: value for key, (_, value) in seen.items()}
        judged = {key: alert for key, alert in missed.items() if alert.client_id not in failures}
        changes = [*self._held(seen, now_ms), *self._missed(judged, inquiry, now_ms)]
        return Judgement(changes, failures)

    def keep(self, alert: Alert) -> None:
        """Take a change: from now on the alert stands like this."""
        self.unwritten.pop(alert.key, None)
        if alert.life.state in ACTIVE:
            self.alerts[alert.key] = alert
        else:
            self.alerts.pop(alert.key, None)

    def postpone(self, alert: Alert) -> None:
        """A change cannot be written. Since when a condition is true is remembered; what rings has rung."""
        if self._is_alarming(alert.key):
            return
        since_ms = alert.life.active_ms
        self.unwritten[alert.key] = UNBORN if since_ms is None else Life(AlertState.PENDING, since_ms)

    def begin_anew(self, alert: Alert) -> None:
        """Its rule was gone, and nothing of that could be written: what was pending is no longer."""
        if alert.life.state is AlertState.PENDING:
            self.unwritten[alert.key] = UNBORN

    def inherit(self, before: "Watch") -> None:
        """Go on from an earlier version of the rule with what it could not write."""
        self.unwritten = before.unwritten

    def owns(self, alert: Alert) -> bool:
        """Whether an alert of an earlier version of the rule is still one of this one's."""
        return not self._remembers or fingerprint(self._labels(alert.row, alert.value)) == alert.fingerprint

    def annotations(self, alert: Alert, value: float) -> dict[str, str]:
        """The annotations as they read with this value."""
        return self._filled(self.rule.annotations, alert.row, value)

    def _identified(self, vector: Vector, failures: dict[int, str]) -> _Seen:
        """The rows by their alerts' keys, less those of clients that fail."""
        seen: _Seen = {}
        for newborn, value in zip(self._newborns_of(vector), vector.values.tolist(), strict=True):
            key = newborn.key
            if key in seen:
                failures[newborn.client_id] = f"two results are the same alert: {dict(newborn.labels)}"
            seen[key] = (self.alerts.get(key, newborn), value)
        self._check_limit(seen, failures)
        if not failures:
            return seen
        return {key: row for key, row in seen.items() if key[0] not in failures}

    def _newborns_of(self, vector: Vector) -> list[Alert]:
        """The alert that each row is at first, taken over from the last round where the row was there."""
        labels = vector.labels
        form = (labels.symbols, *labels.columns)
        known = self._newborns if form == self._form else {}
        keys = labels.row_keys()
        newborns = [known.get(key) or self._newborn(vector.row(index)) for index, key in enumerate(keys)]
        self._form, self._newborns = form, dict(zip(keys, newborns, strict=True)) if self._remembers else {}
        return newborns

    def _check_limit(self, seen: _Seen, failures: dict[int, str]) -> None:
        if not self._limit:
            return
        for client_id, count in Counter(client_id for client_id, _ in seen).items():
            if count > self._limit:
                failures[client_id] = f"{count} alerts are more than the group's limit of {self._limit}"

    def _held(self, seen: _Seen, now_ms: int) -> Iterator[Change]:
        for alert, value in seen.values():
            life = advance(self._life(alert), Verdict.TRUE, self._terms, now_ms)
            if life != alert.life:
                yield self._change(alert, life, value, now_ms)

    def _missed(self, alerts: Mapping[Key, Alert], inquiry: Inquiry, now_ms: int) -> Iterator[Change]:
        retired = {key for key, alert in alerts.items() if self._is_retired(alert)}
        asked = {
            key: alert for key, alert in alerts.items() if key not in retired and self._needs_asking(alert)
        }
        answers = self._answers(asked, inquiry) if asked else {}
        for key, alert in alerts.items():
            life = advance(self._life(alert), answers.get(key, Verdict.FALSE), self._terms, now_ms)
            if life != alert.life:
                change = self._change(alert, life, self.values[key], now_ms)
                yield _because_retired(change) if key in retired else change

    def _life(self, alert: Alert) -> Life:
        return self.unwritten.get(alert.key, alert.life)

    def _forget_unwritten(self, seen: _Seen, failures: Mapping[int, str]) -> None:
        """What was never written and is no longer true has not been."""
        for key in [key for key in self.unwritten if key not in seen and key not in self.alerts]:
            if key[0] not in failures:
                del self.unwritten[key]

    def _is_alarming(self, key: Key) -> bool:
        return key in self.alerts and self.alerts[key].life.state in ALARMING

    def _needs_asking(self, alert: Alert) -> bool:
        """Whether it makes a difference if its condition is false or unknown."""
        return alert.life.state is not AlertState.PENDING and self.rule.on_no_data is not OnNoData.RESOLVE

    def _answers(self, alerts: Mapping[Key, Alert], inquiry: Inquiry) -> dict[Key, Verdict]:
        """False or unknown. True without a row of its own is false: the row has become another alert."""
        verdicts = inquiry.verdicts(self._rows_of(alerts.values(), inquiry.symbols))
        return {
            key: Verdict.FALSE if answer is Verdict.TRUE else answer
            for key, answer in zip(alerts, verdicts, strict=True)
        }

    def _rows_of(self, alerts: Iterable[Alert], symbols: Symbols) -> Labels:
        """The alerts' rows; the same object while they are the same, for the sake of what it remembers."""
        rows = [(alert.client_id, None, alert.row) for alert in alerts]
        if self._asked is None or self._asked.symbols is not symbols or rows != self._asked_rows:
            self._asked, self._asked_rows = labels_of(symbols, rows), rows
        return self._asked

    def _is_retired(self, alert: Alert) -> bool:
        """Whether its host is watched no longer: nothing will ever be known of it again."""
        instance = alert.row.get("instance")
        if alert.host_id is None or instance is None:
            return False
        return self._host_of(alert.client_id, instance) != alert.host_id

    def _change(self, alert: Alert, life: Life, value: float, now_ms: int) -> Change:
        annotations = self.annotations(alert, value)
        expression = self.rule.expression.text
        stands = replace(alert, expression=expression, life=life, value=value, annotations=annotations)
        return Change(alert.life.state, stands, now_ms)

    def _newborn(self, row: Row) -> Alert:
        labels = self._labels(row.labels, row.value)
        host_id = row.host_id
        if host_id is None and "instance" in labels:
            host_id = self._host_of(row.client_id, labels["instance"])
        return Alert(
            rule_key=self.rule.key,
            expression=self.rule.expression.text,
            client_id=row.client_id,
            host_id=host_id,
            labels=labels,
            fingerprint=fingerprint(labels),
            row=row.labels,
        )

    def _labels(self, row: Mapping[str, str], value: float) -> dict[str, str]:
        labels = {name: text for name, text in row.items() if name != NAME}
        labels |= self._filled(self.rule.labels, row, value)
        labels[ALERT_NAME] = self.rule.name
        return {name: text for name, text in labels.items() if text}

    def _filled(
        self, templates: Mapping[str, Template], row: Mapping[str, str], value: float
    ) -> dict[str, str]:
        facts = replace(self._outside, labels=row, value=value)
        return {name: _filled(template, facts) for name, template in templates.items()}


def _because_retired(change: Change) -> Change:
    annotations = {**change.alert.annotations, REASON: "the host is watched no longer"}
    return replace(change, alert=replace(change.alert, annotations=annotations))


def _filled(template: Template, facts: Facts) -> str:
    """The text; where it fails the reason, as Prometheus says it: an alarm without its text is still one."""
    try:
        return template.fill(facts)
    except TemplateFailed as error:
        return f"<error expanding template: {error}>"
