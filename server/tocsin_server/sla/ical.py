"""Holidays out of an iCalendar file (RFC 5545), of which a strict small part is read: days, once or yearly.

    BEGIN:VEVENT
    SUMMARY:Fête nationale
    DTSTART;VALUE=DATE:20260714
    DTEND;VALUE=DATE:20260715          the day after the last; one day where it is missing
    RRULE:FREQ=YEARLY                  where it comes each year
    END:VEVENT

What this cannot say is refused and not guessed at: times of the day, other recurrence, exceptions to it.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from tocsin_server.sla.yearspan import FIRST_DAY, LAST_DAY, Dated, Yearly

_LINE = re.compile(r"([A-Za-z0-9-]+)((?:;[^:;=\"]+=(?:\"[^\"]*\"|[^:;\"]*))*):(.*)", re.DOTALL)
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_REFUSED = {
    "DURATION": "write DTEND",
    "EXDATE": "an exception to a recurrence is not read",
    "EXRULE": "an exception to a recurrence is not read",
    "RDATE": "write an event for each date",
    "RECURRENCE-ID": "a change of one recurrence is not read",
}
_ESCAPED = re.compile(r"\\([nN])|\\(.)", re.DOTALL)


class BadIcal(ValueError):
    """What cannot be taken: the line (from 1) and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"{line}: {reason}")
        self.line = line
        self.reason = reason


class IcalEvent(NamedTuple):
    """An event that lasts whole days."""

    name: str
    days: Dated | Yearly


class _Line(NamedTuple):
    number: int
    name: str
    parameters: str
    value: str


def parse_ical(text: str) -> tuple[IcalEvent, ...]:
    """The events of a text; raises `BadIcal`."""
    events: list[IcalEvent] = []
    open_parts: list[str] = []
    fields: dict[str, _Line] = {}
    for line in _lines(text):
        if line.name == "BEGIN":
            open_parts.append(line.value.upper())
            fields = {} if open_parts == ["VCALENDAR", "VEVENT"] else fields
        elif line.name == "END":
            _close(open_parts, line)
            if open_parts == ["VCALENDAR"] and line.value.upper() == "VEVENT":
                events += _event(line, fields)
        elif open_parts == ["VCALENDAR", "VEVENT"]:
            _note(fields, line)
    if open_parts or not events:
        raise BadIcal(
            max(1, text.count("\n")), "the file ends too early" if open_parts else "there is no event in it"
        )
    return tuple(events)


def _close(open_parts: list[str], line: _Line) -> None:
    if not open_parts or open_parts.pop() != line.value.upper():
        raise BadIcal(line.number, f"END:{line.value[:40]} ends nothing that has begun")


def _lines(text: str) -> Iterator[_Line]:
    """Content lines, put together again where they were folded."""
    folded: list[tuple[int, str]] = []
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        if line[:1] in (" ", "\t") and folded:
            folded[-1] = (folded[-1][0], folded[-1][1] + line[1:])
        elif line:
            folded.append((number, line))
    for number, line in folded:
        found = _LINE.fullmatch(line)
        if found is None:
            raise BadIcal(number, f"{line[:40]!r} is no line of an iCalendar file, NAME:value")
        yield _Line(number, found[1].upper(), found[2].upper(), found[3])


def _note(fields: dict[str, _Line], line: _Line) -> None:
    if line.name in _REFUSED:
        raise BadIcal(line.number, f"{line.name} is not read: {_REFUSED[line.name]}")
    if line.name in fields and line.name in ("DTSTART", "DTEND", "RRULE", "STATUS", "SUMMARY"):
        raise BadIcal(line.number, f"{line.name} stands twice in an event")
    fields[line.name] = line


def _event(end: _Line, fields: dict[str, _Line]) -> Iterator[IcalEvent]:
    """The event, but for one that was called off."""
    if "DTSTART" not in fields:
        raise BadIcal(end.number, "an event needs DTSTART;VALUE=DATE:20260714")
    first = _day(fields["DTSTART"])
    after = _day(fields["DTEND"]) if "DTEND" in fields else first + timedelta(days=1)
    if after <= first:
        raise BadIcal(
            fields["DTEND"].number, "DTEND is the day after the last one, so it is later than DTSTART"
        )
    last = after - timedelta(days=1)
    days = _each_year(fields["RRULE"], first, last) if "RRULE" in fields else Dated(first, last)
    if "STATUS" in fields and fields["STATUS"].value.upper() == "CANCELLED":
        return
    name = fields["SUMMARY"].value if "SUMMARY" in fields else ""
    yield IcalEvent(_ESCAPED.sub(lambda found: " " if found[1] else found[2], name), days)


def _day(line: _Line) -> date:
    found = _DATE.fullmatch(line.value)
    if found is None:
        raise BadIcal(line.number, f"{line.name} has to be a day such as {line.name};VALUE=DATE:20260714")
    try:
        day = date(*map(int, found.groups()))
    except ValueError as error:
        raise BadIcal(line.number, f"{line.name}: {line.value} is no day ({error})") from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise BadIcal(line.number, f"{line.name}: {line.value} is not from {FIRST_DAY.year} to {LAST_DAY.year}")
    return day


def _each_year(rule: _Line, first: date, last: date) -> Yearly:
    """Each year; the rule may repeat what DTSTART says."""
    allowed = {"FREQ": "YEARLY", "INTERVAL": "1", "BYMONTH": str(first.month), "BYMONTHDAY": str(first.day)}
    parts = [part.partition("=") for part in rule.value.upper().split(";")]
    for name, _, value in parts:
        if allowed.get(name) != value:
            raise BadIcal(
                rule.number, f"RRULE with {name[:40]}={value[:40]} is not read: FREQ=YEARLY, or an event each"
            )
    if "FREQ" not in {name for name, _, _ in parts}:
        raise BadIcal(rule.number, "RRULE needs FREQ=YEARLY")
    if (last - first).days >= 365:
        raise BadIcal(rule.number, "an event of each year is shorter than a year")
    return Yearly((first.month, first.day), (last.month, last.day), first)
