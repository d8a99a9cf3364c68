"""What is fuzzed: whoever reads a text that an operator, a person or another program has written.

A target reads one text. It may refuse it with its documented error, which counts for nothing here; whatever
else it raises is a find. What it accepts it also puts to use, since the harm may lie there.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fuzz import seeds

from tocsin_server.alerts.matchertext import parse_matchers, spelled
from tocsin_server.alerts.notation import parse_series, parse_values
from tocsin_server.alerts.rulefile import RuleFileErrors, load_rule_files
from tocsin_server.alerts.rules import AlertingRule
from tocsin_server.alerts.silences import LAST_MS
from tocsin_server.alerts.suppressionfile import SuppressionFileErrors, read_suppressions
from tocsin_server.alerts.templates import BadTemplate, Facts, Template, TemplateFailed, parse_template
from tocsin_server.alerts.testfile import read_unit_tests
from tocsin_server.cli.eventfile import BadEvent, read_events
from tocsin_server.decisions.axis import axes_of
from tocsin_server.decisions.explanation import explained
from tocsin_server.decisions.sheet import DecisionFileErrors
from tocsin_server.decisions.tablefile import read_table
from tocsin_server.errors import Unprocessable
from tocsin_server.promql import BadExpression, parse
from tocsin_server.promql.guard import check_pattern
from tocsin_server.promql.spelling import spell
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_server.sla.clock import clocks
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import ContractFileErrors, load_contract, read_contract
from tocsin_server.sla.ical import BadIcal, parse_ical
from tocsin_server.yaml_nodes import BadYaml

_FILLINGS = tuple(
    Facts(labels, value, external_labels={"region": "eu"}, external_url="http://tocsin")
    for labels, value in (
        ({"instance": "atlas", "device": "{{ $value }}", "n": "1e3"}, 81.5),
        ({}, math.nan),
        ({"instance": "\x00\u202eé😀%!s", "device": "%d"}, -math.inf),
        ({"instance": "9" * 400}, 1e300),
    )
)
_MOMENTS_MS = (0, 1_795_694_400_000, 1_774_746_000_000, LAST_MS - 1)
"""An ordinary one, one in the hour that the summer leaves out, and the first and the last."""
_NOW_MS = 1_798_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """`read` takes a text of which `words` are the vocabulary and `seeds` examples."""

    read: Callable[[str], None]
    seeds: Callable[[], Sequence[str]]
    words: Sequence[str]


def read_expression(text: str) -> None:
    """Guard, parser, our tree; what it is spelled as is itself an expression."""
    with suppress(BadExpression):
        again = spell(parse(text).root)
        assert spell(parse(again).root) == again, f"spelled anew it is another: {again!r}"


def read_rules(text: str) -> None:
    """A rule file: each rule has a key of its own, and all its templates are filled."""
    with suppress(RuleFileErrors):
        rules = list(load_rule_files(_file(text)).rules())
        assert len({rule.key for rule in rules}) == len(rules), "two rules have the same key"
        for rule in rules:
            templates = (rule.labels, rule.annotations) if isinstance(rule, AlertingRule) else ()
            for template in (each for named in templates for each in named.values()):
                _fill(template)


def read_template(text: str) -> None:
    """A template, filled with what hosts may send."""
    with suppress(BadTemplate):
        _fill(parse_template(text))


def read_matcher(text: str) -> None:
    """The first line is a regular expression that the guard has let in, the rest what it is put to."""
    pattern, _, value = text.partition("\n")
    for kind in (MatchKind.REGEX, MatchKind.NOT_REGEX):
        with suppress(ValueError, BadExpression):
            check_pattern(pattern)
            Matcher("instance", kind, pattern).matches(value)


def read_tests(text: str) -> None:
    """A file of unit tests."""
    with suppress(BadYaml):
        read_unit_tests(_file(text))


def read_series(text: str) -> None:
    """A series of a unit test."""
    with suppress(ValueError):
        parse_series(text)


def read_values(text: str) -> None:
    """The values of a series of a unit test."""
    with suppress(ValueError):
        parse_values(text)


def read_matchers(text: str) -> None:
    """Matchers as people write them; what they are spelled as is read as the same."""
    with suppress(ValueError):
        matchers = parse_matchers(text)
        assert parse_matchers(spelled(matchers)) == matchers, "spelled anew they are others"
        for matcher in matchers:
            matcher.matches(text)


def read_suppression_file(text: str) -> None:
    """A file of what withholds deliveries; each of its windows is asked whether it is open."""
    with suppress(SuppressionFileErrors):
        for window in read_suppressions({"a.yml": text}).windows:
            for moment_ms in _MOMENTS_MS:
                window.is_open(moment_ms)


def read_decision_table(text: str) -> None:
    """A decision table; each value that it tells from others is put to it, and whoever decides also applies."""
    with suppress(DecisionFileErrors):
        decider = read_table("a.csv", text.encode(errors="replace"))
        values = {
            axis.column.name: [segment.example for segment in axis.segments] for axis in axes_of(decider.table)
        }
        for place in range(max(map(len, values.values()))):
            told = {name: some[place % len(some)] for name, some in values.items()}
            verdicts = explained(decider, told).verdicts
            assert any(verdict.decides for verdict in verdicts), "nobody decides"
            assert all(verdict.applies for verdict in verdicts if verdict.decides), "who decides does not apply"


def read_contract_file(text: str) -> None:
    """A contract; at a deadline by one of its calendars has elapsed what was asked for."""
    with suppress(ContractFileErrors):
        for calendar in read_contract("a.yml", text, lambda _name: seeds.ical_files()[0]).calendars.values():
            for moment_ms in _MOMENTS_MS[:3]:
                due_ms = calendar.deadline(moment_ms, 5_400_000)
                assert calendar.elapsed(moment_ms, due_ms) == 5_400_000, "two arithmetics"


def read_event_file(text: str) -> None:
    """A ticket's events; by a shipped contract they give the same clocks in whatever order."""
    with suppress(BadEvent, Unprocessable):
        told = read_events(text)
        found = clocks(told, _contract(), _NOW_MS)
        assert clocks(told[::-1], _contract(), _NOW_MS) == found, "other clocks in another order"


