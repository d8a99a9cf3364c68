"""A file of unit tests for rules, in promtool's format, read as strictly as promtool reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from tocsin_server.alerts.durations import parse_duration
from tocsin_server.alerts.moments import parse_moment
from tocsin_server.alerts.notation import NativeHistogram, parse_series, parse_values
from tocsin_server.promql import BadExpression, Expression, parse
from tocsin_server.yaml_files import read_text
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, composed, scalar

DEFAULT_INTERVAL_MS = 60_000
MOST_VALUES = 2_000_000
"""Of all series of a file; each takes about 200 bytes while it is played."""

_FILE_FIELDS = ("rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests")
_CASE_FIELDS = (
    "name",
    "interval",
    "start_timestamp",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InputSeries:
    """A series that a case plays; None is a gap. A native histogram is not played."""

    labels: Mapping[str, str]
    values: tuple[float | None, ...]
    is_native: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """One alert that has to fire."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertQuestion:
    """Which alerts of a name fire at a moment."""

    at_ms: int
    alertname: str
    expected: tuple[ExpectedAlert, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of an expression's result."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class ExpressionQuestion:
    """What an expression gives at a moment."""

    at_ms: int
    expression: Expression
    expected: tuple[Sample, ...]
    is_native: bool = False
    """Whether native histograms are expected, which makes it a question that cannot be answered."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test: series, and questions to ask while they play."""

    name: str
    interval_ms: int
    start_ms: int
    """The moment at which series and evaluations begin; all moments of questions count from it."""
    series: tuple[InputSeries, ...]
    alerts: tuple[AlertQuestion, ...]
    expressions: tuple[ExpressionQuestion, ...]
    external_labels: Mapping[str, str]
    external_url: str
    line: int

    @property
    def end_ms(self) -> int:
        questions: list[AlertQuestion | ExpressionQuestion] = [*self.alerts, *self.expressions]
        return max((question.at_ms for question in questions), default=0)

    def steps(self, interval_ms: int) -> int:
        """How many times rules are judged that are judged as often as this."""
        return self.end_ms // interval_ms + 1


@dataclass(frozen=True, slots=True)
class UnitTests:
    """A whole file. `rule_files` are patterns, relative to it."""

    rule_files: tuple[str, ...]
    interval_ms: int
    group_order: tuple[str, ...]
    is_fuzzy: bool
    cases: tuple[Case, ...]


def read_unit_tests(path: Path) -> UnitTests:
    """Read a file; raises `BadYaml`."""
    document = composed(read_text(path))
    if document is None:
        raise BadYaml(1, "the file is empty")
    fields = Fields(document, _FILE_FIELDS, what="a file of unit tests")
    interval_ms = _duration(fields, "evaluation_interval", DEFAULT_INTERVAL_MS) or DEFAULT_INTERVAL_MS
    allowance = _Allowance()
    return UnitTests(
        rule_files=tuple(scalar(node, "a rule file") for node in fields.items("rule_files")),
        interval_ms=interval_ms,
        group_order=tuple(scalar(node, "a group") for node in fields.items("group_eval_order")),
        is_fuzzy=fields.text("fuzzy_compare", "false").text == "true",
        cases=tuple(_case(node, interval_ms, allowance) for node in fields.items("tests")),
    )


class _Allowance:
    """How many values the series of a file may have yet: a short text may ask for very many."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def take(self, count: int, line: int) -> None:
        self._left -= count
        if self._left < 0:
            raise BadYaml(
                line,
                f"up to this one the input series have more than {MOST_VALUES} values: "
                "shorten them, or split the file",
            )


def _case(node: yaml.Node, interval_ms: int, allowance: _Allowance) -> Case:
    fields = Fields(node, _CASE_FIELDS, what="a test")
    return Case(
        name=fields.text("name").text,
        interval_ms=_duration(fields, "interval", interval_ms) or interval_ms,
        start_ms=_read(fields.text("start_timestamp", "0"), _moment),
        series=tuple(_series(item, allowance) for item in fields.items("input_series")),
        alerts=tuple(_alert_question(item) for item in fields.items("alert_rule_test")),
        expressions=tuple(_expression_question(item) for item in fields.items("promql_expr_test")),
        external_labels=_labels(fields, "external_labels"),
        external_url=fields.text("external_url").text,
        line=fields.line,
    )


def _series(node: yaml.Node, allowance: _Allowance) -> InputSeries:
    fields = Fields(node, ("series", "values"), what="an input series")
    labels, values = _read(fields.wanted("series"), parse_series), fields.text("values")
    try:
        expanded = tuple(parse_values(values.text))
    except NativeHistogram:
        return InputSeries(labels, (), is_native=True)
    except ValueError as error:
        raise BadYaml(values.line, str(error)) from error
    allowance.take(max(1, len(expanded)), values.line)
    return InputSeries(labels, expanded)


def _alert_question(node: yaml.Node) -> AlertQuestion:
    fields = Fields(node, ("eval_time", "alertname", "exp_alerts"), what="an alert_rule_test")
    return AlertQuestion(
        at_ms=_duration(fields, "eval_time", 0),
        alertname=fields.wanted("alertname").text,
        expected=tuple(_expected_alert(item) for item in fields.items("exp_alerts")),
    )


def _expected_alert(node: yaml.Node) -> ExpectedAlert:
    fields = Fields(node, ("exp_labels", "exp_annotations"), what="an expected alert")
    return ExpectedAlert(_labels(fields, "exp_labels"), _labels(fields, "exp_annotations"))


def _expression_question(node: yaml.Node) -> ExpressionQuestion:
    fields = Fields(node, ("expr", "eval_time", "exp_samples"), what="a promql_expr_test")
    samples = [_sample(item) for item in fields.items("exp_samples")]
    return ExpressionQuestion(
        at_ms=_duration(fields, "eval_time", 0),
        expression=_read(fields.wanted("expr"), parse),
        expected=tuple(sample for sample in samples if sample is not None),
        is_native=None in samples,
    )


def _sample(node: yaml.Node) -> Sample | None:
    """None for a native histogram."""
    fields = Fields(node, ("labels", "value", "histogram"), what="an expected sample")
    if fields.text("histogram").text:
        return None
    labels = fields.text("labels")
    # YAML writes infinity and NaN with a dot, Prometheus without.
    value = _read(
        fields.text("value", "0"), lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan"))
    )
    return Sample(_read(labels, parse_series) if labels.text else {}, value)


def _labels(fields: Fields, name: str) -> dict[str, str]:
    return {key: text.text for key, text in fields.texts(name).items()}


def _duration(fields: Fields, name: str, default_ms: int) -> int:
    return default_ms if fields.node(name) is None else _read(fields.text(name), parse_duration)


def _moment(text: str) -> int:
    try:
        return parse_moment(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a moment such as 1609459200 or 2021-01-01T00:00:00Z") from None


def _read(text: Text, parser: Callable[[str], T]) -> T:
    try:
        return parser(text.text)
    except (ValueError, BadExpression) as error:
        raise BadYaml(text.line, str(error)) from error
