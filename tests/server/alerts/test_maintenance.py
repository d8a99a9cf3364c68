"""A maintenance window is open when it says so, for whom it says so, and its file is read strictly."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.intervals import Interval
from tocsin_server.alerts.maintenance import Place, Window, read_window
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.yaml_nodes import BadYaml, composed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NIGHTS = (Interval(times=(range(1320, 1440),)), Interval(times=(range(360),)))
SUNDAYS = Interval(weekdays=(range(1),))


def millis(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def read(text):
    return read_window(composed(text), {"nights": NIGHTS})


def test_a_window_says_all_that_it_can_say():
    window = read("""
        name: patch night
        client: acme
        site: berlin
        host: atlas
        matchers: ['job="node",severity!="critical"']
        time_intervals: [nights, {weekdays: [sunday]}]
        from: 2026-11-01T00:00+01:00
        until: 2027-01-01 00:00:30Z
        reason: monthly patches
    """)

    assert window == Window(
        name="patch night",
        place=Place("acme", "berlin", "atlas"),
        reason="monthly patches",
        matchers=parse_matchers('job="node",severity!="critical"'),
        intervals=(*NIGHTS, SUNDAYS),
        from_ms=millis("2026-10-31T23:00Z"),
        until_ms=millis("2027-01-01T00:00:30Z"),
    )


FROM, UNTIL = millis("2026-11-26T21:00Z"), millis("2026-11-27T23:00Z")


@pytest.mark.parametrize(
    ("changes", "moments"),
    [
        ({"from_ms": FROM, "until_ms": UNTIL}, {"26T20:59": 0, "26T21:00": 1, "27T22:59": 1, "27T23:00": 0}),
        ({"intervals": NIGHTS}, {"26T21:59": 0, "26T22:00": 1, "27T05:59": 1, "27T06:00": 0}),
        (
            {"intervals": NIGHTS, "from_ms": FROM, "until_ms": UNTIL},
            {"26T03:00": 0, "26T21:30": 0, "26T22:30": 1, "27T12:00": 0, "27T22:30": 1, "27T23:30": 0},
        ),
        ({"intervals": NIGHTS, "from_ms": FROM}, {"26T03:00": 0, "28T03:00": 1}),
        ({"intervals": NIGHTS, "until_ms": UNTIL}, {"26T03:00": 1, "28T03:00": 0}),
    ],
)
def test_it_is_open_between_its_ends_while_an_interval_holds(changes, moments):
    window = Window("w", Place("acme"), "why", **changes)

    found = {moment: window.is_open(millis(f"2026-11-{moment}Z")) for moment in moments}

    assert found == {moment: bool(is_open) for moment, is_open in moments.items()}


@pytest.mark.parametrize(
    ("place", "covers"),
    [
        (Place(), True),
        (Place("acme"), True),
        (Place("acme", "berlin"), True),
        (Place("acme", None, "atlas"), True),
        (Place("acme", "berlin", "atlas"), True),
        (Place("globex"), False),
        (Place("acme", "paris"), False),
        (Place("acme", "berlin", "borea"), False),
    ],
)
def test_it_covers_the_alerts_of_its_place_that_pass_its_matchers(place, covers):
    here = Place("acme", "berlin", "atlas")
    window = Window("w", place, "why", parse_matchers('job="node"'))

    assert window.covers(here, {"job": "node"}) is covers
    assert not window.covers(here, {"job": "snmp"})


def test_what_is_for_a_host_is_not_for_an_alert_without_one():
    assert not Place("acme", None, "atlas").holds(Place("acme"))
    assert not Place("acme", "berlin").holds(Place("acme"))


WHERE = "client: acme, reason: r"
WHEN = "from: 2026-11-26T22:00Z, until: 2026-11-27T22:00Z"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{WHERE}, {WHEN}", "a maintenance window needs 'name'"),
        (f"name: a, client: acme, {WHEN}", "a maintenance window needs 'reason'"),
        (f"name: a, reason: r, {WHEN}", "needs 'client', or 'matchers'"),
        (f"name: a, reason: r, matchers: ['a=~\".*\"'], {WHEN}", "needs 'client', or 'matchers'"),
        (f"name: a, reason: r, site: berlin, {WHEN}", "a site or a host needs its 'client'"),
        (f"name: a, reason: r, host: atlas, {WHEN}", "a site or a host needs its 'client'"),
        (f"name: a, {WHERE}", "needs 'time_intervals', or both 'from' and 'until'"),
        (f"name: a, {WHERE}, from: 2026-11-26T22:00Z", "needs 'time_intervals', or both"),
        (f"name: a, {WHERE}, time_intervals: []", "'time_intervals' is empty"),
        (f"name: a, {WHERE}, time_intervals: [days]", "no time interval 'days'; there are nights"),
        (f"name: a, {WHERE}, time_intervals: [{{weekday: [monday]}}]", "did you mean 'weekdays'"),
        (f"name: a, {WHERE}, from: 2026-11-27T00:00Z, until: 2026-11-26T00:00Z", "'until' has to be after"),
        (
            f"name: a, {WHERE}, from: 2026-11-27T00:00Z, until: 2026-11-27T01:00+01:00",
            "'until' has to be after",
        ),
        (f"name: a, {WHERE}, from: 2026-11-26, until: 2026-11-27T00:00Z", "'from' has to be a moment such as"),
        (f"name: a, {WHERE}, from: 2026-11-26T22:00, until: 2026-11-27T00:00Z", "'from' has to be a moment"),
        (f"name: a, {WHERE}, from: 2026-02-30T22:00Z, until: 2026-11-27T00:00Z", "'from' has to be a moment"),
        (f"name: a, {WHERE}, matchers: [a], {WHEN}", "'matchers': 'a' is not a matcher"),
        (f"name: a, {WHERE}, {WHEN}, untill: 1", "no field 'untill'; did you mean 'until'"),
        (f"name: a, client: acme, reason: {'r' * 2001}, {WHEN}", "'reason' has 2001 characters"),
    ],
)
def test_a_wrong_window_is_refused_with_line_key_and_reason(text, why):
    with pytest.raises(BadYaml) as refusal:
        read(f"\n{{{text}}}")

    assert refusal.value.line == 2
    assert why in refusal.value.reason


NAMES = st.sampled_from([None, "a", "b"])
PLACES = st.builds(Place, NAMES, NAMES, NAMES)


@given(PLACES, PLACES, PLACES)
def test_what_a_place_holds_is_held_by_all_that_hold_it(wide, middle, narrow):
    assert wide.holds(wide)
    if wide.holds(middle) and middle.holds(narrow):
        assert wide.holds(narrow)
