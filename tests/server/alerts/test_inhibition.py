"""Inhibition is Alertmanager's, within one client, and is quick where many alerts fire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts import inhibition
from tocsin_server.alerts.inhibition import Inhibition, InhibitionRule, inhibited, read_inhibition_rule
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.series.matchers import matches_all
from tocsin_server.yaml_nodes import BadYaml, composed

ACME, GLOBEX = 1, 2


def rule(source, target, *equal, name="r"):
    return InhibitionRule(name, parse_matchers(source), parse_matchers(target), equal)


def firing(*alerts):
    """Alerts by key; the fingerprint is the place in the list."""
    return {(client, str(place)): labels for place, (client, labels) in enumerate(alerts)}


DOWN = rule('alertname="HostDown"', 'severity="warning"', "instance", name="down")


def test_a_target_is_inhibited_by_a_source_that_is_equal_where_it_has_to_be():
    alerts = firing(
        (ACME, {"alertname": "HostDown", "instance": "atlas"}),
        (ACME, {"alertname": "DiskFull", "severity": "warning", "instance": "atlas"}),
        (ACME, {"alertname": "DiskFull", "severity": "warning", "instance": "borea"}),
        (ACME, {"alertname": "DiskFull", "severity": "critical", "instance": "atlas"}),
    )

    found = inhibited([DOWN], alerts)

    assert found == {(ACME, "1"): Inhibition("down", (ACME, "0"), alerts[ACME, "0"])}


def test_a_source_of_another_client_inhibits_nothing():
    alerts = firing(
        (GLOBEX, {"alertname": "HostDown", "instance": "atlas"}),
        (ACME, {"alertname": "DiskFull", "severity": "warning", "instance": "atlas"}),
    )

    assert inhibited([DOWN], alerts) == {}


def test_labels_that_are_missing_on_both_are_equal_and_an_empty_one_is_missing():
    alerts = firing(
        (ACME, {"alertname": "HostDown"}),
        (ACME, {"alertname": "DiskFull", "severity": "warning", "instance": ""}),
        (ACME, {"alertname": "DiskFull", "severity": "warning", "instance": "atlas"}),
    )

    assert list(inhibited([DOWN], alerts)) == [(ACME, "1")]


def test_alerts_that_match_both_sides_do_not_inhibit_each_other_nor_themselves():
    both = rule('severity=~"critical|warning"', 'severity="warning"')
    warnings = firing((ACME, {"severity": "warning"}), (ACME, {"severity": "warning", "a": "b"}))
    critical = {(ACME, "9"): {"severity": "critical"}}

    assert inhibited([both], warnings) == {}
    assert {key: each.source for key, each in inhibited([both], warnings | critical).items()} == {
        (ACME, "0"): (ACME, "9"),
        (ACME, "1"): (ACME, "9"),
    }


def test_alerts_that_match_both_sides_inhibit_those_that_match_one():
    chained = rule('a=~".+"', 'b=~".+"')
    alerts = firing((ACME, {"a": "1", "b": "1"}), (ACME, {"b": "1"}))

    assert {key: each.source for key, each in inhibited([chained], alerts).items()} == {
        (ACME, "1"): (ACME, "0")
    }


def test_what_is_inhibited_inhibits_all_the_same():
    first = rule('alertname="A"', 'alertname="B"', name="first")
    second = rule('alertname="B"', 'alertname="C"', name="second")
    alerts = firing(*((ACME, {"alertname": name}) for name in "ABC"))

    assert {key[1]: each.rule for key, each in inhibited([first, second], alerts).items()} == {
        "1": "first",
        "2": "second",
    }


def plainly(rules, alerts):
    """Alertmanager's way: each pair looked at."""
    return {
        key
        for each in rules
        for key, labels in alerts.items()
        for source, source_labels in alerts.items()
        if matches_all(each.target, labels)
        and matches_all(each.source, source_labels)
        and key[0] == source[0]
        and all(labels.get(name, "") == source_labels.get(name, "") for name in each.equal)
        and not (matches_all(each.source, labels) and matches_all(each.target, source_labels))
    }


