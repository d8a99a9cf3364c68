"""What has happened to a ticket, as far as its clocks care."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tocsin_server.errors import Unprocessable


class EventKind(StrEnum):
    """One thing that happens; `course.py` says what comes of each."""

    CREATED = "created"
    PRIORITY = "priority"
    SLA_CHANGED = "sla_changed"
    ASSIGNED = "assigned"
    TAKEN = "taken"
    COMMENT = "comment"
    PAUSED = "paused"
    RESUMED = "resumed"
    SOLVED = "solved"
    REOPENED = "reopened"
    CLOSED = "closed"
    MERGED = "merged"
    UNMERGED = "unmerged"
    ABSORBED = "absorbed"
    SEPARATED = "separated"
    MAINTENANCE_BEGAN = "maintenance_began"
    MAINTENANCE_ENDED = "maintenance_ended"


class By(StrEnum):
    """Who it was."""

    TECHNICIAN = "technician"
    REQUESTER = "requester"
    AUTO = "auto"
    """A program: an automatic reply, a recovery."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. What its kind does not use is empty.

    `name` is the item of `created`, the agreement of `sla_changed` and, where it comes with one, of `priority`,
    the party of `assigned`, the reason of `paused`, the other ticket of `merged`, `absorbed` and `separated`,
    the window of `maintenance_…`.
    """

    id: int
    at_ms: int
    kind: EventKind
    name: str = ""
    priority: int = 0
    by: By = By.TECHNICIAN
    is_public: bool = True
    created_ms: int = 0
    """Of `absorbed`: when the other ticket was created."""
    is_clocked: bool = True
    """Of `created` and `priority`: whether the client is promised anything from then on."""


class ImpossibleEvent(Unprocessable):
    """An event that cannot have happened after those before it: no clock can be trusted then."""

    def __init__(self, event: Event, why: str, *, remedy: str) -> None:
        super().__init__(f"event {event.id}, {event.kind}: {why}", remedy=remedy)
        self.event = event


def in_order(events: Iterable[Event], now_ms: int) -> list[Event]:
    """The events up to now, as they happened: late ones take their place by time, then by id."""
    ordered = sorted(events, key=lambda event: (event.at_ms, event.id))
    seen: set[int] = set()
    for event in ordered:
        if event.id in seen:
            raise ImpossibleEvent(event, "its id stands twice", remedy="each event has an id of its own")
        seen.add(event.id)
    return [event for event in ordered if event.at_ms <= now_ms]
