"""From the clock on the wall to instants: where a stretch of a local day begins and ends.

A stretch begins at the first instant of its day at which the clock on the wall shows its start or later, and it
ends after the last at which the clock shows less than its end. So what a change of the clock leaves out never
comes, and what it repeats is within both times: Sunday 01:00 to 04:00 in Paris is two hours in March, four in
October. In the words of PEP 495, a start has fold=0 and an end has fold=1.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from tocsin_server.clock import milliseconds, moment

DAY_MIN = 24 * 60

_MINUTE_MS = 60_000
_ONE_DAY = timedelta(days=1)


class LocalDay(NamedTuple):
    """A day in a zone, from the instant at which it begins to the next day's."""

    zone: tzinfo
    day: date
    from_ms: int
    to_ms: int

    def stretch(self, start_min: int, end_min: int) -> tuple[int, int]:
        """From one minute of the day to another, up to 1440; it ends before it begins if it never comes."""
        if self.to_ms - self.from_ms == DAY_MIN * _MINUTE_MS:  # the clock runs through: all days but two a year
            return self.from_ms + start_min * _MINUTE_MS, self.from_ms + end_min * _MINUTE_MS
        ends_ms = self._reading(end_min)[1] if end_min < DAY_MIN else self.to_ms
        return self._reading(start_min)[0], ends_ms

    def _reading(self, minute: int) -> tuple[int, int]:
        return _readings(self.zone, datetime.combine(self.day, time(minute // 60, minute % 60)))


def local_days(zone: tzinfo, first: date, last: date) -> Iterator[LocalDay]:
    """The days from one to another, both within."""
    day, from_ms = first, _midnight_ms(zone, first)
    while day <= last:
        to_ms = _midnight_ms(zone, day + _ONE_DAY)
        yield LocalDay(zone, day, from_ms, to_ms)
        day, from_ms = day + _ONE_DAY, to_ms


def _midnight_ms(zone: tzinfo, day: date) -> int:
    return _readings(zone, datetime.combine(day, time()))[0]


def _readings(zone: tzinfo, wall: datetime) -> tuple[int, int]:
    """When the clock shows this for the first and for the last time, or twice when it jumps over it."""
    first, last = (milliseconds(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first <= last:
        return first, last
    jump = _jump_ms(zone, last, first)
    return jump, jump


def _jump_ms(zone: tzinfo, before_ms: int, after_ms: int) -> int:
    """When the clock was put forward: the first second between the two that has the later offset."""
    offset = moment(after_ms).astimezone(zone).utcoffset()
    seconds = range(before_ms, after_ms + 1, 1000)
    place = bisect_left(seconds, True, key=lambda at_ms: moment(at_ms).astimezone(zone).utcoffset() == offset)
    return seconds[place]
