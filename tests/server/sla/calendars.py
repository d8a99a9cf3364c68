"""Calendars for tests, and how moments are written there."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tocsin_server.clock import milliseconds
from tocsin_server.sla.calendar import Calendar, Edition
from tocsin_server.sla.holidays import Holiday
from tocsin_server.sla.hours import ALWAYS, Shift, Week, week_of
from tocsin_server.sla.yearspan import Dated, Yearly, month_day

PARIS = ZoneInfo("Europe/Paris")
HOUR = 3_600_000
MINUTE = 60_000
FRENCH = tuple(
    Holiday(name, days)
    for name, days in {
        "Jour de l'an": Yearly((1, 1), (1, 1)),
        "Fête du Travail": Yearly((5, 1), (5, 1)),
        "Victoire 1945": Yearly((5, 8), (5, 8)),
        "Fête nationale": Yearly((7, 14), (7, 14)),
        "Assomption": Yearly((8, 15), (8, 15)),
        "Toussaint": Yearly((11, 1), (11, 1)),
        "Armistice": Yearly((11, 11), (11, 11)),
        "Noël": Yearly((12, 25), (12, 25)),
        "Lundi de Pâques": Dated(date(2026, 4, 6), date(2026, 4, 6)),
        "Ascension": Dated(date(2026, 5, 14), date(2026, 5, 14)),
        "Lundi de Pentecôte": Dated(date(2026, 5, 25), date(2026, 5, 25)),
    }.items()
)
CLOSURE = Holiday("fermeture annuelle", Yearly(month_day(12, 24), month_day(1, 2)))


def shifts(days: Iterable[int], start: float, end: float) -> list[Shift]:
    """Shifts from one hour to another, of weekdays from 0; an end beyond 24 is on the morning after."""
    return [Shift(day, round(start * 60), round(end * 60)) for day in days]


def calendar(week: Week, holidays: Iterable[Holiday] = (), zone: str = "Europe/Paris") -> Calendar:
    return Calendar("tested", ZoneInfo(zone), (Edition(week, tuple(holidays)),))


def business(holidays: Iterable[Holiday] = FRENCH, zone: str = "Europe/Paris") -> Calendar:
    """Monday to Friday, 08:00 to 18:00."""
    return calendar(week_of(shifts(range(5), 8, 18)), holidays, zone)


def always(zone: str = "Europe/Paris") -> Calendar:
    return calendar(ALWAYS, zone=zone)


def at(text: str, zone: str = "Europe/Paris") -> int:
    """A moment as a clock on the wall shows it, or as RFC 3339 writes it."""
    told = datetime.fromisoformat(text)
    return milliseconds(told if told.tzinfo else told.replace(tzinfo=ZoneInfo(zone)))
