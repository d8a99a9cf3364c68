"""The judge: what is seen becomes alerts and transitions, and nothing else does."""

import contextlib

import pytest
import structlog.testing
from tests.server.alerts.conftest import ACME, ATLAS, BOREA, GLOBEX, START_MS, ZEPHYR

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts import watch as watch_module
from tocsin_server.alerts.proclaim import PROCLAIMED
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.errors import Unavailable
from tocsin_server.promql import evaluate, parse

HOT = """
groups:
  - name: hosts
    rules:
      - alert: Hot
        expr: temperature > 80
        labels: {severity: critical}
        annotations:
          summary: "{{ $labels.instance }} is hot"
          description: "It has {{ $value }} degrees."
"""
HOT_FOR_2S = HOT.replace("labels: {sev", "for: 2s\n        labels: {sev")


def test_a_condition_that_is_true_becomes_an_alert_with_its_evidence(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81.5)

    assert bell.round() == [("inactive", "firing")]

    (alert,) = bell.alerts()
    (transition,) = bell.transitions()
    assert {
        "client_id": ACME,
        "host_id": ATLAS,
        "rule_key": "rules.yml/hosts/Hot",
        "alertname": "Hot",
        "severity": "critical",
        "expression": "temperature > 80",
        "labels": {
            "alertname": "Hot",
            "instance": "atlas",
            "job": "node",
            "site": "berlin",
            "severity": "critical",
        },
        "state": AlertState.FIRING,
        "value": 81.5,
        "active_ms": START_MS + 1000,
        "fired_ms": START_MS + 1000,
        "changed_ms": START_MS + 1000,
    }.items() <= alert.model_dump().items()
    assert transition.annotations == {"summary": "atlas is hot", "description": "It has 81.5 degrees."}
    assert (alert.id, START_MS + 1000, START_MS) == (
        transition.alert_id,
        transition.at_ms,
        transition.sample_ms,
    )