SIDES = st.sampled_from(['a="1"', 'b="1"', 'a="1",b!="2"', 'b=~"1|2"', 'c=""', 'a!="1"', 'a="",c=~".*"'])
RULES = st.lists(
    st.builds(rule, SIDES, SIDES) | st.builds(rule, SIDES, SIDES, st.sampled_from("abc")), max_size=4
)
ALERTS = st.dictionaries(
    st.tuples(st.sampled_from([ACME, GLOBEX]), st.sampled_from("pqrs")),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])),
)


@given(RULES, ALERTS)
def test_the_index_finds_what_looking_at_each_pair_finds(rules, alerts):
    found = inhibited(rules, alerts)

    assert set(found) == plainly(rules, alerts)
    assert all(key[0] == each.source[0] and alerts[each.source] == each.labels for key, each in found.items())


@pytest.mark.scenario
def test_ten_thousand_alerts_ask_few_matchers(monkeypatch):
    rules = [
        rule(f'alertname="Down{n}"', 'severity=~"warning|info"', "instance", name=str(n)) for n in range(20)
    ]
    alerts = firing(
        *(
            (
                n % 50,
                {
                    "alertname": f"Down{n % 40}",
                    "instance": f"h{n % 3000}",
                    "severity": "warning",
                    "job": "node",
                },
            )
            for n in range(10_000)
        )
    )
    asked = []
    monkeypatch.setattr(inhibition, "matches_all", lambda *about: bool(asked.append(1)) or matches_all(*about))

    inhibited(rules, alerts)

    assert len(asked) < 10 * len(alerts)


def read(text):
    return read_inhibition_rule(composed(text))


def test_a_rule_is_read_with_matchers_one_or_several_a_line():
    found = read("""
        name: down
        source_matchers: ['alertname="HostDown"', job=node]
        target_matchers: ['{severity=~"warning|info", instance!=""}']
        equal: [instance, "a name"]
    """)

    assert found == rule(
        'alertname="HostDown",job=node',
        'severity=~"warning|info",instance!=""',
        "instance",
        "a name",
        name="down",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{source_matchers: [a=b], target_matchers: [a=c]}", "an inhibition rule needs 'name'"),
        ("{name: a, target_matchers: [a=c]}", "an inhibition rule needs 'source_matchers'"),
        ("{name: a, source_matchers: [a=b], target_matchers: []}", "needs 'target_matchers'"),
        ("{name: a, source_matchers: ['{}'], target_matchers: [a=c]}", "needs 'source_matchers'"),
        ("{name: a, source_matchers: [a], target_matchers: [a=c]}", "'source_matchers': 'a' is not a matcher"),
        ("{name: a, source_matchers: [{a: b}]}", "has to be a single value"),
        ("{name: a, source_matchers: a=b}", "'source_matchers' of an inhibition rule has to be a list"),
        ("{name: a, source_match: {a: b}}", "no field 'source_match'; did you mean 'source_matchers'"),
        ("{name: a, source_matchers: ['a=~\"(\"'], target_matchers: [a=c]}", "cannot be used"),
        ("{name: a, source_matchers: [" + "a=b," * 65 + "]}", "65 matchers are more than 64"),
        ("{name: a, source_matchers: [a=b], target_matchers: [a=c], equal: ['']}", "is not a label's name"),
        ("{name: a, source_matchers: [a=b], target_matchers: [a=c], equal: [[a]]}", "a single value"),
        ("[]", "an inhibition rule has to be a map"),
    ],
)
def test_a_wrong_rule_is_refused_with_line_and_reason(text, why):
    with pytest.raises(BadYaml) as refusal:
        read(f"\n{text}")

    assert refusal.value.line == 2
    assert why in refusal.value.reason