@cache
def _contract() -> Contract:
    return load_contract(seeds.HOUSE / "config" / "contracts" / "examples" / "helios.yml")


def read_ical(text: str) -> None:
    """An iCalendar file."""
    with suppress(BadIcal):
        parse_ical(text)


def _fill(template: Template) -> None:
    for facts in _FILLINGS:
        with suppress(TemplateFailed):
            filled = template.fill(facts)
            filled.encode()  # or no database would take it
            assert len(filled) <= 1000 * (len(template.text) + 1), f"{len(filled)} characters come of it"


def _file(text: str) -> Path:
    """A file of this process's that holds the text, in memory where there is such a folder."""
    path = _place()
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    return path


@cache
def _place() -> Path:
    folder = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp")
    return folder / f"tocsin-fuzz-{os.getpid()}.yml"


TARGETS: Mapping[str, Target] = {
    "expression": Target(read_expression, seeds.expressions, seeds.PROMQL),
    "rules": Target(read_rules, seeds.rule_files, seeds.RULES),
    "template": Target(read_template, seeds.templates, seeds.TEMPLATES),
    "matcher": Target(read_matcher, seeds.patterns, seeds.PATTERNS),
    "matchers": Target(read_matchers, seeds.matchers, seeds.MATCHERS),
    "contract": Target(read_contract_file, seeds.contract_files, seeds.CONTRACTS),
    "events": Target(read_event_file, seeds.event_files, seeds.EVENTS),
    "ical": Target(read_ical, seeds.ical_files, seeds.ICAL),
    "decisions": Target(read_decision_table, seeds.decision_tables, seeds.DECISIONS),
    "suppressions": Target(read_suppression_file, seeds.suppression_files, seeds.SUPPRESSIONS),
    "tests": Target(read_tests, seeds.test_files, seeds.TESTS),
    "series": Target(read_series, seeds.series, seeds.SERIES),
    "values": Target(read_values, seeds.values, seeds.VALUES),
}
