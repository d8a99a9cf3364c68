"""Intervals of time with Alertmanager's meaning: times of the day, weekdays, days of the month, months, years.

    - times: [{start_time: "22:00", end_time: "24:00"}]
      weekdays: ["monday:friday"]
      days_of_month: ["1:7", "-1"]
      months: [november, "1:3"]
      years: ["2026:2027"]
      location: Europe/Berlin

A moment is within when each field that is there holds it; a field holds it when one of its ranges does. All of
it is read off the clock on the wall at `location`, UTC where none is said: an hour that a change of the clock
leaves out never comes, and one that it repeats comes twice.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml

from tocsin_server.clock import moment
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, line_of, scalar

MAX_RANGES = 100
"""Ranges of one field, and intervals of one name."""

_FIELDS = ("times", "weekdays", "days_of_month", "months", "years", "location")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,4}", re.ASCII)
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAY_NUMBERS = {name: number for number, name in enumerate(_WEEKDAYS)}
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}
_MONTH_NUMBERS |= {str(number): number for number in range(1, 13)}
_SHORTEST_MONTH = 28

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the month from one to another, both within; negative ones count from its end, -1 is the last."""

    first: int
    last: int

    def hold(self, at: datetime) -> bool:
        """Whether it is one of them; a month that is too short has fewer."""
        length = _length_of_month(at)
        return _counted(self.first, length) <= at.day <= _counted(self.last, length)


@dataclass(frozen=True, slots=True)
class Interval:
    """One interval: a field without ranges holds every moment. Times are minutes of the day, Sunday is 0."""

    times: tuple[range, ...] = ()
    weekdays: tuple[range, ...] = ()
    days_of_month: tuple[Days, ...] = ()
    months: tuple[range, ...] = ()
    years: tuple[range, ...] = ()
    zone: tzinfo = UTC

    def contains(self, at_ms: int) -> bool:
        """Whether a moment is within."""
        at = moment(at_ms).astimezone(self.zone)
        return (
            _hold(self.times, at.hour * 60 + at.minute)
            and _hold(self.weekdays, at.isoweekday() % 7)
            and (not self.days_of_month or any(days.hold(at) for days in self.days_of_month))
            and _hold(self.months, at.month)
            and _hold(self.years, at.year)
        )


Intervals = tuple[Interval, ...]
"""What one name stands for: any of them."""


def contains(intervals: Iterable[Interval], at_ms: int) -> bool:
    """Whether a moment is within one of them."""
    return any(interval.contains(at_ms) for interval in intervals)


def read_intervals(fields: Fields, name: str) -> Intervals:
    """The intervals that a field lists; raises `BadYaml`."""
    return _listed(fields, name, read_interval)


def read_interval(node: yaml.Node) -> Interval:
    """One interval; raises `BadYaml`."""
    fields = Fields(node, _FIELDS, what="a time interval")
    return Interval(
        times=_listed(fields, "times", _times),
        weekdays=_listed(fields, "weekdays", _weekdays),
        days_of_month=_listed(fields, "days_of_month", _days),
        months=_listed(fields, "months", _months),
        years=_listed(fields, "years", _years),
        zone=read_zone(fields.text("location")),
    )


def read_zone(text: Text) -> tzinfo:
    """The zone of a name in IANA's database, UTC for none; raises `BadYaml`."""
    if text.text in ("", "UTC"):
        return UTC
    if text.text in _zone_names():
        return ZoneInfo(text.text)
    near = difflib.get_close_matches(text.text, _zone_names(), n=1)
    meant = f"did you mean {near[0]!r}" if near else "they are called as Europe/Berlin is"
    raise BadYaml(text.line, f"'location': there is no time zone {text.text!r}; {meant}")


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _listed(fields: Fields, name: str, read: Callable[[yaml.Node], T]) -> tuple[T, ...]:
    """What a list holds. An empty one would hold no moment at all, so it is refused."""
    nodes = fields.items(name)
    if fields.node(name) is not None and not nodes:
        raise BadYaml(fields.line, f"{name!r} is empty: leave it out, or say something there")
    if len(nodes) > MAX_RANGES:
        raise BadYaml(fields.line, f"{name!r} lists {len(nodes)}, which is more than {MAX_RANGES}")
    return tuple(read(node) for node in nodes)