def test_what_stays_as_it_is_is_not_told_again(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()

    assert bell.round() == []


def test_a_condition_that_is_seen_false_resolves(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.send(ATLAS, temperature=79)

    assert bell.round() == [("firing", "resolved")]
    assert bell.transitions()[-1].value == 81  # the last one that was true
    assert bell.round() == []


def test_an_alert_that_fires_again_has_the_same_row(bell):
    bell.rules(HOT)
    for temperature in (81, 79, 82):
        bell.send(ATLAS, temperature=temperature)
        bell.round()

    (alert,) = bell.alerts()
    assert (alert.state, alert.value, alert.resolved_ms) == (AlertState.FIRING, 82, None)
    assert {alert.id} == {transition.alert_id for transition in bell.transitions()}


def test_a_pending_alert_is_written_too_and_vanishes_at_the_first_miss(bell):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    assert bell.round() == [("inactive", "pending")]

    bell.send(ATLAS, temperature=79)

    assert bell.round() == [("pending", "inactive")]
    assert bell.alerts()[0].state is AlertState.INACTIVE


def test_for_goes_on_over_a_restart(bell):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.restart()

    assert bell.round() == []
    assert bell.round() == [("pending", "firing")]
    assert bell.alerts()[0].active_ms == START_MS + 1000


def test_a_firing_alert_goes_on_over_a_restart_and_its_condition_is_still_asked_by_its_own_labels(bell):
    bell.rules(HOT.replace("severity: critical", "severity: critical, job: other"))
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.restart()
    assert bell.round() == []

    bell.send(ATLAS, temperature=79)

    assert bell.round() == [("firing", "resolved")]


def test_an_alert_whose_data_stops_is_unknown_and_not_resolved(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.send(ATLAS, temperature=None)

    assert bell.round() == [("firing", "unknown")]
    assert bell.round() == []

    bell.send(ATLAS, temperature=82)
    assert bell.round() == [("unknown", "firing")]

    bell.send(ATLAS, temperature=None)
    bell.round()
    bell.send(ATLAS, temperature=79)
    assert bell.round() == [("unknown", "resolved")]


@pytest.mark.parametrize(("choice", "transitions"), [("fire", []), ("resolve", [("firing", "resolved")])])
def test_a_rule_may_say_what_missing_data_means(bell, choice, transitions):
    bell.rules(HOT.replace("annotations:", f"annotations:\n          tocsin_on_no_data: {choice}"))
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.send(ATLAS, temperature=None)

    assert transitions == bell.round()


def test_a_host_that_falls_silent_is_told_while_its_other_alerts_become_unknown(bell):
    bell.rules(HOT + "      - {alert: Silent, expr: up == 0}\n")
    bell.send(ATLAS, temperature=81)
    bell.head.beat(ATLAS, up=True, at_ms=bell.now_ms)
    bell.round()
    bell.head.beat(ATLAS, up=False, at_ms=bell.now_ms)

    assert bell.round() == [("firing", "unknown"), ("inactive", "firing")]


def test_a_write_that_fails_leaves_everything_as_it_was_and_is_tried_again(bell, monkeypatch):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)

    def refuse(_act):
        raise Unavailable("the disk with the database is full")

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
        patch.setattr(bell.storage, "write", refuse)
        assert bell.round() == []
        assert bell.round() == []

    assert [(line["action"], line["error"]) for line in logs] == [
        ("settle_failed", "the disk with the database is full")
    ]
    assert bell.judge.live_value(1) is None
    assert bell.round() == [("inactive", "firing")]


@pytest.fixture
def full(bell, monkeypatch):
    """A context in which nothing can be written."""

    @contextlib.contextmanager
    def full():
        with monkeypatch.context() as patch:
            patch.setattr(bell.storage, "write", lambda _act: (_ for _ in ()).throw(Unavailable("full")))
            yield

    return full


def test_a_condition_counts_as_true_for_as_long_as_it_was_seen_be_it_written_or_not(bell, full):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    with full():
        for _ in range(4):
            assert bell.round() == []

    assert bell.round() == [("inactive", "firing")]
    assert bell.alerts()[0].active_ms == START_MS + 1000


def test_it_counts_over_a_reload_too(bell, full):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    with full():
        bell.round(after_s=1)
        bell.rules(HOT_FOR_2S.replace("> 80", "> 70"))
        bell.round(after_s=2)

    assert bell.round() == [("inactive", "firing")]


def test_a_condition_that_was_seen_false_begins_anew_be_it_written_or_not(bell, full):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    assert bell.round() == [("inactive", "pending")]
    with full():
        bell.send(ATLAS, temperature=79)
        bell.round()
        bell.send(ATLAS, temperature=81)
        bell.round()

    assert bell.round() == []
    assert bell.alerts()[0].active_ms == START_MS + 3000
    assert bell.round() == [("pending", "firing")]


def test_a_condition_that_was_true_only_while_nothing_could_be_written_leaves_nothing(bell, full):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    with full():
        bell.round()
    bell.send(ATLAS, temperature=79)
    assert bell.round(after_s=3) == []
    bell.send(ATLAS, temperature=81)

    assert bell.round() == [("inactive", "pending")]


def test_a_rule_that_is_back_before_its_going_was_written_has_its_alerts_back(bell, full):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    with full():
        bell.judge.replace_rules(RuleSet())
        bell.round()
    bell.rules(HOT_FOR_2S)

    assert bell.round() == []
    assert bell.alerts()[0].state is AlertState.FIRING


def test_two_clients_are_judged_at_once_and_stay_apart(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.send(ZEPHYR, temperature=90)
    bell.round()

    assert [(alert.client_id, alert.host_id, alert.value) for alert in bell.alerts()] == [
        (ACME, ATLAS, 81),
        (GLOBEX, ZEPHYR, 90),
    ]


def test_a_rule_that_has_gone_takes_its_alerts_with_it_and_says_so(bell):
    bell.rules(HOT.replace("alert: Hot", "alert: Warm") + HOT_FOR_2S.split("rules:")[1])
    bell.send(ATLAS, temperature=81)
    bell.round()

    bell.judge.replace_rules(RuleSet())

    assert bell.round() == [("firing", "resolved"), ("pending", "inactive")]
    assert bell.transitions()[-2].annotations["tocsin_reason"].startswith("the rule is no longer in force")
    assert bell.round() == []


def test_a_rule_that_has_gone_while_the_server_was_down_takes_its_alerts_with_it(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.judge.replace_rules(RuleSet())
    bell.restart()

    assert bell.round() == [("firing", "resolved")]


def test_before_any_rules_are_loaded_restored_alerts_are_left_alone(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.judge = type(bell.judge)(
        head=bell.head, storage=bell.storage, health=bell.health, host_of=lambda _client, _name: None
    )
    bell.judge.restore(bell.now_ms)

    assert bell.round() == []
    assert bell.alerts()[0].state is AlertState.FIRING


def test_the_end_of_a_gone_alert_is_tried_again_where_it_cannot_be_written(bell, monkeypatch):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.judge.replace_rules(RuleSet())
    with monkeypatch.context() as patch:
        patch.setattr(bell.storage, "write", lambda _act: (_ for _ in ()).throw(Unavailable("full")))
        assert bell.round() == []

    assert bell.round() == [("firing", "resolved")]


def test_a_reload_that_changes_nothing_for_an_alert_leaves_it_alone(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()

    bell.rules(HOT.replace("> 80", "> 70") + "      - {alert: Other, expr: temperature < 0}\n")

    assert bell.round() == []


def test_under_another_severity_an_alert_is_another(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()

    bell.rules(HOT.replace("critical", "warning"))

    assert sorted(bell.round()) == [("firing", "resolved"), ("inactive", "firing")]
    assert [(alert.severity, alert.state) for alert in bell.alerts()] == [
        ("critical", AlertState.RESOLVED),
        ("warning", AlertState.FIRING),
    ]


def test_a_label_that_holds_the_value_makes_another_alert_of_each_value(bell):
    bell.rules(HOT.replace("severity: critical", "degrees: '{{ $value }}'"))
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.send(ATLAS, temperature=82)

    assert sorted(bell.round()) == [("firing", "resolved"), ("inactive", "firing")]


def test_a_template_that_cannot_be_filled_says_so_in_its_text(bell):
    bell.rules(HOT.replace("{{ $labels.instance }}", "{{ $labels.instance | humanize }}"))
    bell.send(ATLAS, temperature=81)
    bell.round()

    summary = bell.transitions()[0].annotations["summary"]
    assert summary == "<error expanding template: 'atlas' is not a number>"


def test_the_alertname_is_the_rules_and_an_empty_label_is_none(bell):
    bell.rules(HOT.replace("severity: critical", "alertname: x, job: ''"))
    bell.send(ATLAS, temperature=81)
    bell.round()

    assert bell.alerts()[0].labels == {"alertname": "Hot", "instance": "atlas", "site": "berlin"}


def test_two_results_that_are_the_same_alert_are_an_error_of_their_client_only(bell):
    bell.rules(HOT.replace("severity: critical", "instance: all"))
    bell.send(ATLAS, temperature=81)
    bell.send(ZEPHYR, temperature=81)
    assert bell.round() == [("inactive", "firing")] * 2

    bell.send(BOREA, temperature=82)
    bell.send(ZEPHYR, temperature=79)

    assert bell.round() == [("firing", "resolved")]  # Globex's; Acme's stays as it is
    (problem,) = bell.judge.problems
    assert (problem.file, problem.group, problem.rule) == ("rules.yml", "hosts", "Hot")
    assert problem.reason.startswith(f"for client {ACME}: two results are the same alert")

    bell.send(BOREA, temperature=79)
    assert bell.round() == []
    assert bell.judge.problems == []


def test_more_alerts_than_the_limit_are_an_error_of_their_client_only(bell):
    bell.rules(HOT.replace("name: hosts", "name: hosts\n    limit: 1"))
    for host_id in (ATLAS, BOREA, ZEPHYR):
        bell.send(host_id, temperature=81)

    assert bell.round() == [("inactive", "firing")]
    assert bell.alerts()[0].client_id == GLOBEX
    assert "2 alerts are more than the group's limit of 1" in bell.judge.problems[0].reason


def test_a_client_whose_part_cannot_be_evaluated_keeps_its_alerts(bell):
    bell.rules(HOT.replace("temperature > 80", "temperature * on (job) fan > 80"))
    for host_id in (ATLAS, ZEPHYR):
        bell.send(host_id, temperature=81, fan=1)
    assert bell.round() == [("inactive", "firing")] * 2

    bell.send(BOREA, temperature=1, fan=1)  # now two series of Acme's are on each side
    bell.send(ATLAS, temperature=1, fan=1)
    bell.send(ZEPHYR, temperature=1, fan=1)

    assert bell.round() == [("firing", "resolved")]
    assert bell.transitions()[-1].client_id == GLOBEX
    assert f"for client {ACME}: " in bell.judge.problems[0].reason


def test_a_rule_that_raises_leaves_the_others_alone(bell, monkeypatch):
    bell.rules(HOT + "      - {alert: Cold, expr: temperature < 0}\n")
    bell.send(ATLAS, temperature=81)
    bell.round()
    inquire = watch_module.Inquiry

    def fail_for_hot(expression, source, at_ms):
        if expression.text == "temperature > 80":
            raise RuntimeError("no such thing")
        return inquire(expression, source, at_ms)

    monkeypatch.setattr(watch_module, "Inquiry", fail_for_hot)
    bell.send(ATLAS, temperature=-1)
    with structlog.testing.capture_logs() as logs:
        assert bell.round() == [("inactive", "firing")]
        assert bell.round() == []

    assert bell.judge.problems[0].reason == "RuntimeError: no such thing"
    assert [line["action"] for line in logs] == ["rule_failed"]  # once, not every second
    assert bell.health.rule_failures.labels(rule="rules.yml/hosts/Hot")._value.get() == 2


def test_a_group_with_an_interval_is_judged_once_in_each_stretch_of_it(bell):
    bell.rules(HOT.replace("name: hosts", "name: hosts\n    interval: 10s"))
    bell.round()
    bell.send(ATLAS, temperature=81)

    seen = [bell.round() for _ in range(10)]

    assert seen == [[]] * 8 + [[("inactive", "firing")]] + [[]]


def test_a_group_with_an_offset_looks_at_the_past(bell):
    bell.rules(HOT.replace("name: hosts", "name: hosts\n    query_offset: 5s"))
    bell.send(ATLAS, temperature=1)
    bell.now_ms += 3000
    bell.send(ATLAS, temperature=81)

    assert bell.round() == []
    assert bell.round(after_s=4) == [("inactive", "firing")]


def test_a_row_without_a_host_finds_it_by_its_instance(bell):
    bell.rules(HOT.replace("temperature > 80", "max by (instance) (temperature) > 80"))
    bell.send(ATLAS, temperature=81)
    bell.round()

    assert bell.alerts()[0].host_id == ATLAS


def test_a_row_without_an_instance_has_no_host_and_no_sample(bell):
    bell.rules(HOT.replace("temperature > 80", "max(temperature) > 80"))
    bell.send(ATLAS, temperature=81)
    bell.send(BOREA, temperature=80)
    bell.round()

    assert bell.alerts()[0].host_id is None
    assert bell.transitions()[0].sample_ms is None


def test_a_value_that_is_no_number_is_written_as_none(bell):
    bell.rules(HOT.replace("temperature > 80", "temperature * NaN"))
    bell.send(ATLAS, temperature=81)
    bell.round()

    assert bell.alerts()[0].value is None


def test_the_live_value_follows_the_readings_without_a_transition(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.send(ATLAS, temperature=85)
    assert bell.round() == []

    assert bell.judge.live_value(bell.alerts()[0].id) == 85

    bell.send(ATLAS, temperature=None)
    bell.round()
    assert bell.judge.live_value(bell.alerts()[0].id) == 85  # the last true value
    assert bell.alerts()[0].value == 85

    bell.send(ATLAS, temperature=79)
    bell.round()
    assert bell.judge.live_value(bell.alerts()[0].id) is None


RECORDING = """
groups:
  - name: hosts
    rules:
      - record: client:temperature:max
        expr: max(temperature)
        labels: {kind: highest, empty: ''}
      - alert: Hot
        expr: client:temperature:max{kind="highest"} > 80
"""


def test_what_is_recorded_is_there_for_the_rules_that_follow(bell):
    bell.rules(RECORDING)
    bell.send(ATLAS, temperature=81)
    bell.send(BOREA, temperature=1)
    bell.send(ZEPHYR, temperature=1)

    assert bell.round() == [("inactive", "firing")]
    assert bell.alerts()[0].labels == {"alertname": "Hot", "kind": "highest"}
    assert bell.alerts()[0].client_id == ACME


def test_what_is_no_longer_recorded_turns_stale(bell):
    bell.rules(RECORDING)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.send(ATLAS, temperature=None)

    assert bell.round() == [("firing", "unknown")]


def test_what_a_rule_that_has_gone_recorded_turns_stale(bell):
    bell.rules(RECORDING)
    bell.send(ATLAS, temperature=81)
    bell.round()

    bell.rules(RECORDING.replace("record: client", "record: other"))

    assert bell.round() == [("firing", "unknown")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("empty: ''", "instance: all"), "two results have the same labels once the rule's labels are applied"),
        (("name: hosts", "name: hosts\n    limit: 1"), "2 results are more than the group's limit of 1"),
    ],
)
def test_a_recording_rule_that_fails_for_a_client_is_told(bell, change, why):
    bell.rules(RECORDING.replace("max(temperature)", "temperature").replace(*change))
    for host_id in (ATLAS, BOREA, ZEPHYR):
        bell.send(host_id, temperature=81)

    assert bell.round() == [("inactive", "firing")]  # Globex's
    assert [f"for client {ACME}: {why}"] == [problem.reason for problem in bell.judge.problems]


def test_rules_may_ask_for_alerts(bell):
    bell.rules(HOT + "      - {alert: Many, expr: 'count(ALERTS{alertstate=\"firing\"}) > 0'}\n")
    bell.send(ATLAS, temperature=81)

    assert bell.round() == [("inactive", "firing")]
    assert bell.round() == [("inactive", "firing")]  # with the next round, once the first is settled
    assert {"Hot", "Many"} == {alert.alertname for alert in bell.alerts()}


def test_what_stands_in_the_head_about_alerts_is_listed(bell):
    bell.rules(HOT + "      - {alert: Many, expr: 'count(ALERTS) > 1'}\n")
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.round()

    made = evaluate(parse('{__name__=~".+", __name__!="temperature"}'), bell.head, bell.now_ms).rows()
    assert {row.labels["__name__"] for row in made} == PROCLAIMED


def test_a_rule_that_was_gone_begins_its_for_anew_even_if_nothing_of_that_was_written(bell, full):
    bell.rules(HOT_FOR_2S)
    bell.send(ATLAS, temperature=81)
    bell.round()
    with full():
        bell.rules("groups: []")
        bell.round(after_s=5)
        bell.rules(HOT_FOR_2S)

    assert bell.round() == []
    assert bell.alerts()[0].active_ms == bell.now_ms
    assert bell.round(after_s=2) == [("pending", "firing")]


def test_health_counts_rules_alerts_and_transitions(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.send(ZEPHYR, temperature=81)
    bell.round()

    health = bell.health
    assert health.rules._value.get() == 1
    assert health.alerts.labels(state="firing")._value.get() == 2
    assert health.alerts.labels(state="pending")._value.get() == 0
    assert health.transitions.labels(state="firing")._value.get() == 2


@pytest.mark.scenario
def test_a_storm_is_settled_in_one_go(bell):
    bell.rules(HOT)
    for host_id in (ATLAS, BOREA, ZEPHYR):
        bell.send_zones(host_id, 500)

    assert len(bell.round()) == 1500
    assert {alert.id for alert in bell.alerts()} == {each.alert_id for each in bell.transitions()}


@pytest.mark.scenario
def test_when_very_many_go_dark_all_are_unknown_at_once(bell):
    bell.rules(HOT)
    for host_id in (ATLAS, BOREA, ZEPHYR):
        bell.send_zones(host_id, 300)
    bell.round()
    for host_id in (ATLAS, BOREA, ZEPHYR):
        bell.send(host_id, other=1)  # its temperatures turn stale

    assert [len(bell.round()) for _ in range(2)] == [900, 0]
    assert {alert.state for alert in bell.alerts()} == {AlertState.UNKNOWN}


def test_an_alert_of_a_host_that_is_retired_resolves_and_says_so(bell):
    bell.rules(HOT)
    bell.send(ATLAS, temperature=81)
    bell.round()
    bell.head.retire(ATLAS)
    assert bell.round() == [("firing", "unknown")]

    del bell.hosts[ACME, "atlas"]

    assert bell.round() == [("unknown", "resolved")]
    assert bell.transitions()[-1].annotations["tocsin_reason"] == "the host is watched no longer"
