"""What a rule file says, once it has been read: groups of alerting and recording rules, all checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tocsin_server.alerts.templates import Template
from tocsin_server.promql import Expression


class OnNoData(StrEnum):
    """What a firing alert does when its condition cannot be judged any more.

    The annotation `tocsin_on_no_data` says it; `keep` is meant where it does not stand.
    """

    KEEP = "keep"
    FIRE = "fire"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """A condition that is to wake somebody."""

    key: str
    """`file/group/alertname`, with a mark behind it where several have the name; see `rulekeys`."""
    name: str
    expression: Expression
    for_ms: int
    keep_firing_for_ms: int
    labels: Mapping[str, Template]
    annotations: Mapping[str, Template]
    on_no_data: OnNoData
    line: int


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """An expression whose result later rules ask for by name."""

    key: str
    name: str
    expression: Expression
    labels: Mapping[str, str]
    line: int


Rule = AlertingRule | RecordingRule


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are judged one after the other, at the same moment."""

    file: str
    name: str
    rules: tuple[Rule, ...]
    interval_ms: int | None = None
    """How often; None is in every round."""
    limit: int = 0
    """How many results a rule may have for one client; 0 is any number."""
    query_offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules in force. Its length is the number of rules."""

    groups: tuple[Group, ...] = ()

    def __len__(self) -> int:
        return sum(len(group.rules) for group in self.groups)

    def rules(self) -> Iterator[Rule]:
        """Every rule, in the order of evaluation."""
        return (rule for group in self.groups for rule in group.rules)

    def windows(self) -> dict[str, int]:
        """For each metric name the longest range in milliseconds that a rule asks of it."""
        longest: dict[str, int] = {}
        for group in self.groups:
            for rule in group.rules:
                for name, window_ms in rule.expression.windows().items():
                    longest[name] = max(longest.get(name, 0), window_ms + group.query_offset_ms)
        return longest
