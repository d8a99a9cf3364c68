"""Debian's promtool takes the shipped rules as they are, and its verdicts are ours."""

import json
import subprocess
from pathlib import Path

import pytest

from tocsin_server.alerts.templates import Facts, TemplateFailed, parse_template
from tocsin_server.alerts.unittest import Report, check_rules, run_rule_tests

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "config" / "rules"
PACKS = sorted(FOLDER.glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))


@pytest.fixture(scope="module")
def promtool(require):
    binary = require("promtool", "prometheus")

    def run(*arguments):
        done = subprocess.run(
            [binary, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
        )
        return Report(done.stdout + done.stderr, passed=done.returncode == 0)

    return run


def test_both_accept_the_shipped_packs(promtool):
    theirs, ours = promtool("check", "rules", *PACKS), check_rules(PACKS)

    assert theirs.passed, theirs.text
    assert ours.passed, ours.text
    assert successes(theirs) == successes(ours)  # and how many rules each has
    assert len(successes(ours)) == len(PACKS)


def successes(report):
    return [line.strip() for line in report.text.splitlines() if "SUCCESS" in line]


def test_both_pass_the_tests_of_the_shipped_packs(promtool):
    theirs, ours = promtool("test", "rules", *TESTS), run_rule_tests(TESTS)

    assert theirs.passed, theirs.text
    assert ours.passed, ours.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("exp_alerts: []", "exp_alerts: [{}]"),  # what must not fire is expected
        ("severity: ", "severity: un"),  # a label differs
        ("summary: ", "summary: Not so, "),  # an annotation differs
        ("eval_time: ", "eval_time: 0s #"),  # at the start hardly anything fires
    ],
)
def test_both_fail_tests_that_expect_something_else(promtool, tmp_path, before, after):
    text = (FOLDER / "tests" / "datacenter.yml").read_text()
    changed = tmp_path / "tests.yml"
    changed.write_text(text.replace("../", f"{FOLDER}/").replace(before, after))
    assert before in text

    assert not promtool("test", "rules", changed).passed
    assert not run_rule_tests([changed]).passed


TEMPLATES = [
    "{{ $value }}",
    "{{ $labels }}",
    "{{ .Labels.instance }} {{ .Value }}",
    "{{ $value | humanize }}",
    "{{ $value | humanize1024 }}",
    "{{ $value | humanizePercentage }}",
    "{{ $value | humanizeDuration }}",
    "{{ $value | humanizeTimestamp }}",
    '{{ printf "%.3f|%8.2f|%-8.1f|%g|%e|%v" $value $value $value $value $value $value }}',
    '{{ printf "%d %s" $value $value }}',
    '{{ printf "%q %10s %.2s %f" $labels.instance $labels.instance $labels.instance $labels.instance }}',
    "{{ if $labels.missing }}yes{{ else }}no{{ end }}",
    "{{ with $labels.instance }}on {{ . }}{{ end }}",
    "a {{- /* not shown */ -}} b {{ $externalLabels.region }}",
    "{{ $labels.instance | humanize }}",
]
VALUES = [
    "0",
    "1",
    "-1.5",
    "97.126",
    "1234567.891",
    "0.0000123",
    "1e15",
    "123456",
    "1e6",
    "3725.5",
    "NaN",
    "Inf",
    "-Inf",
]


def test_both_fill_a_template_with_the_same_text(promtool, tmp_path):
    files = [asked_for(value, tmp_path / f"{number}.yml") for number, value in enumerate(VALUES)]

    theirs, ours = promtool("test", "rules", *files), run_rule_tests(files)

    assert theirs.passed, theirs.text
    assert ours.passed, ours.text


def asked_for(value, tests):
    """Tests of a rule in which each template is an annotation, and our text is what promtool shall expect."""
    facts = Facts({"__name__": "reading", "instance": "atlas"}, float(value), external_labels={"region": "eu"})
    texts = {text: filled for text in TEMPLATES if (filled := fill(text, facts)) is not None}
    names = {text: f"a{number}" for number, text in enumerate(texts)}
    rule = {"alert": "A", "expr": "reading", "annotations": {name: text for text, name in names.items()}}
    expected = {
        "exp_labels": {"instance": "atlas"},
        "exp_annotations": {names[text]: texts[text] for text in texts},
    }
    case = {
        "external_labels": {"region": "eu"},
        "input_series": [{"series": 'reading{instance="atlas"}', "values": value}],
        "alert_rule_test": [{"eval_time": "0s", "alertname": "A", "exp_alerts": [expected]}],
    }
    rules = tests.with_suffix(".rules")
    rules.write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    tests.write_text(json.dumps({"rule_files": [rules.name], "tests": [case]}))
    return tests


def fill(text, facts):
    """Our text; None where the template cannot be filled, which promtool says in words of its own."""
    try:
        return parse_template(text).fill(facts)
    except TemplateFailed:
        return None
