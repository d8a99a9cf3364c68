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
PROBED = [path for path in TESTS if path.stem in {"application", "network", "probes"}]
SERVED = sorted((Path(__file__).parent / "served").glob("*.yml"))
"""Cases that only hold as the server judges: promtool takes missing data for good news."""
ALERTS = [rule for rule in load_rule_files(FOLDER).rules() if isinstance(rule, AlertingRule)]

_PROBED = 'job=~"blackbox|snmp"'
_AGENTS = 'job!~"blackbox|desktop|snmp"'
JOBS = {
    "datacenter.yml": {'job="node"'},
    "desktop.yml": {'job="desktop"'},
    "network.yml": {'job="snmp"'},
    "application.yml": {'job="blackbox"'},
    "probes.yml": {_PROBED},
}
OTHER_JOBS = {
    ("datacenter.yml", "HostSilent"): {_AGENTS},
    ("datacenter.yml", "AgentCloned"): {_AGENTS},
    ("datacenter.yml", "TooManySeries"): {_AGENTS},
    ("probes.yml", "DeviceUnprobed"): {_PROBED, _AGENTS},
    ("application.yml", "CertificateExpiresSoon"): {_PROBED},
    ("application.yml", "CertificateExpired"): {_PROBED},
}
METRIC = re.compile(r"\b(?:(?:node|tocsin|probe)_\w+|if[A-Z]\w+|sysUpTime|up|ALERTS)(?=\{)")


def test_the_packs_are_accepted():
    report = check_rules(PACKS)

    assert report.passed, report.text


@pytest.mark.scenario
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
    text, pack = rule.expression.text, rule.key.split("/")[0]

    jobs = set(re.findall(r'job(?:=~|!~|!=|=)"[\w|]+"', text))

    assert OTHER_JOBS.get((pack, rule.name), JOBS[pack]) == jobs
    assert len(METRIC.findall(text)) == text.count("{")


@pytest.mark.scenario
@pytest.mark.parametrize("path", [*PROBED, *SERVED], ids=lambda path: path.stem)
def test_what_is_probed_is_judged_as_rightly_where_data_that_is_missing_is_unknown(path):
    report = run_rule_tests([path], as_served=True)

    assert report.passed, report.text
