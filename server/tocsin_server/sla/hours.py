"""The hours of a week: what is open on each weekday, in minutes of the local day.

    hours: always                                       day and night
    hours:
      - {days: monday-friday, times: ["08:00-12:00", "13:30-18:00"]}
      - {days: "friday, saturday", times: ["22:00-06:00"]}      into the next morning

What goes over midnight is kept as two pieces, since holidays and editions of a calendar begin at midnight.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import yaml

from tocsin_server.sla.walltime import DAY_MIN
from tocsin_server.yaml_nodes import BadYaml, Fields, line_of, scalar

Pieces = tuple[tuple[int, int], ...]
"""Stretches of one day in order, each from a minute up to, and not at, another."""
Week = tuple[Pieces, ...]
"""Seven days, Monday first."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WHOLE_DAY: Pieces = ((0, DAY_MIN),)
ALWAYS: Week = (WHOLE_DAY,) * 7

_WEEK_MIN = 7 * DAY_MIN
_TIMES = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)", re.ASCII)


class Shift(NamedTuple):
    """Hours of one weekday, Monday is 0; an end beyond 1440 is on the morning after."""

    weekday: int
    start_min: int
    end_min: int


def week_of(shifts: Iterable[Shift]) -> Week:
    """What shifts make of a week; raises `ValueError` where two of them overlap."""
    begun = sorted(shifts)
    stretches = [_of_week(shift) for shift in begun]
    following = [*stretches[1:], *((start + _WEEK_MIN, end) for start, end in stretches[:1])]
    for shift, (_, end), (start, _) in zip(begun, stretches, following, strict=True):
        if end > start:
            raise ValueError(
                f"hours overlap on {WEEKDAYS[start % _WEEK_MIN // DAY_MIN]}: {_spelled(shift)} goes on"
            )
    days: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
    for shift in begun:
        days[shift.weekday].append((shift.start_min, min(shift.end_min, DAY_MIN)))
        if shift.end_min > DAY_MIN:
            days[(shift.weekday + 1) % 7].append((0, shift.end_min - DAY_MIN))
    return tuple(tuple(sorted(day)) for day in days)


def without(pieces: Pieces, closed: Iterable[tuple[int, int]]) -> Pieces:
    """What is left of a day where it is closed meanwhile."""
    for start, end in closed:
        pieces = tuple(piece for each in pieces for piece in _left(each, start, end))
    return pieces


def read_week(fields: Fields) -> Week:
    """The field `hours`; raises `BadYaml`."""
    node = fields.node("hours")
    if isinstance(node, yaml.ScalarNode) and node.value == "always":
        return ALWAYS
    if node is None or not isinstance(node, yaml.SequenceNode):
        line = fields.line if node is None else line_of(node)
        raise BadYaml(
            line, "'hours' has to be 'always', or a list of {days: monday-friday, times: [\"08:00-18:00\"]}"
        )
    shifts = [shift for entry in fields.items("hours") for shift in _shifts(entry)]
    if not shifts:
        raise BadYaml(line_of(node), "'hours' is empty: the calendar would never open")
    try:
        return week_of(shifts)
    except ValueError as error:
        raise BadYaml(line_of(node), f"'hours': {error}") from error


def read_times(node: yaml.Node) -> tuple[int, int]:
    """`08:00-18:00` in minutes of the day; an end beyond 1440 is on the morning after. Raises `BadYaml`."""
    text = scalar(node, "an entry of 'times'")
    found = _TIMES.fullmatch(text)
    if found is None:
        raise BadYaml(line_of(node), f'{text!r} is no time such as "08:00-18:00", up to 24:00')
    hours = [int(part) for part in found.groups(default="0")]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if start == end and found[3] is not None:
        raise BadYaml(line_of(node), f'{text!r} is empty: for the whole day write "00:00-24:00"')
    return start, end if end > start else end + DAY_MIN


def _shifts(node: yaml.Node) -> Iterator[Shift]:
    fields = Fields(node, ("days", "times"), what="an entry of 'hours'")
    days = fields.wanted("days")
    times = fields.items("times")
    if not times:
        raise BadYaml(fields.line, "an entry of 'hours' needs 'times', such as [\"08:00-18:00\"]")
    try:
        weekdays = _weekdays(days.text)
    except ValueError as error:
        raise BadYaml(days.line, f"'days': {error}") from error
    return (Shift(weekday, *read_times(time)) for time in times for weekday in weekdays)


def _weekdays(text: str) -> Sequence[int]:
    """`monday-friday, sunday` as numbers; what is named twice is refused."""
    numbers = [number for part in text.split(",") for number in _range(part.strip())]
    twice = [WEEKDAYS[number] for number, again in pairwise(sorted(numbers)) if number == again]
    if twice:
        raise ValueError(f"{text!r} names {twice[0]} twice")
    return numbers


def _range(text: str) -> Sequence[int]:
    first, dash, last = text.partition("-")
    for word in (first, last) if dash else (first,):
        if word not in WEEKDAYS:
            raise ValueError(f"{word!r} is no weekday; they are {', '.join(WEEKDAYS)}, or monday-friday")
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    if end < start:
        raise ValueError(f"{text!r} ends before it begins: a week begins on monday")
    return range(start, end + 1)


def _of_week(shift: Shift) -> tuple[int, int]:
    start = shift.weekday * DAY_MIN
    return start + shift.start_min, start + shift.end_min


def _left(piece: tuple[int, int], start: int, end: int) -> Iterator[tuple[int, int]]:
    before, after = (piece[0], min(piece[1], start)), (max(piece[0], end), piece[1])
    return (each for each in (before, after) if each[0] < each[1])


def _spelled(shift: Shift) -> str:
    start, end = (f"{minute // 60 % 24:02}:{minute % 60:02}" for minute in (shift.start_min, shift.end_min))
    return f"{start}-{end} of {WEEKDAYS[shift.weekday]}"
