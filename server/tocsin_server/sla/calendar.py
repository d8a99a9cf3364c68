"""Business calendars: when time counts. One arithmetic for elapsed time, deadlines, pauses and reports.

A calendar has a zone and editions: each says the hours of a week and the holidays, and holds from midnight of
its first day until the next one does. A UTC year is drawn when it is first asked for, as sorted stretches with
the open time before each, so that every question is a bisection. Times are milliseconds since 1970 in UTC.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import accumulate
from typing import NamedTuple

from tocsin_server.clock import milliseconds, moment
from tocsin_server.errors import Misconfigured
from tocsin_server.sla.holidays import Holiday, closed_on
from tocsin_server.sla.hours import Pieces, Week, without
from tocsin_server.sla.walltime import local_days
from tocsin_server.sla.yearspan import FIRST_DAY, LAST_DAY, Dated

LONGEST_CLOSURE_DAYS = 366
"""A calendar that is closed for longer is a mistake: its clocks would stand still unnoticed."""

_ONE_DAY = timedelta(days=1)
_ANY_DAY = date(2026, 1, 1)


class NeverOpen(Misconfigured):
    """A calendar that does not open when it should."""


@dataclass(frozen=True, slots=True)
class Edition:
    """What a calendar says from a day on."""

    week: Week
    holidays: tuple[Holiday, ...] = ()
    from_day: date = FIRST_DAY

    def pieces(self, day: date) -> Pieces:
        """When that day is open."""
        return without(self.week[day.weekday()], closed_on(self.holidays, day))


class Openings(NamedTuple):
    """The open time of one UTC year: stretches in order, and how much of it is over as each begins and ends."""

    starts: Sequence[int]
    ends: Sequence[int]
    before: Sequence[int]
    through: Sequence[int]

    @property
    def total(self) -> int:
        return self.through[-1] if self.through else 0

    def until(self, at_ms: int) -> int:
        """How much is over at an instant of the year."""
        place = bisect_right(self.starts, at_ms) - 1
        return 0 if place < 0 else self.before[place] + min(at_ms, self.ends[place]) - self.starts[place]

    def reached(self, open_ms: int) -> int:
        """The first instant at which so much is over, of more than nothing and up to `total`."""
        place = bisect_left(self.through, open_ms)
        return self.starts[place] + open_ms - self.before[place]

    def next(self, at_ms: int) -> int | None:
        """The first instant from there on that is open."""
        place = bisect_right(self.ends, at_ms)
        return max(at_ms, self.starts[place]) if place < len(self.starts) else None


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar by its name, with at least one edition, in the order of their days."""

    name: str
    zone: tzinfo
    editions: tuple[Edition, ...]
    _years: dict[int, Openings] = field(default_factory=dict, init=False, repr=False, compare=False)

    def elapsed(self, from_ms: int, to_ms: int) -> int:
        """How much of the time between two instants is open; nothing where the second is not later."""
        if to_ms <= from_ms:
            return 0
        first, last = moment(from_ms).year, moment(to_ms).year
        if first == last:
            openings = self.openings(first)
            return openings.until(to_ms) - openings.until(from_ms)
        between = sum(self.openings(year).total for year in range(first, last))
        return between + self.openings(last).until(to_ms) - self.openings(first).until(from_ms)

    def deadline(self, from_ms: int, open_ms: int) -> int:
        """The first instant at which so much open time has passed; of none, the first that is open."""
        year = moment(from_ms).year
        if open_ms == 0:
            return self._opens(from_ms, year)
        openings = self.openings(year)
        left_ms = open_ms + openings.until(from_ms)
        while left_ms > openings.total:
            left_ms -= openings.total
            year += 1
            openings = self.openings(year)
        return openings.reached(left_ms)

    def is_open(self, at_ms: int) -> bool:
        """Whether it is open at that instant."""
        return self.elapsed(at_ms, at_ms + 1) > 0

    def closes_about(self, at_ms: int) -> bool:
        """Whether it is closed at any time of that UTC year."""
        year = moment(at_ms).year
        return self.openings(year).total < _year_ms(year + 1) - _year_ms(year)

    def openings(self, year: int) -> Openings:
        """A UTC year as it is drawn; raises `NeverOpen` beyond the last."""
        drawn = self._years.get(year)
        if drawn is None:
            drawn = self._years[year] = self._draw(year)
        return drawn

    def closures(self) -> Iterator[tuple[date, date]]:
        """First and last days of closures about the years that it names: of all that last more than 366 days.

        Of any days that are 367 apart such a closure holds one, so few have to be looked at.
        """
        first, last = self._named()
        for day in _days(first, last, LONGEST_CLOSURE_DAYS + 1):
            if self._opens_on(day):
                continue
            before = (each for each in _days(day, first, -1) if self._opens_on(each))
            after = (each for each in _days(day, last, 1) if self._opens_on(each))
            yield next(before, first - _ONE_DAY) + _ONE_DAY, next(after, last + _ONE_DAY) - _ONE_DAY

    def _named(self) -> tuple[date, date]:
        """From the year before the first date that it names to the second one after the last."""
        named = [edition.from_day for edition in self.editions if edition.from_day > FIRST_DAY]
        for holiday in (holiday for edition in self.editions for holiday in edition.holidays):
            named += [holiday.days.first, holiday.days.last] if isinstance(holiday.days, Dated) else []
        first, last = min(named, default=_ANY_DAY).year - 1, max(named, default=_ANY_DAY).year + 2
        return date(max(FIRST_DAY.year, first), 1, 1), date(min(LAST_DAY.year, last), 12, 31)

    def _opens_on(self, day: date) -> bool:
        return bool(self._edition(day).pieces(day))

    def _opens(self, at_ms: int, year: int) -> int:
        opens_ms = self.openings(year).next(at_ms)
        while opens_ms is None:
            year += 1
            opens_ms = self.openings(year).next(at_ms)
        return opens_ms

    def _draw(self, year: int) -> Openings:
        if not FIRST_DAY.year <= year <= LAST_DAY.year:
            raise NeverOpen(
                f"calendar {self.name!r} is drawn from {FIRST_DAY.year} to {LAST_DAY.year}, not for {year}",
                remedy="let it open more often, or ask for less of it",
            )
        begin_ms, stop_ms = _year_ms(year), _year_ms(year + 1)
        starts, ends = [], []
        for start, end in _joined(self._stretches(year)):
            if start < stop_ms and end > begin_ms:
                starts.append(max(start, begin_ms))
                ends.append(min(end, stop_ms))
        through = list(accumulate(end - start for start, end in zip(starts, ends, strict=True)))
        return Openings(starts, ends, [0, *through[:-1]], through)

    def _stretches(self, year: int) -> Iterator[tuple[int, int]]:
        """The open time of the year's days and of some about it, for the zones that are far from UTC."""
        first, last = date(year, 1, 1) - 2 * _ONE_DAY, date(year, 12, 31) + 2 * _ONE_DAY
        for local in local_days(self.zone, first, last):
            for piece in self._edition(local.day).pieces(local.day):
                yield local.stretch(*piece)

    def _edition(self, day: date) -> Edition:
        return next(
            (edition for edition in reversed(self.editions) if edition.from_day <= day), self.editions[0]
        )


def check_opens(calendar: Calendar) -> None:
    """Raise `NeverOpen` for a calendar that is closed for longer than 366 days."""
    for first, last in calendar.closures():
        days = (last - first).days + 1
        if days > LONGEST_CLOSURE_DAYS:
            raise NeverOpen(
                f"calendar {calendar.name!r} is closed for {days} days from {first} on",
                remedy=f"it has to open within {LONGEST_CLOSURE_DAYS} days",
            )


def _days(first: date, last: date, step: int) -> Iterator[date]:
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + (1 if step > 0 else -1), step))


def _year_ms(year: int) -> int:
    return milliseconds(datetime(year, 1, 1, tzinfo=UTC))


def _joined(stretches: Iterable[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Stretches without those that never come, and made one where an hour that is repeated makes two overlap.

    In the order of the clock on the wall neither starts nor ends ever go back.
    """
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
