"""The shipped rules: they load together, are tested rule by rule, and never ring twice for one host."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import AlertingRule
from tocsin_server.alerts.testfile import read_unit_tests
from tocsin_server.alerts.unittest import check_rules, run_rule_tests

FOLDER = Path(__file__).parents[3] / "config" / "rules"
PACKS = sorted(FOLDER.glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
ALERTS = [rule for rule in load_rule_files(FOLDER).rules() if isinstance(rule, AlertingRule)]


def test_the_packs_are_accepted():
    report = check_rules(PACKS)

    assert report.passed, report.text


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_packs_tests_pass(path):
    report = run_rule_tests([path])

    assert report.passed, report.text


@pytest.mark.parametrize("pack", PACKS, ids=lambda path: path.stem)
def test_every_rule_has_a_case_that_fires_and_one_that_does_not(pack):
    fires, is_quiet = defaultdict(bool), defaultdict(bool)
    for path in TESTS:
        tests = read_unit_tests(path)
        if tests.rule_files == (f"../{pack.name}",):
            for question in (question for case in tests.cases for question in case.alerts):
                fires[question.alertname] |= bool(question.expected)
                is_quiet[question.alertname] |= not question.expected

    names = {rule.name for rule in load_rule_files([pack]).rules()}

    assert names == {name for name, does in fires.items() if does}
    assert names == {name for name, does in is_quiet.items() if does}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.key)
def test_a_rule_says_who_is_affected_in_its_title_and_how_bad_it_is(rule):
    assert "$labels.instance" in rule.annotations["summary"].text
    assert rule.annotations["description"].text
    assert rule.labels["severity"].text in {"critical", "warning", "info"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.key)
def test_every_selector_says_whose_hosts_it_means_so_that_the_packs_never_meet(rule):
    jobs = set(re.findall(r'job(?:!=|=)"\w+"', rule.expression.text))

    expected = {'job="desktop"'} if rule.key.startswith("desktop") else {'job="node"'}
    if rule.key.endswith("datacenter-host/HostSilent"):
        expected = {'job!="desktop"'}
    assert expected == jobs
    assert len(re.findall(r"\b(?:node|tocsin)_\w+|\bup\b", rule.expression.text)) == rule.expression.text.count(
        "{"
    )
