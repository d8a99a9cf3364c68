"""Days on which a calendar is closed, as a file writes them."""

from datetime import date

import pytest

from tocsin_server.sla.holidays import Holiday, closed_on, read_holidays
from tocsin_server.sla.yearspan import Dated, Yearly
from tocsin_server.yaml_nodes import BadYaml, Fields, composed

ICAL = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Good Friday
DTSTART;VALUE=DATE:20260403
END:VEVENT
END:VCALENDAR
"""


def read(holidays, beside=lambda _name: ICAL):
    return read_holidays(Fields(composed(f"holidays: [{holidays}]"), ("holidays",), what="a calendar"), beside)


@pytest.mark.parametrize(
    ("text", "closed", "open_days"),
    [
        ("{name: x, date: 2026-04-06}", ["2026-04-06"], ["2026-04-05", "2026-04-07", "2027-04-06"]),
        ("{name: x, date: 05-01}", ["2026-05-01", "2031-05-01"], ["2026-04-30", "2026-05-02"]),
        (
            "{name: x, from: 2026-08-03, to: 2026-08-14}",
            ["2026-08-03", "2026-08-14"],
            ["2026-08-02", "2026-08-15", "2027-08-03"],
        ),
        (
            "{name: x, from: 12-24, to: 01-02}",
            ["2026-12-24", "2026-12-31", "2027-01-01", "2027-01-02"],
            ["2026-12-23", "2027-01-03", "2027-06-30"],
        ),
        ("{name: x, from: 07-01, to: 07-14}", ["2027-07-01", "2027-07-14"], ["2027-06-30", "2027-07-15"]),
        ("{name: x, date: 02-29}", ["2028-02-29"], ["2027-02-28", "2027-03-01"]),
        ("{ical: feed.ics}", ["2026-04-03"], ["2026-04-04"]),
    ],
)
def test_a_holiday_closes_its_days_and_no_other(text, closed, open_days):
    holidays = read(text)

    for day in closed:
        assert list(closed_on(holidays, date.fromisoformat(day))) == [(0, 1440)], day
    for day in open_days:
        assert not list(closed_on(holidays, date.fromisoformat(day))), day


def test_a_holiday_may_close_a_part_of_its_day():
    (holiday,) = read('{name: Christmas Eve, date: 12-24, closed: "12:00-24:00"}')

    assert holiday == Holiday("Christmas Eve", Yearly((12, 24), (12, 24)), ((720, 1440),))


def test_an_imported_file_is_read_beside_the_contract():
    asked = []

    holidays = read("{ical: feed.ics}", lambda name: asked.append(name) or ICAL)

    assert asked == ["feed.ics"]
    assert holidays == (Holiday("Good Friday", Dated(date(2026, 4, 3), date(2026, 4, 3))),)


def unreadable(_name):
    raise BadYaml(1, "cannot be read (No such file or directory)")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{date: 05-01}", "needs 'name'"),
        ("{name: x}", "needs 'date', or both 'from' and 'to'"),
        ("{name: x, date: 05-01, to: 05-02}", "needs 'date', or both 'from' and 'to'"),
        ("{name: x, from: 05-01}", "needs 'to'"),
        ("{name: x, from: 2026-05-01, to: 05-02}", "have a year, or neither has"),
        ("{name: x, from: 2026-05-02, to: 2026-05-01}", "'to' is before 'from'"),
        ("{name: x, date: 02-30}", "no year has a 02-30"),
        ("{name: x, date: 2026-02-29}", "is no date"),
        ("{name: x, date: 1. May}", "has to be a date such as 2026-05-01"),
        ("{name: x, date: 1969-12-31}", "is not from 1970 to 2199"),
        ("{name: x, date: 05-01, closed: }", "leave it out for the whole day"),
        ("{name: x, date: 05-01, closed: '22:00-06:00'}", "'closed' ends at 24:00"),
        ("{name: x, ical: feed.ics}", "takes no 'name'"),
        ("{ical: ../feed.ics}", "a file beside this one"),
        ("{ical: feed.yml}", "a file beside this one"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(text, why):
    with pytest.raises(BadYaml) as refused:
        read(text)

    assert why in refused.value.reason


@pytest.mark.parametrize(
    ("beside", "why"),
    [
        (unreadable, "'ical': feed.ics cannot be read (No such file or directory)"),
        (lambda _name: "", "'ical': feed.ics:1: there is no event in it"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(beside, why):
    with pytest.raises(BadYaml) as refused:
        read("{ical: feed.ics}", beside)

    assert refused.value.reason == why
