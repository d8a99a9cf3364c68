"""Days of the calendar: once, or each year."""

from dataclasses import dataclass
from datetime import date

FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2199, 12, 31)
"""No calendar is drawn before the one and after the other."""

MonthDay = tuple[int, int]
"""Month and day."""


@dataclass(frozen=True, slots=True)
class Dated:
    """From one day to another, both within."""

    first: date
    last: date

    def hold(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Yearly:
    """Each year from one day to another, both within, over New Year where the first is later in the year.

    Days before `since` are not meant.
    """

    first: MonthDay
    last: MonthDay
    since: date = FIRST_DAY

    def hold(self, day: date) -> bool:
        """Whether the day is one of them."""
        this = (day.month, day.day)
        if day < self.since:
            return False
        if self.first <= self.last:
            return self.first <= this <= self.last
        return this >= self.first or this <= self.last


def month_day(month: int, day: int) -> MonthDay:
    """A day that leap years at least have; raises `ValueError`."""
    date(2000, month, day)
    return month, day
