"""What is no mistake in a rule file and yet seldom meant. Read from the rules alone, and told as warnings.

a label that holds the value        every change of the value is another alert
a metric that nobody sends          the rule stays silent for ever
a look back that is longer than     after a restart of the server the rule judges
samples are kept                    less than it says
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Self

from tocsin_server.alerts.proclaim import PROCLAIMED
from tocsin_server.alerts.rulefile import RuleFileError
from tocsin_server.alerts.rules import AlertingRule, Group, RecordingRule, Rule, RuleSet
from tocsin_server.promql.spelling import duration
from tocsin_server.promql.syntax import Selector, walk
from tocsin_server.series.noted import NOTED
from tocsin_server.series.up import UP

SERVERS_OWN = PROCLAIMED | {UP}
"""What the server itself writes beside what is sent."""

_FORGOTTEN_MS = 6 * 3_600_000
"""Shorter ranges are whole again on the day of a restart."""

_KNOWN = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(\*?)", re.ASCII)
_FAMILY = re.compile(r"[a-z]+|[A-Z]+", re.ASCII)
_ALIKE = 0.8
"""How much of a name must be another's for it to be offered instead."""


@dataclass(frozen=True, slots=True)
class Finding(RuleFileError):
    """One thing that is doubtful in a rule file."""

    def __str__(self) -> str:
        return f"warning: {RuleFileError.__str__(self)}"


@dataclass(frozen=True)
class KnownMetrics:
    """The metrics that somebody sends: by name, and by prefix where the sender's kernel makes the rest."""

    names: frozenset[str]
    prefixes: tuple[str, ...] = ()

    @classmethod
    def read(cls, lines: Iterable[str]) -> Self:
        """One a line, the first word: `node_load1`, `node_memory_*`, or a page of Prometheus's text format."""
        found = [_KNOWN.match(line) for line in map(str.strip, lines) if not line.startswith("#")]
        known = [(each[1], each[2]) for each in found if each is not None]
        return cls(
            frozenset(name for name, star in known if not star),
            tuple(name for name, star in known if star),
        )

    def __or__(self, other: "KnownMetrics") -> "KnownMetrics":
        return KnownMetrics(self.names | other.names, self.prefixes + other.prefixes)

    def __contains__(self, name: str) -> bool:
        return name in self.names or name in SERVERS_OWN or name.startswith(self.prefixes)

    def owns(self, name: str) -> bool:
        """Whether it is of a family that is known: of `node_md_disks` it can be said that nobody sends it."""
        return _family(name) in self._families

    def nearest(self, name: str) -> str:
        """The name that was meant, probably; empty where none is near."""
        near = difflib.get_close_matches(name, sorted(self.names), n=1, cutoff=_ALIKE)
        return near[0] if near else ""

    @cached_property
    def _families(self) -> frozenset[str]:
        return frozenset(map(_family, (*self.names, *self.prefixes)))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where rules are to work, as far as it is known: what is not known is not looked at."""

    known: KnownMetrics | None = None
    recorded: frozenset[str] = frozenset()
    """What recording rules yield, in other files too."""
    retention_ms: int | None = None
    """How long samples are kept."""


def lint(file: str, rules: RuleSet, around: Surroundings) -> list[Finding]:
    """What is doubtful in the rules of a file, in their order."""
    return [
        Finding(file, rule.line, group.name, rule.name, words)
        for group in rules.groups
        for rule in group.rules
        for words in chain(
            _moving_labels(rule),
            _unknown_metrics(rule, around),
            _long_looks(group, rule, around.retention_ms),
            _forgotten_looks(group, rule, around.recorded),
        )
    ]


def recorded_names(rules: RuleSet) -> frozenset[str]:
    """What the recording rules yield."""
    return frozenset(rule.name for rule in rules.rules() if isinstance(rule, RecordingRule))


def _moving_labels(rule: Rule) -> Iterator[str]:
    for name, template in rule.labels.items() if isinstance(rule, AlertingRule) else ():
        if template.uses_value:
            yield (
                f"label {name!r} holds the value, so every change of it is another alert:"
                " say it in an annotation"
            )


def _unknown_metrics(rule: Rule, around: Surroundings) -> Iterator[str]:
    known = around.known
    if known is None:
        return
    for name in _asked(rule):
        # A colon is for what rules record: one of another file, perhaps.
        if name in known or name in around.recorded or ":" in name or not known.owns(name):
            continue
        near = known.nearest(name)
        yield f"nobody sends {name!r}" + (f"; did you mean {near!r}" if near else "")


def _asked(rule: Rule) -> Collection[str]:
    """The names of its selectors, each once, as they stand."""
    selectors = (node for node in walk(rule.expression.root) if isinstance(node, Selector))
    return dict.fromkeys(selector.name for selector in selectors if selector.name is not None)


def _long_looks(group: Group, rule: Rule, retention_ms: int | None) -> Iterator[str]:
    windows = rule.expression.windows()
    if retention_ms is None or not windows:
        return
    name, window_ms = max(windows.items(), key=lambda window: window[1])
    back_ms = window_ms + group.query_offset_ms
    if back_ms > retention_ms:
        yield (
            f"looks {duration(back_ms)} back{f' for {name}' if name else ''}, but samples are kept for"
            f" {duration(retention_ms)}: it judges less than it says"
        )


def _forgotten_looks(group: Group, rule: Rule, recorded: frozenset[str]) -> Iterator[str]:
    """What nobody sends is not in history, and begins anew with each start of the server."""
    for name, window_ms in rule.expression.windows().items():
        back_ms = window_ms + group.query_offset_ms
        if name in PROCLAIMED | NOTED | recorded and back_ms > _FORGOTTEN_MS:
            yield (
                f"looks {duration(back_ms)} back for {name}, which no host sends and history does not keep:"
                " after a restart it judges less than it says"
            )


def _family(name: str) -> str:
    """The first word of a name: `node` of `node_load1`, `if` of `ifOperStatus`."""
    found = _FAMILY.match(name)
    return found[0] if found is not None else name
