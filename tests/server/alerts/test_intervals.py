"""Intervals hold the moments that Alertmanager's do, on whatever clock they are read off."""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.intervals import Days, Interval, contains, read_interval, read_intervals
from tocsin_server.yaml_nodes import BadYaml, Fields, composed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(text):
    return read_interval(composed(text))


def millis(text, zone=UTC, fold=0):
    """The moment when the clock on the wall there shows this."""
    at = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
    return (at - EPOCH) // timedelta(milliseconds=1)


def test_an_interval_says_all_that_it_can_say():
    interval = read("""
        times:
        - {start_time: 22:00, end_time: "24:00"}
        - {start_time: 00:00, end_time: 05:30}
        weekdays: ["monday:Friday", sunday]
        days_of_month: [1:7, "-3:-1", "5:-5", -31]
        months: [november, "1:3", June:august]
        years: [2026, 2027:2029]
        location: Europe/Berlin
    """)

    assert interval == Interval(
        times=(range(1320, 1440), range(330)),
        weekdays=(range(1, 6), range(1)),
        days_of_month=(Days(1, 7), Days(-3, -1), Days(5, -5), Days(-31, -31)),
        months=(range(11, 12), range(1, 4), range(6, 9)),
        years=(range(2026, 2027), range(2027, 2030)),
        zone=ZoneInfo("Europe/Berlin"),
    )


@pytest.mark.parametrize(
    ("text", "within", "without"),
    [
        # times: the end is not within, and 24:00 is the day's end
        (
            "times: [{start_time: '22:00', end_time: '24:00'}]",
            ["2026-11-26T22:00", "2026-11-26T23:59:59.999"],
            ["2026-11-26T21:59:59.999", "2026-11-27T00:00"],
        ),
        (
            "times: [{start_time: '09:00', end_time: '17:00'}]",
            ["2026-11-26T09:00", "2026-11-26T16:59:59.999"],
            ["2026-11-26T17:00"],
        ),
        # 2026-11-29 is a Sunday
        ("weekdays: ['monday:friday']", ["2026-11-27"], ["2026-11-28", "2026-11-29"]),
        ("weekdays: ['sunday:monday']", ["2026-11-29", "2026-11-30"], ["2026-11-28", "2026-12-01"]),
        # the end of the month is where it is
        ("days_of_month: [-1]", ["2026-02-28", "2028-02-29", "2026-12-31"], ["2028-02-28", "2026-12-30"]),
        ("days_of_month: ['-3:-1']", ["2026-02-26", "2026-04-28"], ["2026-02-25", "2026-04-27"]),
        ("days_of_month: ['29:31']", ["2026-03-29", "2028-02-29"], ["2026-02-28"]),
        ("days_of_month: [31]", ["2026-01-31"], ["2026-04-30"]),
        ("days_of_month: ['25:-2']", ["2026-04-29"], ["2026-04-30", "2026-04-24"]),
        (
            "days_of_month: ['-31:-30']",
            ["2026-01-01", "2026-01-02", "2026-04-01"],
            ["2026-02-01", "2026-04-02"],
        ),
        ("months: [november]", ["2026-11-01"], ["2026-12-01"]),
        ("months: ['2:3']", ["2026-02-01", "2026-03-31T23:59"], ["2026-01-31", "2026-04-01"]),
        ("years: ['2026:2027']", ["2026-01-01", "2027-12-31T23:59"], ["2025-12-31T23:59", "2028-01-01"]),
        # all fields have to hold
        ("{weekdays: [friday], days_of_month: [13]}", ["2026-11-13"], ["2026-11-20", "2026-12-13"]),
        ("{}", ["2026-11-26"], []),
    ],
)
def test_golden_moments(text, within, without):
    interval = read(text)

    assert [moment for moment in within if not interval.contains(millis(moment))] == []
    assert [moment for moment in without if interval.contains(millis(moment))] == []


def minutes_within(text, day, zone):
    """How many real minutes of a day on the wall are within; the day and its neighbours are looked at."""
    interval, start = read(text), millis(f"{day}T00:00", UTC) - 86_400_000
    shown = [start + minute * 60_000 for minute in range(3 * 1440)]
    return sum(
        interval.contains(at_ms) and str((EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).date()) == day
        for at_ms in shown
    )


@pytest.mark.parametrize(
    ("day", "zone", "minutes"),
    [
        ("2026-03-28", "Europe/Berlin", 60),
        ("2026-03-29", "Europe/Berlin", 0),  # the clock goes from 2 to 3
        ("2026-10-25", "Europe/Berlin", 120),  # and back from 3 to 2
        ("2026-03-29", "Europe/London", 60),  # there it goes from 1 to 2
        ("2026-10-04", "Australia/Lord_Howe", 30),  # half an hour is left out, from 2:00 to 2:30
        ("2011-12-30", "Pacific/Apia", 0),  # the day is left out: the zone went to the other side of the date
        ("2016-05-01", "America/Caracas", 30),  # 2:30 became 3:00, from -4:30 to -4 for good
    ],
)
def test_an_hour_that_is_left_out_never_comes_and_one_that_is_repeated_comes_twice(day, zone, minutes):
    text = f"{{times: [{{start_time: '02:00', end_time: '03:00'}}], location: {zone}}}"

    assert minutes_within(text, day, ZoneInfo(zone)) == minutes