def _times(node: yaml.Node) -> range:
    fields = Fields(node, ("start_time", "end_time"), what="a range of times")
    start, end = (_minute(fields.wanted(name), name) for name in ("start_time", "end_time"))
    if start >= end:
        raise BadYaml(
            fields.line, "'end_time' has to be after 'start_time': split at 24:00 what goes over midnight"
        )
    return range(start, end)


def _minute(text: Text, name: str) -> int:
    found = _TIME.fullmatch(text.text)
    if found is None:
        raise BadYaml(text.line, f"{name!r} has to be a time from 00:00 to 24:00, got {text.text!r}")
    hours, minutes = (part for part in found.groups() if part is not None)
    return int(hours) * 60 + int(minutes)


def _weekdays(node: yaml.Node) -> range:
    first, last = _ends(node, "weekdays", lambda word: _named(word, _WEEKDAY_NUMBERS))
    return _ordered(node, "weekdays", first, last)


def _months(node: yaml.Node) -> range:
    first, last = _ends(node, "months", lambda word: _named(word, _MONTH_NUMBERS))
    return _ordered(node, "months", first, last)


def _years(node: yaml.Node) -> range:
    first, last = _ends(node, "years", _number)
    if min(first, last) < 1:
        raise BadYaml(line_of(node), "'years' are whole numbers from 1")
    return _ordered(node, "years", first, last)


def _days(node: yaml.Node) -> Days:
    first, last = _ends(node, "days_of_month", _number)
    for day in (first, last):
        if not 1 <= abs(day) <= 31:
            raise BadYaml(line_of(node), f"'days_of_month' are 1 to 31 or -31 to -1, got {day}")
    if first < 0 < last:
        raise BadYaml(line_of(node), "'days_of_month': a range that begins from the end ends so too")
    # In the shortest month; what is wrong even there is wrong in all.
    if (first if first > 0 else first + _SHORTEST_MONTH) > (last if last > 0 else last + _SHORTEST_MONTH):
        raise BadYaml(line_of(node), f"'days_of_month': {last} always comes before {first}")
    return Days(first, last)


def _ends(node: yaml.Node, name: str, read: Callable[[str], int]) -> tuple[int, int]:
    """First and last of `a:b`, or of `a` alone."""
    text = scalar(node, f"an entry of {name!r}")
    first, colon, last = text.strip().lower().partition(":")
    try:
        return read(first), read(last if colon else first)
    except ValueError as error:
        raise BadYaml(line_of(node), f"{name!r}: {text!r} is not one, nor a range such as {error}") from error


def _named(word: str, numbers: Mapping[str, int]) -> int:
    if word not in numbers:
        first, last = list(numbers)[1:3]
        raise ValueError(f"{first}:{last}")
    return numbers[word]


def _number(word: str) -> int:
    if not _NUMBER.fullmatch(word):
        raise ValueError("1:7")
    return int(word)


def _ordered(node: yaml.Node, name: str, first: int, last: int) -> range:
    if first > last:
        raise BadYaml(
            line_of(node), f"{name!r}: {scalar(node, name)!r} ends before it begins; write two ranges"
        )
    return range(first, last + 1)


def _hold(ranges: Sequence[range], number: int) -> bool:
    return not ranges or any(number in each for each in ranges)


def _length_of_month(at: datetime) -> int:
    beyond = at.replace(day=28, tzinfo=None) + timedelta(days=4)
    return (beyond - timedelta(days=beyond.day)).day


def _counted(day: int, length: int) -> int:
    return day if day > 0 else length + day + 1
