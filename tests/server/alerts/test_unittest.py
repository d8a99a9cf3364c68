"""`rules check` and `rules test` give promtool's verdicts."""

import os
from pathlib import Path
from textwrap import indent

import pytest

from tocsin_server.alerts import tape
from tocsin_server.alerts.unittest import check_rules, run_rule_tests

CORPORA = Path(os.environ.get("TOCSIN_CORPORA") or Path(__file__).parents[4] / "shared" / "corpora")

RULES = """
groups:
  - name: hosts
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} is down in {{ $externalLabels.region }}: {{ $value }}"}
      - alert: Twin
        expr: twins
        labels: {instance: all}
"""

HEAD = """
rule_files: ["*les.yml"]
evaluation_interval: 1m
tests:
  - name: a host goes down
    interval: 1m
    external_labels: {region: eu}
    input_series:
      - {series: 'up{job="node", instance="atlas"}', values: "1 0 0 0 0 _x10"}
      - {series: 'up{job="node", instance="borea"}', values: "1x20"}
"""

DOWN = """
exp_alerts:
  - exp_labels: {job: node, instance: atlas, severity: page}
    exp_annotations: {summary: "atlas is down in eu: 0"}
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "rules.yml").write_text(RULES)

    def run(questions, *, head=HEAD, as_served=False):
        path = tmp_path / "tests.yml"
        path.write_text(head + indent(questions, "    "))
        return run_rule_tests([path], as_served=as_served)

    return run


def asks(eval_time, expected="exp_alerts: []"):
    return f"alert_rule_test:\n  - eval_time: {eval_time}\n    alertname: Down\n{indent(expected, '    ')}\n"


@pytest.mark.parametrize(
    "questions",
    [
        asks("2m"),  # pending is not firing
        asks("3m", DOWN),
        asks("3m59s", DOWN),  # the state is that of the evaluation before
        asks("2m59s"),
        asks("8m59s", DOWN),  # the last sample is looked back to for 5 minutes
        asks("10m"),
    ],
)
def test_alerts_that_fire_as_expected_pass(run, questions):
    report = run(questions)

    assert report.passed, report.text
    assert report.text.endswith("tests.yml\n  SUCCESS\n")


def test_alerts_that_differ_are_shown_beside_each_other(run):
    report = run(asks("3m"))

    assert not report.passed
    assert "FAILED:\n    name: a host goes down, alertname: Down, time: 3m\n        exp: nothing" in report.text
    assert "labels {alertname='Down', instance='atlas', job='node', severity='page'}" in report.text
    assert "annotations {summary='atlas is down in eu: 0'}" in report.text


@pytest.mark.parametrize(
    "change",
    [("is down", "is up"), ("severity: page", "severity: pager"), ("instance: atlas", "instance: borea")],
)
def test_a_label_or_annotation_that_differs_fails(run, change):
    assert not run(asks("3m", DOWN.replace(*change))).passed


def test_as_served_an_alert_whose_data_has_stopped_goes_on_firing(run):
    assert run(asks("10m"), as_served=False).passed
    assert run(asks("10m", DOWN), as_served=True).passed


def test_expressions_are_asked_at_the_exact_moment(run):
    report = run("""
promql_expr_test:
  - {expr: "timestamp(up{instance='borea'})", eval_time: 90s, exp_samples: [{labels: '{instance="borea", job="node"}', value: 60}]}
  - {expr: "job:up:sum", eval_time: 1m30s, exp_samples: [{labels: 'job:up:sum{job="node"}', value: 1}]}
  - {expr: "1 / 3", eval_time: 0, exp_samples: [{value: 0.3333333333333333}]}
  - {expr: "vector(1) / 0", eval_time: 0, exp_samples: [{labels: '{}', value: .inf}]}
  - {expr: "vector(0) / 0", eval_time: 0, exp_samples: [{value: .nan}]}
  - {expr: "missing", eval_time: 0}
  - {expr: 'ALERTS{alertstate="pending"}', eval_time: 2m, exp_samples: [{labels: 'ALERTS{alertname="Down", alertstate="pending", instance="atlas", job="node", severity="page"}', value: 1}]}
  - {expr: 'ALERTS{alertstate="pending"}', eval_time: 3m}
  - {expr: 'ALERTS_FOR_STATE', eval_time: 3m, exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname="Down", instance="atlas", job="node", severity="page"}', value: 60}]}
