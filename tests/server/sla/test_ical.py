"""Holidays out of iCalendar files: whole days, once or each year, and nothing that has to be guessed at."""

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.sla.ical import BadIcal, IcalEvent, parse_ical
from tocsin_server.sla.yearspan import Dated, Yearly


def calendar(*events):
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{body}END:VCALENDAR\n"


DAY = "DTSTART;VALUE=DATE:20260714"
CLOSURE = "DTSTART;VALUE=DATE:20201224\nDTEND;VALUE=DATE:20210103"
ZONE = """\
BEGIN:VTIMEZONE
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (DAY, IcalEvent("", Dated(date(2026, 7, 14), date(2026, 7, 14)))),
        (
            f"SUMMARY:Fête\\, nationale\n{DAY}\nDTEND;VALUE=DATE:20260717",
            IcalEvent("Fête, nationale", Dated(date(2026, 7, 14), date(2026, 7, 16))),
        ),
        ("DTSTART:20260714\nSUMMARY:a\\nb", IcalEvent("a b", Dated(date(2026, 7, 14), date(2026, 7, 14)))),
        (f"{DAY}\nRRULE:FREQ=YEARLY", IcalEvent("", Yearly((7, 14), (7, 14), date(2026, 7, 14)))),
        (
            f"{CLOSURE}\nRRULE:FREQ=YEARLY;INTERVAL=1;BYMONTH=12;BYMONTHDAY=24",
            IcalEvent("", Yearly((12, 24), (1, 2), date(2020, 12, 24))),
        ),
        (
            f'{DAY}\nX-OF;Y="a:b;c":1\nBEGIN:VALARM\nDURATION:PT5M\nEND:VALARM',
            IcalEvent("", Dated(date(2026, 7, 14), date(2026, 7, 14))),
        ),
    ],
)
def test_an_event_is_whole_days(event, expected):
    assert parse_ical(calendar(event)) == (expected,)


def test_a_yearly_event_does_not_come_before_its_first():
    ((_, days),) = parse_ical(calendar(f"{DAY}\nRRULE:FREQ=YEARLY"))

    assert [year for year in (2025, 2026, 2027) if days.hold(date(year, 7, 14))] == [2026, 2027]


def test_lines_are_unfolded_and_carriage_returns_and_the_mark_of_byte_order_are_no_matter():
    text = calendar("SUMMARY:Assomp\n tion\n" + DAY).replace("\n", "\r\n")

    assert parse_ical("\ufeff" + text)[0].name == "Assomption"


def test_an_event_that_was_called_off_is_no_holiday():
    kept, called_off = DAY, "DTSTART;VALUE=DATE:20260715\nSTATUS:CANCELLED"

    assert [event.days.first.day for event in parse_ical(calendar(kept, called_off))] == [14]


def test_what_is_not_in_an_event_is_not_read():
    assert len(parse_ical(calendar(DAY).replace("VERSION:2.0\n", ZONE))) == 1


@pytest.mark.parametrize(
    ("event", "line", "why"),
    [
        ("SUMMARY:x", 5, "an event needs DTSTART"),
        ("DTSTART:20260714T080000Z", 4, "DTSTART has to be a day such as"),
        ("DTSTART;VALUE=DATE:20260230", 4, "20260230 is no day"),
        ("DTSTART;VALUE=DATE:19690101", 4, "is not from 1970 to 2199"),
        (f"{DAY}\nDTEND;VALUE=DATE:20260714", 5, "DTEND is the day after the last one"),
        (f"{DAY}\n{DAY}", 5, "DTSTART stands twice"),
        (f"{DAY}\nDURATION:P1D", 5, "DURATION is not read: write DTEND"),
        (f"{DAY}\nRDATE;VALUE=DATE:20270714", 5, "RDATE is not read"),
        (f"{DAY}\nEXDATE;VALUE=DATE:20270714", 5, "EXDATE is not read"),
        (f"{DAY}\nRECURRENCE-ID;VALUE=DATE:20270714", 5, "RECURRENCE-ID is not read"),
        (f"{DAY}\nRRULE:FREQ=MONTHLY", 5, "RRULE with FREQ=MONTHLY is not read"),
        (f"{DAY}\nRRULE:FREQ=YEARLY;INTERVAL=2", 5, "INTERVAL=2 is not read"),
        (f"{DAY}\nRRULE:FREQ=YEARLY;BYDAY=1MO", 5, "BYDAY=1MO is not read"),
        (f"{DAY}\nRRULE:FREQ=YEARLY;BYMONTH=8", 5, "BYMONTH=8 is not read"),
        (f"{DAY}\nRRULE:FREQ=YEARLY;COUNT=3", 5, "COUNT=3 is not read"),
        (f"{DAY}\nRRULE:INTERVAL=1", 5, "RRULE needs FREQ=YEARLY"),
        (f"{DAY}\nDTEND;VALUE=DATE:20270801\nRRULE:FREQ=YEARLY", 6, "shorter than a year"),
        (f"{DAY}\nno line at all", 5, "is no line of an iCalendar file"),
        (f"{DAY}\nEND:VALARM", 5, "END:VALARM ends nothing that has begun"),
    ],
)
def test_what_would_have_to_be_guessed_at_is_refused_with_its_line(event, line, why):
    with pytest.raises(BadIcal) as refused:
        parse_ical(calendar(event))

    assert why in refused.value.reason
    assert refused.value.line == line


@pytest.mark.parametrize("text", ["", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", calendar(DAY)[:-20]])
def test_a_file_without_an_event_or_an_end_is_refused(text):
    with pytest.raises(BadIcal):
        parse_ical(text)


@given(st.dates(date(1970, 1, 1), date(2199, 12, 1)), st.integers(1, 30))
def test_an_event_closes_as_many_days_as_it_says(first, length):
    event = f"DTSTART;VALUE=DATE:{first:%Y%m%d}\nDTEND;VALUE=DATE:{first + timedelta(length):%Y%m%d}"

    ((_, days),) = parse_ical(calendar(event))

    assert sum(days.hold(first + timedelta(day)) for day in range(-40, 41)) == length


@given(st.text(st.sampled_from('BEGIN:VEVNTCALDRSU;=\n2026ÄYX "\\'), max_size=80))
def test_any_text_is_read_or_refused(text):
    with suppress(BadIcal):
        assert parse_ical(calendar(text))
