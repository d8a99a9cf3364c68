"""Files of suppressions are read together, strictly, and all or nothing."""

import pytest

from tocsin_server.alerts.inhibition import InhibitionRule
from tocsin_server.alerts.intervals import Interval
from tocsin_server.alerts.maintenance import Place, Window
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.suppressionfile import SuppressionFileErrors, Suppressions, read_suppressions

SUNDAYS = """
time_intervals:
- name: sundays
  time_intervals: [{weekdays: [sunday]}]
"""
PATCHES = """
maintenance_windows:
- name: patches
  client: acme
  time_intervals: [sundays]
  reason: monthly
inhibit_rules:
- name: down
  source_matchers: [alertname=HostDown]
  target_matchers: [severity=warning]
  equal: [instance]
"""
OVER_MIDNIGHT = "'end_time' has to be after 'start_time': split at 24:00 what goes over midnight"


def test_a_window_may_name_an_interval_of_another_file():
    sundays = (Interval(weekdays=(range(1),)),)

    found = read_suppressions({"a.yml": PATCHES, "b.yml": SUNDAYS, "c.yml": "# nothing yet\n"})

    assert found == Suppressions(
        intervals={"sundays": sundays},
        windows=(Window("patches", Place("acme"), "monthly", intervals=sundays),),
        rules=(
            InhibitionRule(
                "down", parse_matchers("alertname=HostDown"), parse_matchers("severity=warning"), ("instance",)
            ),
        ),
    )


def test_nothing_is_said_by_no_files():
    assert read_suppressions({}) == Suppressions()


def test_all_that_is_wrong_is_told_with_file_line_key_and_reason():
    wrong = """
time_intervals:
- name: nights
  time_intervals: [{times: [{start_time: '22:00', end_time: '06:00'}]}]
- name: none
- {}
maintenance_windows:
- name: patches
  client: acme
  reason: monthly
  time_intervals: [nights]
inhibit_rules:
- name: [a]
"""
    with pytest.raises(SuppressionFileErrors, match="and 6 more") as refusal:
        read_suppressions({"a.yml": wrong, "b.yml": "time_interval: []", "c.yml": "time_intervals: ["})

    told = [str(error) for error in refusal.value.errors]
    assert told == [
        "b.yml:1: a file of suppressions has no field 'time_interval'; did you mean 'time_intervals'",
        told[1],
        f"a.yml:4, time_intervals/nights: {OVER_MIDNIGHT}",
        "a.yml:5, time_intervals/none: a named time interval needs 'time_intervals'",
        "a.yml:6, time_intervals/: a named time interval needs 'name'",
        "a.yml:11, maintenance_windows/patches: there is no time interval 'nights'; there are none",
        "a.yml:13, inhibit_rules/: 'name' of an inhibition rule has to be a single value",
    ]
    assert told[1].startswith("c.yml:2: not YAML")


@pytest.mark.parametrize("text", [SUNDAYS, PATCHES])
def test_a_name_that_stands_twice_is_refused_in_whatever_file(text):
    with pytest.raises(SuppressionFileErrors) as refusal:
        read_suppressions({"a.yml": SUNDAYS, "b.yml": PATCHES, "c.yml": text})

    assert {error.file for error in refusal.value.errors} == {"c.yml"}
    assert all("stands twice" in error.reason for error in refusal.value.errors)
