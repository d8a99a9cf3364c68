"""From the clock on the wall to instants: where a stretch of a local day begins and ends.

A stretch begins at the first instant of its day at which the clock on the wall shows its start or later, and it
ends after the last at which the clock shows less than its end. So what a change of the clock leaves out never
comes, and what it repeats is within both times: Sunday 01:00 to 04:00 in Paris is two hours in March, four in
October. In the words of PEP 495, a start has fold=0 and an end has fold=1.
"""

from bisect import bisect_left
from datetime import date, datetime, time, timedelta, tzinfo

from tocsin_server.clock import milliseconds, moment

DAY_MIN = 24 * 60


def start_ms(zone: tzinfo, day: date, minute: int) -> int:
    """When a stretch begins that starts at this minute of the day, 0 to 1439."""
    first, last = _readings(zone, day, minute)
    return first if first <= last else _change_ms(zone, last, first)


def end_ms(zone: tzinfo, day: date, minute: int) -> int:
    """When a stretch ends that lasts up to this minute of the day, 1 to 1440."""
    first, last = _readings(zone, day, minute)
    return last if first <= last else _change_ms(zone, last, first)


def _readings(zone: tzinfo, day: date, minute: int) -> tuple[int, int]:
    """When the clock shows this for the first and for the last time; the other way round if it never does."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    first, last = (milliseconds(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    return first, last


def _change_ms(zone: tzinfo, before: int, after: int) -> int:
    """When the clock was put forward: of the seconds between the two, the first that has the later offset."""
    offset = moment(after).astimezone(zone).utcoffset()
    seconds = range(before, after + 1, 1000)
    return seconds[
        bisect_left(seconds, 1, key=lambda ms: int(moment(ms).astimezone(zone).utcoffset() == offset))
    ]