def test_days_begin_at_midnight_there():
    sunday = read("{weekdays: [sunday], location: Pacific/Auckland}")
    auckland = ZoneInfo("Pacific/Auckland")

    assert sunday.contains(millis("2026-11-29T00:00", auckland))
    assert not sunday.contains(millis("2026-11-28T23:59", auckland))
    assert sunday.contains(millis("2026-11-28T11:00"))  # Saturday in Greenwich


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("times: [{start_time: '22:00', end_time: '06:00'}]", "split at 24:00"),
        ("times: [{start_time: '24:00', end_time: '24:00'}]", "has to be after"),
        ("times: [{start_time: '9:00', end_time: '17:00'}]", "'start_time' has to be a time"),
        ("times: [{start_time: '09:00', end_time: '24:01'}]", "'end_time' has to be a time"),
        ("times: [{start_time: '09:60', end_time: '24:00'}]", "'start_time' has to be a time"),
        ("times: [{start_time: '09:00'}]", "a range of times needs 'end_time'"),
        ("times: [{start: '09:00'}]", "has no field 'start'; did you mean 'start_time'"),
        ("times: ['09:00']", "a range of times has to be a map"),
        ("times: []", "'times' is empty"),
        ("weekdays: [mon]", "'weekdays': 'mon' is not one, nor a range such as monday:tuesday"),
        ("weekdays: [1]", "'weekdays': '1' is not one"),
        ("weekdays: ['friday:monday']", "ends before it begins; write two ranges"),
        ("weekdays: ['monday:']", "is not one"),
        ("weekdays: monday", "'weekdays' of a time interval has to be a list"),
        ("days_of_month: [0]", "are 1 to 31 or -31 to -1, got 0"),
        ("days_of_month: [32]", "got 32"),
        ("days_of_month: ['1:-32']", "got -32"),
        ("days_of_month: ['-3:5']", "a range that begins from the end ends so too"),
        ("days_of_month: ['7:5']", "5 always comes before 7"),
        ("days_of_month: ['20:-20']", "-20 always comes before 20"),
        ("days_of_month: ['1:2:3']", "is not one, nor a range such as 1:7"),
        ("days_of_month: [१]", "is not one"),
        ("months: [13]", "'months': '13' is not one, nor a range such as february:march"),
        ("months: ['november:january']", "ends before it begins"),
        ("years: [0]", "whole numbers from 1"),
        ("years: [20266]", "is not one"),
        ("location: Europe/Berln", "no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'"),
        ("location: ../../etc/passwd", "no time zone"),
        ("location: Europe", "no time zone"),
        ("location: right/UTC", "no time zone"),
        ("location: /usr/share/zoneinfo/UTC", "no time zone"),
        ("weekday: [monday]", "has no field 'weekday'; did you mean 'weekdays'"),
        ("years: [" + "2026," * 101 + "]", "lists 101, which is more than 100"),
        ("[]", "a time interval has to be a map"),
    ],
)
def test_a_wrong_interval_is_refused_with_line_key_and_reason(text, why):
    with pytest.raises(BadYaml) as refusal:
        read(f"\n{text}")

    assert refusal.value.line == 2
    assert why in refusal.value.reason


def test_a_list_holds_what_one_of_it_holds():
    text = "a: [{weekdays: [saturday]}, {weekdays: [sunday]}]"
    weekend = read_intervals(Fields(composed(text), ("a",), what="a test"), "a")

    days = [contains(weekend, millis(f"2026-11-{day}")) for day in range(23, 30)]

    assert days == [False] * 5 + [True] * 2


MOMENTS = st.integers(millis("1971-01-01"), millis("2100-01-01"))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
)


def span(first, last):
    return st.tuples(st.integers(first, last), st.integers(first, last)).map(sorted)


@given(MOMENTS, ZONES, span(0, 1440), span(0, 6), span(1, 12), span(1971, 2100))
def test_each_field_is_read_off_the_clock_on_the_wall(at_ms, zone, times, weekdays, months, years):
    interval = Interval(
        times=(range(*times),),
        weekdays=(range(weekdays[0], weekdays[1] + 1),),
        months=(range(months[0], months[1] + 1),),
        years=(range(years[0], years[1] + 1),),
        zone=ZoneInfo(zone),
    )
    wall = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))

    assert interval.contains(at_ms) is (
        times[0] <= wall.hour * 60 + wall.minute < times[1]
        and weekdays[0] <= int(wall.strftime("%w")) <= weekdays[1]
        and months[0] <= wall.month <= months[1]
        and years[0] <= wall.year <= years[1]
    )


@given(MOMENTS, ZONES, st.integers(1, 31))
def test_a_day_from_the_end_is_the_day_that_it_is(at_ms, zone, back):
    wall = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    length = calendar.monthrange(wall.year, wall.month)[1]

    interval = Interval(days_of_month=(Days(-back, -back),), zone=ZoneInfo(zone))

    assert interval.contains(at_ms) is (wall.day == length + 1 - back)


@given(MOMENTS, st.integers(0, 59_999))
def test_within_a_minute_nothing_changes(at_ms, later_ms):
    interval = read("{times: [{start_time: '09:00', end_time: '17:30'}], location: Europe/Berlin}")
    minute_ms = at_ms - at_ms % 60_000

    assert interval.contains(minute_ms) is interval.contains(minute_ms + later_ms)


@given(MOMENTS)
def test_what_is_written_in_two_parts_over_midnight_has_no_gap_there(at_ms):
    night = read("times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]")
    day = read("times: [{start_time: '06:00', end_time: '22:00'}]")

    assert night.contains(at_ms) is not day.contains(at_ms)
