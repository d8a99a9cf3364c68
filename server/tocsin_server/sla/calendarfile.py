"""Calendars as a contract's file declares them.

calendars:
  - name: business
    zone: Europe/Paris                        IANA's name: what follows is on the clock there
    hours:
      - {days: monday-friday, times: ["08:00-18:00"]}
    holidays:
      - {name: Jour de l'an, date: 01-01}
    changes:                                  editions: what is left out stays as it was
      - from: 2027-01-01
        hours: [{days: monday-saturday, times: ["08:00-20:00"]}]
"""

import difflib
from collections.abc import Iterator
from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import yaml

from tocsin_server.sla.calendar import Calendar, Edition, NeverOpen, check_opens
from tocsin_server.sla.holidays import ReadText, read_date, read_holidays
from tocsin_server.sla.hours import read_week
from tocsin_server.yaml_nodes import BadYaml, Fields, Text

_FIELDS = ("name", "zone", "hours", "holidays", "changes")


def read_calendar(node: yaml.Node, read_text: ReadText) -> Calendar:
    """A calendar; raises `BadYaml`."""
    fields = Fields(node, _FIELDS, what="a calendar")
    first = Edition(read_week(fields), read_holidays(fields, read_text))
    calendar = Calendar(
        fields.wanted("name").text, read_zone(fields), (first, *_changes(fields, first, read_text))
    )
    try:
        check_opens(calendar)
    except NeverOpen as error:
        raise BadYaml(fields.line, str(error)) from error
    return calendar


def read_zone(fields: Fields) -> tzinfo:
    """The field `zone`, a name in IANA's database; raises `BadYaml`."""
    text = fields.wanted("zone")
    try:
        return ZoneInfo(text.text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder such as America
        raise BadYaml(text.line, f"'zone': there is no time zone {text.text!r}; {_meant(text)}") from error


def _meant(text: Text) -> str:
    near = difflib.get_close_matches(text.text, available_timezones(), n=1)
    return f"did you mean {near[0]!r}" if near else "they are called as Europe/Paris is"


def _changes(fields: Fields, edition: Edition, read_text: ReadText) -> Iterator[Edition]:
    for node in fields.items("changes"):
        change = Fields(node, ("from", "hours", "holidays"), what="a change of a calendar")
        from_day = read_date(change.wanted("from"), "'from'")
        if from_day <= edition.from_day:
            raise BadYaml(
                change.line, "'changes' are in the order of their days, each later than the one before"
            )
        if not change.has("hours") and not change.has("holidays"):
            raise BadYaml(change.line, "a change of a calendar needs 'hours', 'holidays' or both")
        edition = Edition(
            read_week(change) if change.has("hours") else edition.week,
            read_holidays(change, read_text) if change.has("holidays") else edition.holidays,
            from_day,
        )
        yield edition