""")  # noqa: E501 - one question a line

    assert report.passed, report.text


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        (
            "{expr: job:up:sum, eval_time: 0}",
            "exp: nothing\n        got:\n            {__name__='job:up:sum', job='node'} 2.0",
        ),
        ("{expr: 0.1 + 0.2, eval_time: 0, exp_samples: [{value: 0.3}]}", "0.30000000000000004"),
        ("{expr: vector(1), eval_time: 0, exp_samples: [{value: 1}, {value: 1}]}", "exp:"),
        ("{expr: up + on (job) up, eval_time: 0}", "err: "),
    ],
)
def test_expressions_that_differ_are_shown(run, question, shown):
    report = run(f"promql_expr_test: [{question}]\n")

    assert not report.passed
    assert shown in report.text


def test_a_file_may_ask_for_fuzzy_comparison(run):
    question = "promql_expr_test: [{expr: 0.1 + 0.2, eval_time: 0, exp_samples: [{value: 0.3}]}]\n"

    assert run(question, head="fuzzy_compare: true\n" + HEAD).passed


def test_a_rule_that_cannot_be_evaluated_fails_the_test(run):
    twins = "".join(f"      - {{series: 'twins{{instance=\"{name}\"}}', values: '1'}}\n" for name in "ab")

    report = run(asks("0m"), head=HEAD + twins)

    assert not report.passed
    assert "rule: Twin, time: 0s, err: two results are the same alert" in report.text


def test_groups_are_evaluated_in_the_order_that_the_file_asks_for(run, tmp_path):
    (tmp_path / "rules.yml").write_text("""
groups:
  - {name: second, rules: [{record: b, expr: a + 1}]}
  - {name: first, rules: [{record: a, expr: "1"}]}
""")
    question = "promql_expr_test: [{expr: b, eval_time: 0, exp_samples: [{labels: b, value: 2}]}]\n"

    assert not run(question).passed
    assert run(question, head="group_eval_order: [first, second]\n" + HEAD).passed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ":1: the file is empty"),
        ("rule_files: [x]\ntest: []\n", ":2: a file of unit tests has no field 'test'; did you mean 'tests'"),
        ("tests: [{input_series: [{series: 'up{', values: '1'}]}]\n", ":1: 'up{' is not a series"),
        ("tests: [{input_series: [{series: up, values: 1x}]}]\n", ":1: '1x' is not a value"),
        ("tests: [{alert_rule_test: [{eval_time: soon, alertname: A}]}]\n", ":1: 'soon' is not a duration"),
        ("tests: [{alert_rule_test: [{eval_time: 1m}]}]\n", ":1: an alert_rule_test needs 'alertname'"),
        ("tests: [{promql_expr_test: [{eval_time: 1m, expr: 'sum(('}]}]\n", ":1: "),
        ("tests: [{promql_expr_test: [{expr: up, exp_samples: [{value: one}]}]}]\n", ":1: could not convert"),
        ("tests: [{start_timestamp: soon}]\n", ":1: 'soon' is not a moment such as"),
    ],
)
def test_a_file_with_a_mistake_fails_with_its_line(tmp_path, text, why):
    path = tmp_path / "tests.yml"
    path.write_text(text)

    report = run_rule_tests([path])

    assert not report.passed
    assert f"{path}{why}" in report.text


def test_tests_of_rules_that_cannot_be_read_fail(run, tmp_path):
    (tmp_path / "rules.yml").write_text("groups: [{name: a, rules: [{alert: A}]}]")

    report = run(asks("0m"))

    assert not report.passed
    assert "a rule needs 'expr'" in report.text


def test_check_tells_how_many_rules_there_are_and_what_is_wrong(tmp_path):
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(RULES)
    bad.write_text("groups: [{name: a, rules: [{alert: A}, {alert: B}]}]")

    assert check_rules([good]).passed
    assert f"Checking {good}\n  SUCCESS: 3 rules found\n" == check_rules([good]).text

    report = check_rules([good, bad])

    assert not report.passed
    assert report.text.count("a rule needs 'expr'") == 2


@pytest.mark.scenario
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no unit tests of others in {CORPORA}")
@pytest.mark.parametrize("name", ["unittest", "long-period", "at-modifier-test", "negative-offset-test"])
def test_promtools_own_tests_pass_but_for_native_histograms_which_are_refused_by_name(name):
    report = run_rule_tests([CORPORA / "promtool" / f"{name}.yml"])

    failures = [line for line in report.text.splitlines() if line.startswith("    ")]
    assert [line for line in failures if "refused: native histograms are not offered" not in line] == []


def test_a_case_may_begin_at_another_moment_than_1970(tmp_path):
    path = tmp_path / "tests.yml"
    path.write_text(
        """
