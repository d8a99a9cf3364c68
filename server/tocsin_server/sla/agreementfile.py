"""Agreements as a contract's file declares them.

agreements:
  - name: gold
    type: sla                        or ola, uc
    counterparty: network            of an ola or uc: the team's slug, or the supplier's name
    calendar: business
    targets:                         open time: 30m, 1h30m, 45s
      1: {calendar: always, ack: 15m, first_response: 30m, resolve: 4h, update: 1h}
      3: {resolve: 16h}
    pauses: {resolve: [awaiting_customer]}
    thresholds: [50%, 75%, 90%, 100%, 30m]
    on_change: retroactive           or from_change
    on_merge: keep                   or earliest_start
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

import yaml

from tocsin_server.sla.calendar import Calendar
from tocsin_server.sla.terms import (
    OWN_SIDE,
    PRIORITIES,
    Agreement,
    AgreementType,
    ClockKind,
    OnChange,
    OnMerge,
    Target,
    Threshold,
    WaitsFor,
)
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, line_of, scalar

MOST_HOURS = 10_000
"""Of a target: what is longer is a mistake, and would be drawn for decades."""
MOST_PERCENT = 1000

_FIELDS = (
    *("name", "type", "counterparty", "calendar", "targets", "pauses", "thresholds", "on_change", "on_merge"),
)
_KINDS = tuple(kind.value for kind in ClockKind)
_LEVELS = tuple(str(priority) for priority in PRIORITIES)
_OPEN_TIME = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_PERCENT = re.compile(r"(\d{1,4})%", re.ASCII)
_USUAL = tuple(Threshold(f"{percent}%", percent) for percent in (50, 75, 90, 100))

E = TypeVar("E", bound=StrEnum)


def read_agreement(
    node: yaml.Node, client: str, calendars: Mapping[str, Calendar], reasons: Mapping[str, WaitsFor]
) -> Agreement:
    """An agreement of a client's contract, with the calendars and pause reasons there are; raises `BadYaml`."""
    fields = Fields(node, _FIELDS, what="an agreement")
    kind = read_choice(fields, "type", AgreementType)
    return Agreement(
        fields.wanted("name").text,
        kind,
        _counterparty(fields, kind, client),
        _targets(fields, calendars),
        _pauses(fields, kind, reasons),
        tuple(map(_threshold, fields.items("thresholds"))) if fields.has("thresholds") else _USUAL,
        read_choice(fields, "on_change", OnChange, OnChange.RETROACTIVE),
        read_choice(fields, "on_merge", OnMerge, OnMerge.KEEP),
    )


def read_choice(fields: Fields, name: str, choices: type[E], default: E | None = None) -> E:
    """A field that is one of some words; raises `BadYaml`."""
    text = fields.wanted(name) if default is None or fields.has(name) else Text(default.value, fields.line)
    try:
        return choices(text.text)
    except ValueError as error:
        raise BadYaml(text.line, f"{name!r} is one of {', '.join(choices)}, got {text.text!r}") from error


def _counterparty(fields: Fields, kind: AgreementType, client: str) -> str:
    if kind is not AgreementType.SLA:
        return fields.wanted("counterparty").text
    if fields.has("counterparty"):
        raise BadYaml(fields.line, "an SLA takes no 'counterparty': it is the contract's client")
    return client


def _targets(fields: Fields, calendars: Mapping[str, Calendar]) -> dict[int, tuple[Target, ...]]:
    node = fields.node("targets")
    if node is None:
        raise BadYaml(fields.line, "an agreement needs 'targets', such as {1: {resolve: 4h}}")
    levels = Fields(node, _LEVELS, what="'targets' by priority")
    found = {
        int(level): tuple(_level(each, fields, calendars)) for level in _LEVELS if (each := levels.node(level))
    }
    if not found:
        raise BadYaml(levels.line, "'targets' is empty: an agreement promises something")
    return found


def _level(node: yaml.Node, agreement: Fields, calendars: Mapping[str, Calendar]) -> Iterator[Target]:
    """The targets of one priority, by its own calendar or by the agreement's."""
    fields = Fields(node, ("calendar", *_KINDS), what="the targets of a priority")
    calendar = _calendar((fields if fields.has("calendar") else agreement).wanted("calendar"), calendars)
    kinds = [kind for kind in ClockKind if fields.has(kind)]
    if not kinds:
        raise BadYaml(fields.line, f"the targets of a priority need one of {', '.join(_KINDS)}")
    return (Target(kind, _open_time(fields.wanted(kind)), calendar) for kind in kinds)


def _calendar(text: Text, calendars: Mapping[str, Calendar]) -> Calendar:
    if text.text not in calendars:
        raise BadYaml(
            text.line, f"'calendar': there is no {text.text!r}; there are {', '.join(calendars) or 'none'}"
        )
    return calendars[text.text]


def _open_time(text: Text) -> int:
    """`1h30m` in milliseconds. Days are not a measure of open time: how long is one?"""
    found = _OPEN_TIME.fullmatch(text.text)
    if not text.text or found is None:
        raise BadYaml(
            text.line, f"{text.text!r} is no open time such as 4h, 30m or 1h30m (for a day write its hours)"
        )
    hours, minutes, seconds = (int(part) for part in found.groups(default="0"))
    open_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000
    if open_ms > MOST_HOURS * 3_600_000:
        raise BadYaml(text.line, f"{text.text!r} is longer than {MOST_HOURS}h")
    return open_ms


def _pauses(
    fields: Fields, kind: AgreementType, reasons: Mapping[str, WaitsFor]
) -> dict[ClockKind, frozenset[str]]:
    node = fields.node("pauses")
    if node is None:
        return {}
    pauses = Fields(node, _KINDS, what="'pauses'")
    if pauses.has(ClockKind.ACK):
        raise BadYaml(
            pauses.line, "'pauses': ack never pauses, since nothing keeps a person from taking a ticket"
        )
    return {
        clock: frozenset(_reason(each, kind, reasons) for each in pauses.items(clock))
        for clock in ClockKind
        if pauses.has(clock)
    }


def _reason(node: yaml.Node, kind: AgreementType, reasons: Mapping[str, WaitsFor]) -> str:
    name = scalar(node, "a pause reason")
    if name not in reasons:
        raise BadYaml(
            line_of(node), f"'pauses': there is no reason {name!r}; there are {', '.join(reasons) or 'none'}"
        )
    if reasons[name] is OWN_SIDE[kind]:
        raise BadYaml(
            line_of(node),
            f"'pauses': {name} waits for the {reasons[name]}, which has promised: no {kind} pauses for it",
        )
    return name


def _threshold(node: yaml.Node) -> Threshold:
    """`75%`, or `30m` before the deadline."""
    name = scalar(node, "a threshold")
    percent = _PERCENT.fullmatch(name)
    if percent is None:
        return Threshold(name, None, _open_time(Text(name, line_of(node))))
    if not 1 <= int(percent[1]) <= MOST_PERCENT:
        raise BadYaml(line_of(node), f"a threshold is from 1% to {MOST_PERCENT}%, got {name}")
    return Threshold(name, int(percent[1]))
