"""Days on which a calendar is closed, in whole or for a part of the day.

    holidays:
      - {name: Lundi de Pâques, date: 2026-04-06}
      - {name: Fête du Travail, date: 05-01}                        each year
      - {name: stocktaking, from: 2026-06-29, to: 2026-07-01}       both days within
      - {name: annual closure, from: 12-24, to: 01-02}              each year, over New Year
      - {name: Christmas Eve, date: 12-24, closed: "12:00-24:00"}   open until noon
      - {ical: holidays.ics}                                        a file beside the contract's

A holiday closes days of the local calendar, from midnight to midnight: a night shift ends where one begins.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import yaml

from tocsin_server.sla.hours import WHOLE_DAY, Pieces, read_times
from tocsin_server.sla.ical import BadIcal, parse_ical
from tocsin_server.sla.walltime import DAY_MIN
from tocsin_server.sla.yearspan import FIRST_DAY, LAST_DAY, Dated, MonthDay, Yearly, month_day
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, line_of

ReadText = Callable[[str], str]
"""The text of a file beside the one that is read; raises `BadYaml`, at any line."""

_FIELDS = ("name", "date", "from", "to", "closed", "ical")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EACH_YEAR = re.compile(r"(\d{2})-(\d{2})", re.ASCII)
_PLAIN_NAME = re.compile(r"[\w.-]+\.ics", re.ASCII)


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days, and which minutes of each are closed."""

    name: str
    days: Dated | Yearly
    closed: Pieces = WHOLE_DAY


def closed_on(holidays: Iterable[Holiday], day: date) -> Iterator[tuple[int, int]]:
    """What is closed on a day."""
    return (piece for holiday in holidays if holiday.days.hold(day) for piece in holiday.closed)


def read_holidays(fields: Fields, read_text: ReadText) -> tuple[Holiday, ...]:
    """The field `holidays`; raises `BadYaml`."""
    return tuple(holiday for node in fields.items("holidays") for holiday in _entry(node, read_text))


def read_date(text: Text, what: str) -> date:
    """A date such as 2026-05-01; raises `BadYaml`."""
    try:
        day = date.fromisoformat(text.text) if _DATE.fullmatch(text.text) else None
    except ValueError as error:
        raise BadYaml(text.line, f"{what}: {text.text!r} is no date ({error})") from error
    if day is None:
        raise BadYaml(text.line, f"{what} has to be a date such as 2026-05-01, got {text.text!r}")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise BadYaml(text.line, f"{what}: {text.text!r} is not from {FIRST_DAY.year} to {LAST_DAY.year}")
    return day


def _entry(node: yaml.Node, read_text: ReadText) -> Iterable[Holiday]:
    fields = Fields(node, _FIELDS, what="a holiday")
    if fields.has("ical"):
        return _imported(fields, read_text)
    closed = (_closed(fields),) if fields.has("closed") else WHOLE_DAY
    return [Holiday(fields.wanted("name").text, _days(fields), closed)]


def _imported(fields: Fields, read_text: ReadText) -> Iterator[Holiday]:
    """All of a file, each of its days closed in whole."""
    file = fields.wanted("ical")
    more = [name for name in _FIELDS if name != "ical" and fields.has(name)]
    if more:
        raise BadYaml(fields.line, f"a holiday with 'ical' takes no {more[0]!r}: the file says it")
    if not _PLAIN_NAME.fullmatch(file.text):
        raise BadYaml(
            file.line, f"'ical' has to be a file beside this one, such as holidays.ics, got {file.text!r}"
        )
    try:
        events = parse_ical(read_text(file.text))
    except BadYaml as error:
        raise BadYaml(file.line, f"'ical': {file.text} {error.reason}") from error
    except BadIcal as error:
        raise BadYaml(file.line, f"'ical': {file.text}:{error.line}: {error.reason}") from error
    return (Holiday(event.name, event.days) for event in events)


def _days(fields: Fields) -> Dated | Yearly:
    if fields.has("date") == (fields.has("from") or fields.has("to")):
        raise BadYaml(fields.line, "a holiday needs 'date', or both 'from' and 'to'")
    names = ("date", "date") if fields.has("date") else ("from", "to")
    first, last = (_day(fields.wanted(name), name) for name in names)
    if isinstance(first, date) and isinstance(last, date):
        if last < first:
            raise BadYaml(fields.line, "'to' is before 'from'")
        return Dated(first, last)
    if isinstance(first, date) or isinstance(last, date):
        raise BadYaml(fields.line, "'from' and 'to' have a year, or neither has")
    return Yearly(first, last)


def _day(text: Text, name: str) -> date | MonthDay:
    each_year = _EACH_YEAR.fullmatch(text.text)
    if each_year is None:
        return read_date(text, f"{name!r} (or 05-01 for each year)")
    try:
        return month_day(*map(int, each_year.groups()))
    except ValueError as error:
        raise BadYaml(text.line, f"{name!r}: no year has a {text.text}") from error


def _closed(fields: Fields) -> tuple[int, int]:
    node = fields.node("closed")
    if node is None:
        raise BadYaml(fields.line, "'closed' is empty: leave it out for the whole day")
    start, end = read_times(node)
    if end > DAY_MIN:
        raise BadYaml(line_of(node), "'closed' ends at 24:00: what goes over midnight are two holidays")
    return start, end
