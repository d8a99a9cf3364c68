"""Rule files in Prometheus's own format, read strictly and all or nothing.

Every mistake is found at load and reported with file, line, group, rule and reason; then nothing of the
files comes into force and whoever asked keeps what was in force before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import yaml

from tocsin_server.alerts.durations import parse_duration
from tocsin_server.alerts.rulekeys import with_own_keys
from tocsin_server.alerts.rules import AlertingRule, Group, OnNoData, RecordingRule, Rule, RuleSet
from tocsin_server.alerts.templates import Template, parse_template
from tocsin_server.promql import Expression, parse
from tocsin_server.promql.errors import BadExpression
from tocsin_server.yaml_files import FileErrors, read_text, yaml_files
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, composed

ON_NO_DATA = "tocsin_on_no_data"

_GROUP_FIELDS = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE_FIELDS = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_METRIC_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*", re.ASCII)

_COUNT = re.compile(r"[0-9]{1,18}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RuleFileError:
    """One thing that is wrong in a rule file. `line` counts from 1; `group` and `rule` are empty above them."""

    file: str
    line: int
    group: str
    rule: str
    reason: str

    def __str__(self) -> str:
        group = f", group {self.group!r}" if self.group else ""
        rule = f", rule {self.rule!r}" if self.rule else ""
        return f"{self.file}:{self.line}{group}{rule}: {self.reason}"


class RuleFileErrors(FileErrors[RuleFileError]):
    """Rule files that were refused, with everything that is wrong in them."""

    def __init__(self, errors: Sequence[RuleFileError]) -> None:
        super().__init__(errors, remedy="tocsin-server rules check FILES shows them all")


def load_rule_files(paths: Iterable[Path] | Path) -> RuleSet:
    """Read files, and the `*.yml` and `*.yaml` directly in folders, in the order given.

    Raises `RuleFileErrors` with everything that is wrong; then nothing is loaded.
    """
    errors: list[RuleFileError] = []
    groups = [group for path in yaml_files(paths) for group in _read(path, errors)]
    if errors:
        raise RuleFileErrors(errors)
    return RuleSet(tuple(with_own_keys(groups)))


def _read(path: Path, errors: list[RuleFileError]) -> list[Group]:
    try:
        text = read_text(path)
        document = composed(text)
        if document is None:
            return []
        nodes = Fields(document, ("groups",), what="a rule file").items("groups")
    except BadYaml as error:
        errors.append(RuleFileError(str(path), error.line, "", "", error.reason))
        return []
    reading = _FileReading(path, errors)
    return [group for node in nodes if (group := reading.group(node)) is not None]


class _FileReading:
    """One file being read: collects errors and goes on with the next rule."""

    def __init__(self, path: Path, errors: list[RuleFileError]) -> None:
        self._path = path
        self._errors = errors
        self._names: set[str] = set()

    def group(self, node: yaml.Node) -> Group | None:
        name = ""
        try:
            fields = Fields(node, _GROUP_FIELDS, what="a group")
            name = fields.wanted("name").text
            group, labels, nodes = self._empty(fields, name), _plain_labels(fields), fields.items("rules")
        except BadYaml as error:
            self._errors.append(RuleFileError(str(self._path), error.line, name, "", error.reason))
            return None
        rules = (self._rule(rule, name, labels) for rule in nodes)
        return replace(group, rules=tuple(rule for rule in rules if rule is not None))

    def _empty(self, fields: Fields, name: str) -> Group:
        """A group without its rules."""
        if name in self._names:
            raise BadYaml(fields.line, f"group {name!r} stands twice in this file")
        self._names.add(name)
        return Group(
            file=self._path.name,
            name=name,
            rules=(),
            interval_ms=_duration(fields, "interval") or None,
            limit=_count(fields, "limit"),
            query_offset_ms=_duration(fields, "query_offset"),
        )

    def _rule(self, node: yaml.Node, group: str, labels: Mapping[str, str]) -> Rule | None:
        name = ""
        try:
            fields = Fields(node, _RULE_FIELDS, what="a rule")
            name = fields.text("alert").text or fields.text("record").text
            key = f"{self._path.name}/{group}/{name}"
            return _recording(fields, key, labels) if _is_recording(fields) else _alerting(fields, key, labels)
        except BadYaml as error:
            self._errors.append(RuleFileError(str(self._path), error.line, group, name, error.reason))
            return None


def _is_recording(fields: Fields) -> bool:
    alert, record = fields.text("alert"), fields.text("record")
    if bool(alert.text) == bool(record.text):
        raise BadYaml(fields.line, "a rule needs one of 'alert' and 'record', and not both")
    return bool(record.text)


def _alerting(fields: Fields, key: str, group_labels: Mapping[str, str]) -> AlertingRule:
    labels = dict(_group_templates(fields, group_labels)) | dict(_templates(fields, "labels"))
    annotations = dict(_templates(fields, "annotations"))
    return AlertingRule(
        key=key,
        name=fields.text("alert").text,
        expression=_expression(fields),
        for_ms=_duration(fields, "for"),
        keep_firing_for_ms=_duration(fields, "keep_firing_for"),
        labels=labels,
        annotations=annotations,
        on_no_data=_on_no_data(fields),
        line=fields.line,
    )


def _recording(fields: Fields, key: str, group_labels: Mapping[str, str]) -> RecordingRule:
    for name in ("for", "keep_firing_for", "annotations"):
        if fields.node(name) is not None:
            raise BadYaml(fields.line, f"a recording rule has no {name!r}")
    record = fields.wanted("record")
    if not _METRIC_NAME.fullmatch(record.text):
        raise BadYaml(record.line, f"{record.text!r} is not a metric name")
    return RecordingRule(
        key=key,
        name=record.text,
        expression=_expression(fields),
        labels={**group_labels, **_plain_labels(fields)},
        line=fields.line,
    )


def _expression(fields: Fields) -> Expression:
    text = fields.wanted("expr")
    with _at(text, "'expr': "):
        return parse(text.text)


def _templates(fields: Fields, name: str) -> Iterator[tuple[str, Template]]:
    for key, text in _named(fields, name):
        with _at(text, f"{key!r} in {name!r}: "):
            yield key, parse_template(text.text)


def _group_templates(fields: Fields, labels: Mapping[str, str]) -> Iterator[tuple[str, Template]]:
    for name, text in labels.items():
        with _at(Text(text, fields.line), f"{name!r} in the group's 'labels': "):
            yield name, parse_template(text)


def _plain_labels(fields: Fields) -> dict[str, str]:
    return {name: text.text for name, text in _named(fields, "labels")}


def _named(fields: Fields, name: str) -> Iterator[tuple[str, Text]]:
    for key, text in fields.texts(name).items():
        if not _LABEL_NAME.fullmatch(key) or key == "__name__":
            raise BadYaml(text.line, f"{key!r} in {name!r} is not a label's name")
        yield key, text


def _on_no_data(fields: Fields) -> OnNoData:
    text = fields.texts("annotations").get(ON_NO_DATA)
    if text is None:
        return OnNoData.KEEP
    with _at(text, ""):
        if text.text not in list(OnNoData):
            raise ValueError(f"{ON_NO_DATA!r} has to be one of {', '.join(OnNoData)}, got {text.text!r}")
        return OnNoData(text.text)


def _duration(fields: Fields, name: str) -> int:
    if fields.node(name) is None:
        return 0
    text = fields.text(name)
    with _at(text, f"{name!r}: "):
        return parse_duration(text.text)


def _count(fields: Fields, name: str) -> int:
    text = fields.text(name, "0")
    if not _COUNT.fullmatch(text.text):
        raise BadYaml(text.line, f"{name!r} has to be a whole number, got {text.text[:20]!r}")
    return int(text.text)


@contextmanager
def _at(text: Text, before: str) -> Iterator[None]:
    """Says where it stands that something is wrong."""
    try:
        yield
    except (ValueError, BadExpression) as error:
        raise BadYaml(text.line, f"{before}{error}") from error
