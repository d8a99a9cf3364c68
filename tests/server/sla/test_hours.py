"""The hours of a week, as a file writes them and as days of pieces."""

import pytest

from tocsin_server.sla.hours import ALWAYS, Shift, read_week, week_of, without
from tocsin_server.yaml_nodes import BadYaml, Fields, composed


def read(hours):
    return read_week(Fields(composed(f"hours: {hours}"), ("hours",), what="a calendar"))


def test_a_week_has_ranges_and_lists_of_days_with_several_times_each():
    week = read(
        """
        - {days: monday-thursday, times: ["08:00-12:00", "13:30-18:00"]}
        - {days: "friday, sunday", times: ["09:00-24:00"]}
        """
    )

    assert week == (((480, 720), (810, 1080)),) * 4 + (((540, 1440),), (), ((540, 1440),))


def test_what_goes_over_midnight_is_on_both_days_and_sunday_goes_into_monday():
    week = read('[{days: "friday, sunday", times: ["22:00-06:00"]}]')

    assert week == (((0, 360),), (), (), (), ((1320, 1440),), ((0, 360),), ((1320, 1440),))


def test_always_is_day_and_night():
    assert read("always") == ALWAYS == read('[{days: monday-sunday, times: ["00:00-24:00"]}]')


def test_times_may_touch():
    assert read('[{days: monday, times: ["08:00-12:00", "12:00-18:00"]}]')[0] == ((480, 720), (720, 1080))


@pytest.mark.parametrize(
    ("hours", "why"),
    [
        ("", "'hours' has to be 'always', or a list"),
        ("never", "'hours' has to be 'always', or a list"),
        ("[]", "'hours' is empty: the calendar would never open"),
        ('[{times: ["08:00-18:00"]}]', "needs 'days'"),
        ("[{days: monday}]", "needs 'times'"),
        ('[{days: funday, times: ["08:00-18:00"]}]', "'funday' is no weekday; they are monday, tuesday"),
        ('[{days: friday-monday, times: ["08:00-18:00"]}]', "ends before it begins"),
        ('[{days: "monday-friday, friday", times: ["08:00-18:00"]}]', "names friday twice"),
        ("[{days: monday, times: [8-18]}]", "'8-18' is no time such as \"08:00-18:00\""),
        ('[{days: monday, times: ["24:00-06:00"]}]', "is no time"),
        ('[{days: monday, times: ["08:00-08:00"]}]', "is empty"),
        ('[{days: monday, times: ["00:00-00:00"]}]', "is empty"),
        (
            '[{days: monday, times: ["08:00-12:00", "11:00-18:00"]}]',
            "hours overlap on monday: 08:00-12:00 of monday",
        ),
        (
            '[{days: sunday, times: ["22:00-06:00"]}, {days: monday, times: ["05:00-06:00"]}]',
            "hours overlap on monday: 22:00-06:00 of sunday goes on",
        ),
        ('[{days: monday, times: ["08:00-18:00"], open: "yes"}]', "no field 'open'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(hours, why):
    with pytest.raises(BadYaml) as refused:
        read(hours)

    assert why in refused.value.reason


def test_a_shift_of_a_day_and_night_does_not_overlap_itself():
    assert week_of([Shift(6, 480, 480 + 1440)]) == (((0, 480),), (), (), (), (), (), ((480, 1440),))


@pytest.mark.parametrize(
    ("closed", "left"),
    [
        ([(0, 1440)], ()),
        ([(720, 1440)], ((480, 720),)),
        ([(600, 660)], ((480, 600), (660, 720), (810, 1080))),
        ([(0, 480), (1080, 1440)], ((480, 720), (810, 1080))),
        ([(700, 900), (0, 500)], ((500, 700), (900, 1080))),
    ],
)
def test_closures_are_taken_out_of_a_day(closed, left):
    assert without(((480, 720), (810, 1080)), closed) == left
