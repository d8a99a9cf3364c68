"""Findings of a backtest: counts and lengths, what is a flap, and what would calm a rule."""

from pathlib import Path

import pytest

from tocsin_server.alerts.backtest import Firing
from tocsin_server.alerts.findings import Advice, Finding, Remedy, finding, findings
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import AlertingRule, RuleSet

MINUTE = 60_000
START = 1_700_000_000_000


def firing(
    begin: int, end: int, *, instance: str = "atlas", client_id: int = 1, active: bool = False, wait: int = 0
) -> Firing:
    """From minute to minute, with its condition true all the time and for `wait` minutes before."""
    return Firing(
        "rules.yml/g/Busy",
        client_id,
        f"of {instance}",
        instance,
        begun_ms=START + (begin - wait) * MINUTE,
        from_ms=START + begin * MINUTE,
        to_ms=START + end * MINUTE,
        is_active=active,
        held_ms=(end - begin + wait - 1) * MINUTE,
    )


def each(length: int, pause: int, count: int, *, wait: int = 0) -> list[Firing]:
    begins = [place * (length + pause) for place in range(count)]
    return [firing(begin, begin + length, wait=wait) for begin in begins]


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: g, rules: ["
        "{record: twice, expr: 2 * load}, "
        "{alert: Busy, expr: load > 8}, "
        "{alert: BusyLong, expr: twice > 16 or laod > 8 or up == 0, for: 10m, keep_firing_for: 5m}]}]"
    )
    return load_rule_files(tmp_path)


@pytest.fixture
def busy(rules: RuleSet) -> AlertingRule:
    return rules.groups[0].rules[1]


@pytest.fixture
def busy_long(rules: RuleSet) -> AlertingRule:
    return rules.groups[0].rules[2]


def found(rules: RuleSet, rule: AlertingRule, firings: list[Firing]) -> Finding:
    return finding(rule, rules.groups[0], firings)


def test_alerts_are_counted_and_measured(rules: RuleSet, busy: AlertingRule) -> None:
    firings = [firing(0, 10), firing(100, 160), firing(500, 502, instance="borea", active=True)]

    told = found(rules, busy, firings)

    assert (told.alerts, told.active, told.flaps) == (3, 1, 0)
    assert (told.total_ms, told.median_ms, told.longest_ms) == (72 * MINUTE, 10 * MINUTE, 60 * MINUTE)
    assert (told.first_ms, told.last_ms) == (START, START + 500 * MINUTE)
    assert list(told.places.items()) == [((1, "atlas"), 2), ((1, "borea"), 1)]


def test_a_flap_is_a_return_within_a_quarter_of_an_hour(rules: RuleSet, busy: AlertingRule) -> None:
    assert found(rules, busy, [firing(0, 10), firing(25, 30)]).flaps == 1
    assert found(rules, busy, [firing(0, 10), firing(26, 30)]).flaps == 0


def test_what_fires_elsewhere_or_of_another_client_is_no_return(rules: RuleSet, busy: AlertingRule) -> None:
    others = [firing(11, 20, instance="borea"), firing(11, 20, client_id=2)]

    assert found(rules, busy, [firing(0, 10), *others]).flaps == 0


def test_a_rule_that_never_fired_needs_no_remedy(rules: RuleSet, busy: AlertingRule) -> None:
    assert found(rules, busy, []).advice == Advice(Remedy.NONE)


def test_a_rule_that_does_not_flap_is_fine(rules: RuleSet, busy_long: AlertingRule) -> None:
    assert found(rules, busy_long, each(5, 30, 4)).advice == Advice(Remedy.FINE, 10 * MINUTE, 4)


def test_a_rule_that_hardly_flaps_is_fine(rules: RuleSet, busy: AlertingRule) -> None:
    firings = each(5, 30, 19)

    told = found(rules, busy, [*firings, firing(640, 642)])

    assert (told.flaps, told.advice) == (1, Advice(Remedy.FINE, 0, 20))


def test_the_shortest_for_that_removes_four_of_five_brief_alerts_is_advised(
    rules: RuleSet, busy: AlertingRule
) -> None:
    firings = [*each(3, 5, 8), *[firing(100, 108), firing(110, 118)], firing(500, 620)]

    told = found(rules, busy, firings)

    assert told.advice == Advice(Remedy.LONGER_FOR, 5 * MINUTE, left=3, brief=10, removed=8)


def test_a_for_that_is_advised_is_longer_than_the_rules_own(rules: RuleSet, busy_long: AlertingRule) -> None:
    told = found(rules, busy_long, each(3, 5, 8, wait=10))

    assert told.advice == Advice(Remedy.LONGER_FOR, 15 * MINUTE, left=0, brief=8, removed=8)


def test_no_for_is_advised_that_loses_an_alert_of_half_an_hour(rules: RuleSet, busy: AlertingRule) -> None:
    long = Firing("", 1, "of borea", "borea", START, START, START + 30 * MINUTE, False, held_ms=MINUTE)

    told = found(rules, busy, [*each(3, 5, 8), long])

    assert told.advice.remedy is Remedy.KEEP_FIRING


def test_what_flaps_and_lasts_had_better_go_on_over_its_pauses(rules: RuleSet, busy_long: AlertingRule) -> None:
    told = found(rules, busy_long, each(40, 12, 5, wait=10))

    assert told.advice == Advice(Remedy.KEEP_FIRING, 20 * MINUTE, left=1)


def test_what_still_fires_is_not_brief(rules: RuleSet, busy: AlertingRule) -> None:
    told = found(rules, busy, [firing(0, 20), firing(22, 24, active=True)])

    assert (told.advice.remedy, told.advice.brief) == (Remedy.KEEP_FIRING, 0)


def test_each_alerting_rule_has_a_finding_with_what_history_lacks(rules: RuleSet) -> None:
    told = findings(
        rules,
        [firing(0, 10)],
        metrics=["load"],
        judged_from_ms={"rules.yml/g/BusyLong": 7},
        failures={"rules.yml/g/BusyLong": "no"},
    )

    assert [(one.rule.name, one.alerts, one.unknown) for one in told] == [
        ("Busy", 1, ()),
        ("BusyLong", 0, ("laod",)),
    ]
    assert (told[1].judged_from_ms, told[1].failure) == (7, "no")
