"""Business calendars: elapsed time and deadlines, beside an oracle that looks at every minute by itself."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.sla.calendars import (
    CLOSURE,
    FRENCH,
    HOUR,
    MINUTE,
    always,
    at,
    business,
    calendar,
    shifts,
)

from tocsin_server.clock import milliseconds
from tocsin_server.sla.calendar import Calendar, Edition, NeverOpen, check_opens
from tocsin_server.sla.holidays import Holiday
from tocsin_server.sla.hours import ALWAYS, Shift, week_of
from tocsin_server.sla.yearspan import Dated, Yearly

EVERY_DAY = calendar(week_of(shifts(range(7), 8, 18)))
STEP_MIN = 5
UNSURE = 26 * 60 // STEP_MIN
"""Steps at either end of what the oracle looks at: of their days it may have seen a part only."""


# -- the vectors of the specification that need no events


@pytest.mark.parametrize(
    ("of", "start", "hours", "due"),
    [
        (business(), "2026-04-30T16:00", 4, "2026-05-04T10:00"),  # 1: a holiday and a week-end between
        (always(), "2026-10-24T20:00", 8, "2026-10-25T03:00+01:00"),  # 2: an hour twice
        (business(), "2026-06-06T11:00", 0, "2026-06-08T08:00"),  # 8: nothing, on a Saturday
        (business(), "2026-06-06T11:00", 1, "2026-06-08T09:00"),
        (business(), "2026-06-08T18:00", 1, "2026-06-09T09:00"),  # 9: from the last instant, and up to it
        (business(), "2026-06-08T17:00", 1, "2026-06-08T18:00"),
        (business([*FRENCH, CLOSURE]), "2026-12-23T17:00", 2, "2027-01-04T09:00"),  # 10: over New Year
        (
            calendar(week_of(shifts([4], 22, 30))),
            "2026-06-05T21:00",
            5,
            "2026-06-06T03:00",
        ),  # 11: over midnight
        (business((), "America/Montreal"), "2026-06-08T09:00", 1, "2026-06-08T09:00-04:00"),  # 12
    ],
)
def test_a_deadline_is_when_so_much_open_time_has_passed(of, start, hours, due):
    assert of.deadline(at(start), hours * HOUR) == at(due)


@pytest.mark.parametrize(
    ("of", "start", "end", "hours"),
    [
        (always(), "2026-10-25T00:00", "2026-10-26T00:00", 25),  # 3
        (always(), "2026-03-29T00:00", "2026-03-30T00:00", 23),
        (calendar(week_of(shifts([6], 1, 4))), "2026-03-29T00:00", "2026-03-30T00:00", 2),  # 4
        (calendar(week_of(shifts([6], 1, 4))), "2026-10-25T00:00", "2026-10-26T00:00", 4),
        # What stepping by 86,400 s makes 44 h and 14 h of: 24th, 25th and 26th whole, the 27th until noon
        (EVERY_DAY, "2026-10-24T00:30", "2026-10-27T12:00", 34),
        (EVERY_DAY, "2026-03-28T23:30", "2026-03-31T12:00", 24),
        (EVERY_DAY, "2026-03-28T12:00", "2026-03-28T11:00", 0),
    ],
)
def test_elapsed_time_is_what_was_open(of, start, end, hours):
    assert of.elapsed(at(start), at(end)) == hours * HOUR


def test_a_partial_holiday_leaves_the_rest_of_its_day():
    eve = Holiday("Veille de Noël", Yearly((12, 24), (12, 24)), ((720, 1440),))

    assert business([eve]).elapsed(at("2026-12-24T00:00"), at("2026-12-25T00:00")) == 4 * HOUR


def test_a_night_shift_ends_where_a_holiday_begins():
    nights = calendar(week_of(shifts(range(7), 22, 30)), FRENCH)

    assert nights.elapsed(at("2026-04-30T12:00"), at("2026-05-02T12:00")) == (2 + 6) * HOUR


def test_an_edition_holds_from_midnight_of_its_day():
    longer = Edition(week_of(shifts(range(5), 8, 20)), FRENCH, date(2026, 6, 9))
    edited = replace(business(), editions=(*business().editions, longer))

    assert edited.elapsed(at("2026-06-08T00:00"), at("2026-06-09T00:00")) == 10 * HOUR
    assert edited.elapsed(at("2026-06-09T00:00"), at("2026-06-10T00:00")) == 12 * HOUR
    assert edited.deadline(at("2026-06-08T17:00"), 13 * HOUR) == at("2026-06-09T20:00")


def test_an_edition_decides_about_the_night_before_it_too():
    nights = week_of(shifts(range(7), 22, 30))
    edited = Calendar(
        "nights", ZoneInfo("Europe/Paris"), (Edition(ALWAYS), Edition(nights, (), date(2026, 6, 9)))
    )

    assert edited.elapsed(at("2026-06-08T00:00"), at("2026-06-10T00:00")) == (24 + 6 + 2) * HOUR


# -- properties


ZONES = st.sampled_from(
    ["Europe/Paris", "America/Montreal", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana", "UTC"]
)
CHANGES = st.sampled_from(
    [
        *(date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5)),
        *(date(2026, 10, 4), date(2026, 2, 15), date(2026, 3, 22), date(2026, 12, 31), date(2028, 2, 29)),
    ]
)
"""Days of 2026 on which one of the zones changes its clock, and others that are near a border."""


@st.composite
def slots(draw, most=4):
    """Starts and ends within a week that do not overlap, in minutes."""
    step = 3 * STEP_MIN
    bounds = draw(st.lists(st.integers(0, 7 * 1440 // step - 1), min_size=2, max_size=2 * most, unique=True))
    bounds = [bound * step for bound in sorted(bounds)[: len(bounds) // 2 * 2]]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


@st.composite
def worlds(draw):
    """A zone, shifts of a week, holidays, and a day about which to ask."""
    begun = [(start, min(end, start + 1440)) for start, end in draw(slots())]
    week = [Shift(start // 1440, start % 1440, start % 1440 + end - start) for start, end in begun]
    day = draw(CHANGES)
    near = day + timedelta(draw(st.integers(-1, 1)))
    closed = draw(st.sampled_from([((0, 1440),), ((720, 1440),), ((0, 150),)]))
    holidays = draw(st.sampled_from([(), (Holiday("x", Dated(near, near), closed),)]))
    return draw(ZONES), week, holidays, day


def open_steps(world):
    """The oracle: five days in steps of five minutes, and which are open by the clock on the wall alone."""
    zone, week, holidays, day = world
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    instants = [begin + timedelta(minutes=minutes) for minutes in range(0, 5 * 1440, STEP_MIN)]
    walls = defaultdict(list)
    for instant in instants:
        wall = instant.astimezone(ZoneInfo(zone))
        walls[wall.date()].append((instant, wall.hour * 60 + wall.minute))
    found = set()
    for each, shown in walls.items():
        for first, last in runs(
            {minute for minute in range(0, 1440, STEP_MIN) if is_open(week, holidays, each, minute)}
        ):
            begun = [place for place, (_, minute) in enumerate(shown) if minute >= first]
            ended = [place for place, (_, minute) in enumerate(shown) if minute <= last]
            if begun and ended:
                found |= {instant for instant, _ in shown[begun[0] : ended[-1] + 1]}
    return instants[UNSURE:-UNSURE], found


def is_open(week, holidays, day, minute):
    """Whether a day has this minute among its open ones, whatever the clock does on it."""
    if any(holiday.days.first == day and a <= minute < b for holiday in holidays for a, b in holiday.closed):
        return False
    of_week = day.weekday() * 1440 + minute
    return any(
        (of_week - shift.weekday * 1440 - shift.start_min) % 10080 < shift.end_min - shift.start_min
        for shift in week
    )


def runs(minutes):
    """First and last of each stretch without a gap."""
    begun = sorted(minute for minute in minutes if minute - STEP_MIN not in minutes)
    ended = sorted(minute for minute in minutes if minute + STEP_MIN not in minutes)
    return zip(begun, ended, strict=True)


@settings(max_examples=share(15))
@given(worlds())
def test_a_calendar_is_open_when_the_oracle_finds_it_so_minute_by_minute(world):
    zone, week, holidays, _ = world
    of = calendar(week_of(week), holidays, zone)

    steps, found = open_steps(world)

    for instant in steps:
        at_ms, step_ms = milliseconds(instant), STEP_MIN * MINUTE
        assert of.elapsed(at_ms, at_ms + step_ms) == (step_ms if instant in found else 0), instant


SOME = (
    always("Australia/Lord_Howe"),
    business(),
    business([*FRENCH, CLOSURE], "Africa/Casablanca"),
    calendar(week_of(shifts(range(7), 1, 4)), zone="Europe/Paris"),
    calendar(week_of([*shifts(range(5), 8, 12), *shifts(range(5), 13.5, 18), *shifts([4, 5], 22, 30)]), FRENCH),
    business((), "America/Montreal"),
)
CALENDARS = st.sampled_from(SOME)
MOMENTS = st.one_of(
    st.integers(at("2025-12-20T00:00"), at("2027-01-10T00:00")),
    st.integers(0, 383 * 24).map(lambda hour: at("2025-12-20T00:00") + hour * HOUR),
)


@given(CALENDARS, st.lists(MOMENTS, min_size=3, max_size=3).map(sorted))
def test_elapsed_time_is_the_sum_of_any_split(of, moments):
    start, split, end = moments

    assert of.elapsed(start, split) + of.elapsed(split, end) == of.elapsed(start, end)


@given(CALENDARS, MOMENTS)
def test_what_is_open_at_an_instant_elapses_from_there(of, now):
    assert of.is_open(now) == (of.deadline(now, 0) == now) == (of.elapsed(now, now + 1) == 1)


@given(
    CALENDARS,
    MOMENTS,
    st.one_of(st.just(0), st.integers(0, 2000 * HOUR), st.integers(0, 2000).map(lambda h: h * HOUR)),
)
def test_a_deadline_is_the_first_instant_at_which_so_much_has_elapsed(of, start, open_ms):
    due = of.deadline(start, open_ms)

    assert of.elapsed(start, due) == open_ms
    assert of.elapsed(due - 1, due) == 1 or due == start or open_ms == 0
    assert of.elapsed(due, due + 1) == 1 or open_ms > 0


@given(CALENDARS, st.lists(MOMENTS, min_size=2, max_size=2).map(sorted))
def test_the_deadline_of_what_has_elapsed_is_not_later_than_now(of, moments):
    start, now = moments
    elapsed = of.elapsed(start, now)

    due = of.deadline(start, elapsed)

    assert of.elapsed(start, due) == elapsed
    assert due <= now or elapsed == 0
    assert due == now or not (of.elapsed(now - 1, now) and elapsed)


@given(CALENDARS, MOMENTS, st.integers(1, 500 * HOUR), st.integers(1, 500 * HOUR))
def test_a_deadline_is_reached_in_two_steps_as_in_one(of, start, first, second):
    assert of.deadline(of.deadline(start, first), second) == of.deadline(start, first + second)


# -- what is refused


@pytest.mark.parametrize(
    "holidays",
    [
        [Holiday("always", Yearly((1, 1), (12, 31)))],
        [Holiday("two years", Dated(date(2026, 5, 1), date(2028, 4, 30)))],
        [Holiday("a year and three days", Dated(date(2026, 1, 1), date(2027, 1, 3)))],
        [Holiday("till the end", Dated(date(2198, 6, 1), date(2199, 12, 31)))],
    ],
)
def test_a_calendar_that_is_closed_for_more_than_366_days_is_refused(holidays):
    with pytest.raises(NeverOpen, match=r"is closed for \d+ days from .* on: it has to open within 366 days"):
        check_opens(business(holidays))


@pytest.mark.parametrize(
    "holidays", [(), FRENCH, [Holiday("a year", Dated(date(2026, 1, 1), date(2026, 12, 31)))]]
)
def test_a_calendar_that_opens_within_366_days_is_taken(holidays):
    check_opens(business(holidays))


@given(st.dates(date(1971, 1, 1), date(2190, 1, 1)), st.sampled_from([365, 366, 367, 368, 800]))
def test_a_closure_may_have_366_days_and_no_more_whenever_it_is(first, length):
    of = calendar(ALWAYS, [Holiday("closed", Dated(first, first + timedelta(length - 1)))])

    assert is_refused(of) == (length > 366)


def is_refused(of):
    try:
        check_opens(of)
    except NeverOpen:
        return True
    return False


def test_an_edition_that_closes_for_good_is_refused():
    closed = Edition(ALWAYS, (Holiday("closed", Yearly((1, 1), (12, 31))),), date(2030, 1, 1))

    with pytest.raises(NeverOpen):
        check_opens(Calendar("tested", ZoneInfo("Europe/Paris"), (Edition(ALWAYS), closed)))


def test_a_deadline_beyond_the_last_year_is_an_error_and_no_endless_search():
    with pytest.raises(NeverOpen, match="from 1970 to 2199, not for 2200"):
        business().deadline(at("2199-12-30T10:00"), 40 * HOUR)


def test_years_are_drawn_once():
    of = business()

    assert of.openings(2026) is of.openings(2026)
