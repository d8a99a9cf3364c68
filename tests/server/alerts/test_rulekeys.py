"""A rule is known by what it says, not by where it stands in its file."""

from itertools import permutations
from textwrap import indent

import pytest
from tests.server.alerts.conftest import ATLAS

from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import AlertingRule

WARM = "- {alert: Hot, expr: temperature > 60, for: 2s, labels: {severity: warning}}"
HOT = "- {alert: Hot, expr: temperature > 80, for: 2s, labels: {severity: critical}}"
HUMID = "- {alert: Hot, expr: humidity > 80, for: 2s, labels: {severity: critical}}"
COLD = "- {alert: Cold, expr: temperature < 5, for: 2s}"


def rules_text(*rules):
    return "groups:\n  - name: hosts\n    rules:\n" + indent("\n".join(rules), "      ")


@pytest.fixture
def keys(tmp_path):
    """Loads rules; by what each asks its key."""

    def keys(*rules):
        path = tmp_path / "rules.yml"
        path.write_text(rules_text(*rules))
        return {
            (rule.expression.text, isinstance(rule, AlertingRule) and rule.for_ms): rule.key
            for rule in load_rule_files(path).rules()
        }

    return keys


def test_rules_of_a_name_keep_their_keys_in_whatever_order_they_stand(keys):
    rules = (WARM, HOT, HUMID, COLD, HOT.replace("2s", "9s"))
    known = keys(*rules)

    assert len(set(known.values())) == len(rules)
    assert all(keys(*order) == known for order in permutations(rules))


def test_a_name_of_its_own_is_all_there_is_to_a_key(keys):
    assert set(keys(COLD, HOT).values()) == {"rules.yml/hosts/Cold", "rules.yml/hosts/Hot"}


def test_a_third_of_a_name_leaves_the_keys_of_the_others_alone(keys):
    assert keys(WARM, HOT).items() <= keys(COLD.replace("Cold", "Hot"), WARM, HOT).items()


def test_another_threshold_is_the_same_rule_where_the_labels_tell_rules_apart(keys):
    before = keys(WARM, HOT)
    after = keys(WARM, HOT.replace("80", "85"))

    assert set(before.values()) == set(after.values())


def test_blanks_and_lines_of_an_expression_are_nothing_of_its_own(keys):
    spread = HOT.replace("temperature > 80", "'temperature  >\n 80'")

    assert set(keys(HOT, HUMID).values()) == set(keys(HUMID, spread).values())


def test_rules_that_are_the_same_in_everything_have_keys_of_their_own(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(rules_text(HOT, HOT, HOT, COLD))

    assert len({rule.key for rule in load_rule_files(path).rules()}) == 4


def test_recording_rules_of_a_name_keep_their_keys_too(keys):
    rules = [f"- {{record: up:sum, expr: sum({job}), labels: {{job: {job}}}}}" for job in "abc"]

    assert keys(*rules) == keys(*reversed(rules))


def test_a_for_goes_on_when_rules_of_a_name_change_places(bell):
    bell.rules(rules_text(WARM, HOT))
    bell.send(ATLAS, temperature=90)
    assert bell.round() == [("inactive", "pending")] * 2

    bell.rules(rules_text(HOT, COLD, WARM))

    assert bell.round() == []
    assert bell.round() == [("pending", "firing")] * 2


def test_an_alert_goes_on_when_rules_of_a_name_change_places_while_the_server_is_down(bell):
    bell.rules(rules_text(HOT, HUMID))
    bell.send(ATLAS, temperature=90)
    told = [bell.round() for _ in range(3)]
    bell.rules(rules_text(HUMID, HOT))
    bell.restart()

    assert told[-1] == [("pending", "firing")]
    assert bell.round() == []
