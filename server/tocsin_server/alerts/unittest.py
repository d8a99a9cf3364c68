"""`rules check` and `rules test`: promtool's format and promtool's verdicts.

A check tells beside what is wrong what is doubtful (`lint`), which fails only where it is asked to.
What promtool does not know is left out, unless the rules are to be tested `as_served`: then a firing alert
whose data stops goes on firing, as it does in the server.
"""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from tocsin_server.alerts.lint import Surroundings, lint, recorded_names
from tocsin_server.alerts.play import Play
from tocsin_server.alerts.rulefile import RuleFileErrors, load_rule_files
from tocsin_server.alerts.rules import AlertingRule, OnNoData, Rule, RuleSet
from tocsin_server.alerts.testfile import UnitTests, read_unit_tests
from tocsin_server.yaml_files import yaml_files
from tocsin_server.yaml_nodes import BadYaml

MOST_JUDGEMENTS = 2_000_000
"""Of a file's tests: one is a rule judged once over up to 100 series, and takes some 60 µs at least."""
_SERIES = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What to print, and whether all is well."""

    text: str
    passed: bool


def check_rules(files: Iterable[Path], around: Surroundings | None = None, *, strict: bool = False) -> Report:
    """Load each file, and say what is wrong and what is doubtful in it; `strict` fails for the latter too.

    What a recording rule of one file yields, rules of all the files may ask for.
    """
    loaded = [(file, _loaded(file)) for file in yaml_files(map(Path, files))]
    surroundings = _with_recorded(around or Surroundings(), [rules for _, rules in loaded])
    reports = [_checked(file, rules, surroundings, strict=strict) for file, rules in loaded]
    return Report("\n".join(report.text for report in reports), all(report.passed for report in reports))


def _loaded(file: Path) -> RuleSet | RuleFileErrors:
    try:
        return load_rule_files([file])
    except RuleFileErrors as error:
        return error


def _with_recorded(around: Surroundings, loaded: Iterable[RuleSet | RuleFileErrors]) -> Surroundings:
    """What there is with the rules; where a file cannot be read, nobody knows what it would have recorded."""
    recorded: frozenset[str] = frozenset()
    for rules in loaded:
        if isinstance(rules, RuleFileErrors):
            return replace(around, known=None)
        recorded |= recorded_names(rules)
    return replace(around, recorded=around.recorded | recorded)


def _checked(file: Path, rules: RuleSet | RuleFileErrors, around: Surroundings, *, strict: bool) -> Report:
    if isinstance(rules, RuleFileErrors):
        return _report("Checking", file, [str(wrong) for wrong in rules.errors])
    doubts = [str(doubt) for doubt in lint(str(file), rules, around)]
    found = "\n    ".join([f"SUCCESS: {len(rules)} rules found", *doubts])
    return _report("Checking", file, doubts if strict else [], success=found)


def run_rule_tests(files: Iterable[Path], *, as_served: bool = False) -> Report:
    """Run files of unit tests."""
    reports = [_tested(Path(file), as_served=as_served) for file in files]
    return Report("\n".join(report.text for report in reports), all(report.passed for report in reports))


def _tested(file: Path, *, as_served: bool) -> Report:
    try:
        tests = read_unit_tests(file)
        rules = load_rule_files(_meant(file.parent, tests.rule_files))
        _check_judgements(tests, len(rules))
    except BadYaml as error:
        return _report("Unit Testing: ", file, [f"{file}:{error}"])
    except RuleFileErrors as error:
        return _report("Unit Testing: ", file, [str(wrong) for wrong in error.errors])
    ordered = _ordered(rules if as_served else _without_unknown(rules), tests.group_order)
    failures = [failure for case in tests.cases for failure in Play(tests, case, ordered).failures()]
    return _report("Unit Testing: ", file, failures)


def _check_judgements(tests: UnitTests, rules: int) -> None:
    """Refuse tests that would take hours; raises `BadYaml`."""
    total = 0
    for case in tests.cases:
        each = rules * case.steps(tests.interval_ms) + len(case.expressions)
        total += each * max(1, ceil(len(case.series) / _SERIES))
        if total > MOST_JUDGEMENTS:
            raise BadYaml(
                case.line,
                f"up to this test rules are judged {total} times, at most {MOST_JUDGEMENTS} are allowed "
                f"(every {_SERIES} input series count anew): "
                "ask at an earlier eval_time, make evaluation_interval longer, or split the file",
            )


def _report(doing: str, file: Path, failures: Sequence[str], *, success: str = "SUCCESS") -> Report:
    if not failures:
        return Report(f"{doing} {file}\n  {success}\n", passed=True)
    told = "\n".join(f"    {failure}" for failure in failures)
    return Report(f"{doing} {file}\n  FAILED:\n{told}\n", passed=False)


def _meant(folder: Path, patterns: Iterable[str]) -> list[Path]:
    # pathlib's own glob does not take patterns with `..` in them.
    return [Path(found) for pattern in patterns for found in sorted(glob.glob(str(folder / pattern)))]  # noqa: PTH207


def _ordered(rules: RuleSet, order: Sequence[str]) -> RuleSet:
    place = {name: index for index, name in enumerate(order)}
    return RuleSet(tuple(sorted(rules.groups, key=lambda group: place.get(group.name, 0))))


def _without_unknown(rules: RuleSet) -> RuleSet:
    """The rules as Prometheus means them: no row is false."""

    def plain(rule: Rule) -> Rule:
        return replace(rule, on_no_data=OnNoData.RESOLVE) if isinstance(rule, AlertingRule) else rule

    return RuleSet(
        tuple(replace(group, rules=tuple(plain(rule) for rule in group.rules)) for group in rules.groups)
    )
