"""Where a stretch of a local day begins and ends, on days on which the clock on the wall jumps."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from tests.server.sla.calendars import HOUR, MINUTE, at

from tocsin_server.sla.walltime import local_days

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def stretch(zone, day, start, end):
    (local,) = local_days(ZoneInfo(zone), day, day)
    return local.stretch(round(start * 60), round(end * 60))


def length(zone, day, start, end):
    begins_ms, ends_ms = stretch(zone, day, start, end)
    return ends_ms - begins_ms


@pytest.mark.parametrize(
    ("day", "start", "end", "hours"),
    [
        (SPRING, 1, 4, 2),
        (AUTUMN, 1, 4, 4),
        (SPRING, 1, 2, 1),  # it ends as the hour that is left out begins
        (SPRING, 1, 2.5, 1),  # within that hour
        (SPRING, 2, 5, 2),
        (SPRING, 2.5, 5, 2),
        (SPRING, 2.25, 2.75, 0),  # it never comes
        (AUTUMN, 1, 2.5, 2.5),  # up to the second 02:30
        (AUTUMN, 2.5, 4, 2.5),  # from the first
        (AUTUMN, 2, 3, 2),
        (SPRING, 0, 24, 23),
        (AUTUMN, 0, 24, 25),
    ],
)
def test_a_stretch_is_as_long_as_the_wall_shows_it(day, start, end, hours):
    assert length("Europe/Paris", day, start, end) == hours * HOUR


@pytest.mark.parametrize(
    ("zone", "day", "start", "end", "minutes"),
    [
        # Lord Howe leaves out and repeats half an hour
        ("Australia/Lord_Howe", date(2026, 10, 4), 0, 24, 23.5 * 60),
        ("Australia/Lord_Howe", date(2026, 10, 4), 1, 2.25, 60),
        ("Australia/Lord_Howe", date(2026, 4, 5), 0, 24, 24.5 * 60),
        # Casablanca turns the clock back for Ramadan
        ("Africa/Casablanca", date(2026, 2, 15), 0, 24, 25 * 60),
        ("Africa/Casablanca", date(2026, 3, 22), 0, 24, 23 * 60),
        # Montréal
        ("America/Montreal", date(2026, 3, 8), 1, 4, 120),
        ("America/Montreal", date(2026, 11, 1), 1, 4, 240),
        # Havana changes at midnight, so that a day begins at one, and another has midnight twice
        ("America/Havana", date(2026, 3, 8), 0, 24, 23 * 60),
        ("America/Havana", date(2026, 11, 1), 0, 24, 25 * 60),
        ("America/Havana", date(2026, 10, 31), 22, 24, 120),
        ("America/Havana", date(2026, 11, 1), 0, 0.5, 90),
        # Samoa had no 30 December 2011
        ("Pacific/Apia", date(2011, 12, 30), 0, 24, 0),
    ],
)
def test_every_zone_has_its_own_jumps(zone, day, start, end, minutes):
    assert length(zone, day, start, end) == minutes * MINUTE


def test_what_starts_in_an_hour_that_is_left_out_begins_after_it():
    begins_ms, _ = stretch("Europe/Paris", SPRING, 2.5, 5)

    assert begins_ms == at("2026-03-29T03:00+02:00")


def test_a_day_ends_where_the_next_one_begins():
    days = list(local_days(ZoneInfo("America/Havana"), date(2026, 2, 27), date(2026, 11, 3)))

    assert [day.to_ms for day in days[:-1]] == [day.from_ms for day in days[1:]]
    assert {day.to_ms - day.from_ms for day in days} == {23 * HOUR, 24 * HOUR, 25 * HOUR}
