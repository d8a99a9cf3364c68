"""Rule files are read as Prometheus reads them, and refused as a whole with everything that is wrong."""

import os
from pathlib import Path
from textwrap import dedent

import pytest

from tocsin_server.alerts.rulefile import RuleFileErrors, load_rule_files
from tocsin_server.alerts.rules import AlertingRule, OnNoData, RecordingRule

CORPORA = Path(os.environ.get("TOCSIN_CORPORA") or Path(__file__).parents[4] / "shared" / "corpora")

FULL = """
groups:
  - name: hosts
    interval: 30s
    limit: 10
    query_offset: 1m
    labels: {team: ops}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {team: net}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 2m
        labels: {severity: critical}
        annotations:
          summary: "{{ $labels.instance }} is down"
          tocsin_on_no_data: fire
      - alert: Down
        expr: rate(pushes[10m]) == 0
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="rules.yml"):
        path = tmp_path / name
        path.write_text(dedent(text))
        return path

    return write


def test_a_file_says_all_that_a_rule_can_say(write):
    rules = load_rule_files(write(FULL))

    (group,) = rules.groups
    recording, alerting, second = group.rules
    assert (
        group.file,
        group.name,
        group.interval_ms,
        group.limit,
        group.query_offset_ms,
    ) == ("rules.yml", "hosts", 30_000, 10, 60_000)
    assert isinstance(recording, RecordingRule)
    assert (recording.name, recording.labels) == ("job:up:sum", {"team": "net"})
    assert isinstance(alerting, AlertingRule)
    assert (
        alerting.name,
        alerting.for_ms,
        alerting.keep_firing_for_ms,
    ) == ("Down", 300_000, 120_000)
    assert {name: t.text for name, t in alerting.labels.items()} == {"team": "ops", "severity": "critical"}
    assert alerting.on_no_data is OnNoData.FIRE
    assert (recording.key, second.name) == ("rules.yml/hosts/job:up:sum", "Down")
    assert len(rules) == 3


def test_windows_are_the_longest_ranges_with_the_groups_offset(write):
    assert load_rule_files(write(FULL)).windows() == {"up": 60_000, "pushes": 660_000}


def test_a_folder_stands_for_the_rule_files_directly_in_it(write, tmp_path):
    write("groups: [{name: a, rules: [{alert: A, expr: up}]}]", "b.yml")
    write("groups: [{name: a, rules: [{alert: A, expr: up}]}]", "a.yaml")
    write("nonsense", "notes.txt")
    (tmp_path / "tests").mkdir()
    write("nonsense", "tests/a.yml")

    assert [group.file for group in load_rule_files(tmp_path).groups] == ["a.yaml", "b.yml"]


def test_a_file_without_groups_is_no_mistake(write):
    assert len(load_rule_files(write("# nothing yet\n"))) == 0
    assert len(load_rule_files(write("groups:\n"))) == 0


RULE = """
groups:
  - name: hosts
    rules:
      - {}
"""


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{alert: A}", "a rule needs 'expr'"),
        ("{expr: up}", "needs one of 'alert' and 'record'"),
        ("{alert: A, record: a, expr: up}", "needs one of 'alert' and 'record'"),
        ("{alert: A, expr: 'sum(('}", "'expr': "),
        ("{alert: A, expr: up, for: 5}", "'for': '5' is not a duration such as 5m"),
        ("{alert: A, expr: up, fro: 5m}", "a rule has no field 'fro'; did you mean 'for'"),
        ("{alert: A, expr: up, labels: {a-b: c}}", "'a-b' in 'labels' is not a label's name"),
        ("{alert: A, expr: up, labels: {__name__: c}}", "'__name__' in 'labels' is not a label's name"),
        ("{alert: A, expr: up, labels: {a: '{{ $valeu }}'}}", "'a' in 'labels': '$valeu' is not known"),
        (
            "{alert: A, expr: up, annotations: {a: '{{ query `up` }}'}}",
            "'a' in 'annotations': 'query' is not offered",
        ),
        (
            "{alert: A, expr: up, annotations: {tocsin_on_no_data: ring}}",
            "has to be one of keep, fire, resolve, got 'ring'",
        ),
        ('{alert: "A\\0", expr: up}', "'alert' of a rule holds a NUL"),
        ("{record: a-b, expr: up}", "'a-b' is not a metric name"),
        ("{record: a, expr: up, for: 5m}", "a recording rule has no 'for'"),
        ("[]", "a rule has to be a map of fields"),
    ],
)
def test_a_wrong_rule_is_refused_with_file_line_group_and_reason(write, rule, why):
    path = write(RULE.format(rule))

    with pytest.raises(RuleFileErrors) as refusal:
        load_rule_files(path)

    (wrong,) = refusal.value.errors
    assert (str(path), 5, "hosts") == (wrong.file, wrong.line, wrong.group)
    assert why in wrong.reason
    assert f"{path}:5, group 'hosts'" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("groups: [{rules: []}]", "a group needs 'name'"),
        ("groups: [{name: a, limit: -1}]", "'limit' has to be a whole number, got '-1'"),
        (f"groups: [{{name: a, limit: {'9' * 5000}}}]", "'limit' has to be a whole number, got '999"),
        (
            "groups: [{name: a, labels: {a: '{{'}, rules: [{alert: A, expr: up}]}]",
            "'a' in the group's 'labels': an action has no end",
        ),
        ("groups: [{name: a, interval: soon}]", "'interval': 'soon' is not a duration"),
        ("groups: [{name: a}, {name: a}]", "group 'a' stands twice in this file"),
        ("rules: []", "a rule file has no field 'rules'"),
        ("groups: [", "not YAML"),
    ],
)
def test_a_wrong_group_or_file_is_refused(write, text, why):
    with pytest.raises(RuleFileErrors, match=r"rules.yml:[12]") as refusal:
        load_rule_files(write(text))

    assert why in refusal.value.errors[0].reason


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.yml").write_bytes(b"groups: \xe9")
    (tmp_path / "large.yml").write_bytes(b"#" * ((8 << 20) + 1))

    for name, why in [
        ("missing.yml", "No such file"),
        ("latin.yml", "not UTF-8"),
        ("large.yml", "larger than 8 MiB"),
    ]:
        with pytest.raises(RuleFileErrors, match=why):
            load_rule_files([tmp_path / name])


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_loaded(write):
    good = write(FULL, "good.yml")
    bad = write(
        "groups: [{name: a, rules: [{alert: A}, {alert: B, expr: up, for: x}, {alert: C, expr: up}]}]",
        "bad.yml",
    )

    with pytest.raises(RuleFileErrors, match=r"and 1 more") as refusal:
        load_rule_files([good, bad])

    assert [wrong.rule for wrong in refusal.value.errors] == ["A", "B"]


@pytest.mark.scenario
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no rule files of others in {CORPORA}")
def test_the_rule_files_of_the_world_are_accepted():
    folder = CORPORA / "awesome-prometheus-alerts"

    rules = load_rule_files(sorted(folder.glob("*.yml")))

    assert len(rules) > 500
