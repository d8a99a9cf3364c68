"""The events of a ticket as a JSON file: a list in which each kind of event has its own fields, strictly read.

[{"id": 1, "at": "2026-06-05T10:00:00+02:00", "kind": "created", "priority": 2, "item": "server"}, …]
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tocsin_server.alerts.moments import parse_rfc3339
from tocsin_server.clock import milliseconds
from tocsin_server.errors import Misconfigured
from tocsin_server.sla.events import By, Event, EventKind
from tocsin_server.sla.yearspan import FIRST_DAY, LAST_DAY
from tocsin_server.yaml_files import read_text
from tocsin_server.yaml_nodes import BadYaml

MOST_EVENTS = 100_000
MOST_CHARACTERS = 200
"""Of a name."""
MAX_ID = (1 << 63) - 1
A_MOMENT = f"a moment such as 2026-06-05T10:00:00+02:00, from {FIRST_DAY.year} to {LAST_DAY.year}"

_ALWAYS = ("id", "at", "kind")

_LAST_MS = milliseconds(datetime(LAST_DAY.year, 12, 31, tzinfo=UTC))

E = TypeVar("E", bound=StrEnum)


class BadEvent(ValueError):
    """What is wrong with an event: the key and why."""


class Fields(NamedTuple):
    """What a kind of event has to say and may say, beside id, time and kind."""

    wanted: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


FIELDS: Mapping[EventKind, Fields] = {
    EventKind.CREATED: Fields(("priority",), ("item",)),
    EventKind.PRIORITY: Fields(("priority",)),
    EventKind.SLA_CHANGED: Fields(("to",)),
    EventKind.ASSIGNED: Fields(("to",)),
    EventKind.TAKEN: Fields((), ("by",)),
    EventKind.COMMENT: Fields(("by",), ("public",)),
    EventKind.PAUSED: Fields(("reason",)),
    EventKind.RESUMED: Fields(),
    EventKind.SOLVED: Fields((), ("by",)),
    EventKind.REOPENED: Fields(),
    EventKind.CLOSED: Fields(),
    EventKind.MERGED: Fields(("into",)),
    EventKind.UNMERGED: Fields(),
    EventKind.ABSORBED: Fields(("ticket", "created")),
    EventKind.SEPARATED: Fields(("ticket",)),
    EventKind.MAINTENANCE_BEGAN: Fields(("window",)),
    EventKind.MAINTENANCE_ENDED: Fields(("window",)),
}


def load_events(path: Path) -> list[Event]:
    """The events of a file, as they stand in it; raises `Misconfigured` with file, event and key."""
    try:
        return read_events(read_text(path))
    except BadYaml as error:
        raise Misconfigured(f"{path}: {error.reason}", remedy="give a JSON list of events") from error
    except BadEvent as error:
        raise Misconfigured(
            f"{path}: {error}", remedy="docs/desk.md lists the kinds and their fields"
        ) from error


def read_events(text: str) -> list[Event]:
    """The events of a text; raises `BadEvent`."""
    try:
        said = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise BadEvent(f"line {error.lineno}: not JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a depth of thousands
        raise BadEvent(f"not JSON that can be read ({error})") from error
    if not isinstance(said, list) or len(said) > MOST_EVENTS:
        raise BadEvent(f"the file has to be a list of up to {MOST_EVENTS} events")
    events = []
    for place, each in enumerate(said, 1):
        try:
            events.append(_event(each))
        except BadEvent as error:
            raise BadEvent(f"event {place} of the list, {error}") from error
    return events


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadEvent(f"a key stands twice in {list(found)}")
    return found


def _no_number(text: str) -> float:
    raise BadEvent(f"{text} is no number")


def _event(said: object) -> Event:
    if not isinstance(said, dict):
        raise BadEvent("it has to be an object with id, at and kind")
    kind = _choice(said, "kind", EventKind)
    wanted, allowed = FIELDS[kind]
    for key in said:
        if key not in (*_ALWAYS, *wanted, *allowed):
            raise BadEvent(
                f"{key!r}: {kind} has no such field, only {', '.join((*_ALWAYS, *wanted, *allowed))}"
            )
    for key in (*_ALWAYS, *wanted):
        if key not in said:
            raise BadEvent(f"{key!r}: {kind} needs it")
    return Event(
        _number(said, "id"),
        _moment(said, "at"),
        kind,
        _name(said),
        _number(said, "priority") if "priority" in said else 0,
        _choice(said, "by", By) if "by" in said else By.TECHNICIAN,
        _truth(said, "public") if "public" in said else True,
        _moment(said, "created") if "created" in said else 0,
    )


def _name(said: dict[str, Any]) -> str:
    """The one name that an event of its kind has, if any."""
    key = next((key for key in ("item", "to", "reason", "into", "ticket", "window") if key in said), None)
    return "" if key is None else _text(said, key)


def _text(said: dict[str, Any], key: str) -> str:
    value = said[key]
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS:
        raise BadEvent(f"{key!r} has to be a text of 1 to {MOST_CHARACTERS} characters, got {_seen(value)}")
    return value


def _choice(said: dict[str, Any], key: str, choices: type[E]) -> E:
    value = said.get(key)
    found = next((each for each in choices if each == value), None)
    if found is None:
        raise BadEvent(f"{key!r} has to be one of {', '.join(choices)}, got {_seen(value)}")
    return found


def _number(said: dict[str, Any], key: str) -> int:
    value = said[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ID:
        raise BadEvent(f"{key!r} has to be a whole number from 0 on, got {_seen(value)}")
    return value


def _truth(said: dict[str, Any], key: str) -> bool:
    value = said[key]
    if not isinstance(value, bool):
        raise BadEvent(f"{key!r} has to be true or false, got {_seen(value)}")
    return value


def _moment(said: dict[str, Any], key: str) -> int:
    value = said[key]
    try:
        return moment_ms(value if isinstance(value, str) else "")
    except ValueError as error:
        raise BadEvent(f"{key!r} has to be {A_MOMENT}, got {_seen(value)}") from error


def moment_ms(text: str) -> int:
    """A moment in RFC 3339 for which calendars are drawn; raises `ValueError`."""
    at_ms = parse_rfc3339(text)
    if not 0 <= at_ms <= _LAST_MS:
        raise ValueError(f"{text} is not from {FIRST_DAY.year} to {LAST_DAY.year}")
    return at_ms


def _seen(value: object) -> str:
    """As much of it as shows what it is."""
    return repr(value)[:60]
