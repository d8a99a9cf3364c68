"""What a transition has to say, for a ticket's title and its timeline: words, and what they rest on."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import REASON
from tocsin_server.clock import moment
from tocsin_server.desk.standing import Evidence
from tocsin_server.desk.text import shortened, title_line

Data = dict[str, str | float | list[str] | dict[str, str] | None]


class Told(Protocol):
    """A transition with what its alert is."""

    @property
    def new(self) -> AlertState: ...
    @property
    def value(self) -> float | None: ...
    @property
    def sample_ms(self) -> int | None: ...
    @property
    def annotations(self) -> Mapping[str, str]: ...
    @property
    def withheld(self) -> Sequence[Mapping[str, str]]: ...
    @property
    def alertname(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def expression(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


_WORDS = {
    AlertState.UNKNOWN: "its data has stopped: the condition cannot be judged",
    AlertState.RESOLVED: "the condition is seen false",
}


def title_of(told: Told) -> str:
    """The rule's summary, else the alert's name and where it is."""
    summary = title_line(told.annotations.get("summary", ""))
    if summary:
        return summary
    instance = told.labels.get("instance")
    return title_line(f"{told.alertname} on {instance}" if instance else told.alertname)


def evidence_of(told: Told) -> Evidence:
    """The evidence that the ticket's timeline keeps."""
    return Evidence(
        rule=told.alertname,
        severity=told.severity,
        text=told.annotations.get(REASON) or _WORDS.get(told.new) or _description(told.annotations),
        data=_data(told),
    )


def _description(annotations: Mapping[str, str]) -> str:
    return shortened(annotations.get("description") or annotations.get("summary", ""))


def _data(told: Told) -> Data:
    data: Data = {
        "value": json_value(told.value),
        "expression": told.expression,
        "labels": dict(told.labels),
        "sample_at": None if told.sample_ms is None else rfc3339(told.sample_ms),
    }
    withheld = [reason["words"] for reason in told.withheld]
    return {**data, "withheld": withheld} if withheld else data


def json_value(value: float | None) -> str | float | None:
    """A value as JSON can carry it, which has no infinity."""
    return value if value is None or math.isfinite(value) else str(value)


def rfc3339(ms: int) -> str:
    """A moment as the API writes it."""
    return moment(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