tests:
  - start_timestamp: 2024-01-01T00:00:00Z
    input_series: [{series: up, values: 1 1 1}]
    promql_expr_test:
      - {expr: time(), eval_time: 5m, exp_samples: [{value: 1704067500}]}
      - {expr: timestamp(up), eval_time: 2m, exp_samples: [{value: 1704067320}]}
  - start_timestamp: 1609459200
    promql_expr_test: [{expr: time(), exp_samples: [{value: 1609459200}]}]
"""
    )

    report = run_rule_tests([path])

    assert report.passed, report.text


def test_native_histograms_are_refused_by_name_and_the_rest_is_judged(tmp_path):
    path = tmp_path / "tests.yml"
    path.write_text(
        """
tests:
  - input_series: [{series: h, values: '{{count:2}}x2'}, {series: up, values: 1 1}]
    promql_expr_test:
      - {expr: h, exp_samples: [{labels: h, histogram: '{{count:2}}'}]}
      - {expr: count(h), exp_samples: [{value: 1}]}
      - {expr: up, exp_samples: [{labels: up, value: 2}]}
"""
    )

    report = run_rule_tests([path])

    assert report.text.count("refused: native histograms are not offered") == 2
    assert "{__name__='up'} 1.0" in report.text
    assert not report.passed


def test_series_that_expand_to_too_many_values_are_refused_with_the_line_that_is_one_too_many(tmp_path):
    path = tmp_path / "tests.yml"
    series = "      - {series: up, values: 1x999998}\n"
    path.write_text("tests:\n" + ("  - input_series:\n" + series) * 3)

    report = run_rule_tests([path])

    assert f"{path}:7: up to this one the input series have more than 2000000 values" in report.text


def test_series_that_stand_in_many_places_count_in_each(tmp_path):
    path = tmp_path / "tests.yml"
    path.write_text(
        "tests:\n  - &test {input_series: [&up {series: up, values: _x999999}, *up]}\n  - *test\n  - *test\n"
    )

    assert "more than 2000000 values" in run_rule_tests([path]).text


@pytest.mark.parametrize("eval_time", ["1y", "9999w", "290y"])
def test_tests_that_would_take_hours_are_refused_before_they_begin(run, eval_time):
    report = run(asks(eval_time), head=HEAD.replace("1m\ntests", "5s\ntests"))

    assert "tests.yml:5: up to this test rules are judged" in report.text
    assert "at most 2000000 are allowed" in report.text
    assert "ask at an earlier eval_time" in report.text


def test_many_series_make_a_judgement_count_for_several(run):
    series = "\n      - {series: 'up{instance=\"%d\"}', values: 1}"
    many = HEAD.replace("input_series:", "input_series:" + "".join(series % number for number in range(300)))

    assert "judged 2400012 times" in run(asks("200000m"), head=many).text


def test_where_there_are_no_rules_any_moment_may_be_asked(tmp_path):
    path = tmp_path / "tests.yml"
    path.write_text(
        "evaluation_interval: 1ms\ntests:\n"
        "  - alert_rule_test: [{eval_time: 99y, alertname: Down}]\n"
        "    promql_expr_test: [{expr: 1, eval_time: 99y, exp_samples: [{value: 1}]}]\n"
    )

    report = run_rule_tests([path])

    assert report.passed, report.text


def test_rules_that_yield_too_much_end_the_test_and_say_so(run, monkeypatch):
    monkeypatch.setattr(tape, "MOST_RECORDED", 12)

    report = run(asks("1h"))

    assert not report.passed
    assert "name: a host goes down, the rules yield more than 12 samples: ask at an earlier" in report.text
