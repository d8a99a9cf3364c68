"""Maintenance windows: times at which work is planned somewhere, and nobody is woken by what comes of it.

    - name: patch night
      client: acme                      whose it is; with site or host it is narrower
      host: atlas
      matchers: ['job="node"']
      time_intervals: [nights, {weekdays: [sunday]}]
      from: 2026-11-01T00:00+01:00      both ends may be left out where intervals say when
      until: 2027-01-01T00:00+01:00
      reason: monthly patches

A window is open from `from` up to `until` and, where it has intervals, while one of them holds the moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from tocsin_server.alerts.inhibition import read_matchers
from tocsin_server.alerts.intervals import Interval, Intervals, contains, read_interval
from tocsin_server.alerts.matchertext import narrows
from tocsin_server.alerts.moments import parse_rfc3339
from tocsin_server.series.matchers import Matchers, matches_all
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, line_of, scalar

MAX_REASON = 2000

_FIELDS = ("name", "client", "site", "host", "matchers", "time_intervals", "from", "until", "reason")


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the estate by its names; None is any. Sites and hosts have names within a client only."""

    client: str | None = None
    site: str | None = None
    host: str | None = None

    def holds(self, other: "Place") -> bool:
        """Whether the other is within."""
        return (
            self.client in (None, other.client)
            and self.site in (None, other.site)
            and self.host in (None, other.host)
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Planned work: where, when, and why."""

    name: str
    place: Place
    reason: str
    matchers: Matchers = ()
    intervals: Intervals = ()
    from_ms: int | None = None
    until_ms: int | None = None

    def is_open(self, now_ms: int) -> bool:
        """Whether the work may be going on."""
        if self.from_ms is not None and now_ms < self.from_ms:
            return False
        if self.until_ms is not None and now_ms >= self.until_ms:
            return False
        return not self.intervals or contains(self.intervals, now_ms)

    def covers(self, place: Place, labels: Mapping[str, str]) -> bool:
        """Whether an alert there with these labels may come of it."""
        return self.place.holds(place) and matches_all(self.matchers, labels)


def read_window(node: yaml.Node, named: Mapping[str, Intervals]) -> Window:
    """One window of a file; `named` are the intervals that it may name. Raises `BadYaml`."""
    fields = Fields(node, _FIELDS, what="a maintenance window")
    window = Window(
        name=fields.wanted("name").text,
        place=_place(fields),
        reason=_reason(fields),
        matchers=read_matchers(fields, "matchers"),
        intervals=_intervals(fields, named),
        from_ms=_moment(fields, "from"),
        until_ms=_moment(fields, "until"),
    )
    _check_scope(fields, window)
    _check_times(fields, window)
    return window


def _place(fields: Fields) -> Place:
    client, site, host = (fields.text(name).text or None for name in ("client", "site", "host"))
    if client is None and (site or host):
        raise BadYaml(fields.line, "a site or a host needs its 'client': others may have one of that name")
    return Place(client, site, host)


def _reason(fields: Fields) -> str:
    text = fields.wanted("reason")
    if len(text.text) > MAX_REASON:
        raise BadYaml(text.line, f"'reason' has {len(text.text)} characters, which is more than {MAX_REASON}")
    return text.text


def _intervals(fields: Fields, named: Mapping[str, Intervals]) -> Intervals:
    nodes = fields.items("time_intervals")
    if fields.node("time_intervals") is not None and not nodes:
        raise BadYaml(fields.line, "'time_intervals' is empty: leave it out, or name one")
    return tuple(interval for node in nodes for interval in _meant(node, named))


def _meant(node: yaml.Node, named: Mapping[str, Intervals]) -> tuple[Interval, ...]:
    """What a name stands for, or an interval that is written out."""
    if isinstance(node, yaml.MappingNode):
        return (read_interval(node),)
    name = scalar(node, "an entry of 'time_intervals'")
    if name not in named:
        there = ", ".join(sorted(named)[:8]) or "none"
        raise BadYaml(line_of(node), f"there is no time interval {name!r}; there are {there}")
    return named[name]


def _moment(fields: Fields, name: str) -> int | None:
    text = fields.text(name)
    return _milliseconds(text, name) if text.text else None


def _milliseconds(text: Text, name: str) -> int:
    try:
        return parse_rfc3339(text.text)
    except (ValueError, OverflowError) as error:
        raise BadYaml(
            text.line, f"{name!r} has to be a moment such as 2026-11-26T22:00+01:00, got {text.text[:60]!r}"
        ) from error


def _check_scope(fields: Fields, window: Window) -> None:
    """What is open for all clients says of which alerts, as a silence does."""
    if window.place.client is None and not narrows(window.matchers):
        raise BadYaml(
            fields.line,
            "a maintenance window needs 'client', or 'matchers' of which one does not match the empty word",
        )


def _check_times(fields: Fields, window: Window) -> None:
    if not window.intervals and (window.from_ms is None or window.until_ms is None):
        raise BadYaml(fields.line, "a maintenance window needs 'time_intervals', or both 'from' and 'until'")
    if window.from_ms is not None and window.until_ms is not None and window.until_ms <= window.from_ms:
        raise BadYaml(fields.line, "'until' has to be after 'from'")
