"""A ticket's timeline as the events of its clocks. Pure.

    opened       created           by an alert: when it fired, or was no longer withheld
                 assigned          to the team that it is opened for
    assigned     assigned          to a team or a supplier; nothing, where a team gives it to one of its own
    taken        taken             and no longer paused
    commented    comment           where it was said to the requester; a note among technicians is no event
    waiting      paused            for a reason that the contract names; for another one nothing pauses
    resumed      resumed           so does released
    solved       solved            by a technician, or by a program
    reopened     reopened          whoever it was
    closed       closed            and solved, where it was not
    prioritised  priority, and the SLA of the item as which the ticket is clocked from then on (`service.py`)
    window opened, closed   maintenance_began, maintenance_ended
    merged       merged            so do unmerged, absorbed and separated
    an alert that makes it more urgent: the same

To know of an alert is not to take the ticket up. Whatever a ticket goes through makes events that clocks take.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind
from tocsin_server.desk.service import service_told
from tocsin_server.sla.events import By, Event, EventKind


class Step(NamedTuple):
    """An entry of a timeline, as far as clocks care."""

    id: int
    at_ms: int
    kind: TicketEventKind
    actor_kind: ActorKind
    data: Mapping[str, Any]
    is_public: bool = False


def priority_told(step: Step) -> int | None:
    """What an entry says of the priority, if anything: a number; earlier versions wrote `2: and why`."""
    told = step.data.get("priority")
    if isinstance(told, int):
        return told
    number = told.partition(":")[0] if isinstance(told, str) else ""
    return int(number) if number.isdecimal() else None


def priority_at_first(steps: Sequence[Step], otherwise: int) -> int:
    """What a ticket was opened with: its first entry tells, else the first that says what it was before.

    Where neither does, nothing has changed it, and it is what the ticket has.
    """
    before = (step.data["was"] for step in steps if isinstance(step.data.get("was"), int))
    return (priority_told(steps[0]) if steps else None) or next(before, otherwise)


def _itself(item: str) -> str:
    return item


def events_of(
    steps: Iterable[Step],
    *,
    item: str | None,
    priority: int,
    reasons: Container[str],
    sla_of: Callable[[str], str] = _itself,
) -> list[Event]:
    """The events of a timeline in its order; of an entry up to two, whose ids are twice its own, or one more.

    `item` is as what the ticket is clocked when it is opened, nothing where it is not, and `sla_of` gives the
    SLA of one that comes later. `priority` is what the ticket has where the first entry does not tell. An entry
    that is told late happens no earlier than the one before it: that is how the ticket took it.
    """
    life, at_ms, events = _Life(reasons), 0, list[Event]()
    for step in steps:
        if step.kind not in TELLING:
            continue
        at_ms = max(at_ms, step.at_ms)
        priority = priority_told(step) or priority
        created_ms = min(at_ms, int(step.data.get("opened_ms", 0)))
        for place, kind in enumerate(_MEANING[step.kind](life, step)):
            served = item if kind is EventKind.CREATED else _served(step, sla_of)
            name = _NAMED[kind](life, step, served or "") if kind in _NAMED else ""
            event = Event(2 * step.id + place, at_ms, kind, name, priority, _by(step), created_ms=created_ms)
            events.append(event if served is not None else replace(event, is_clocked=False))
    return events


def _served(step: Step, sla_of: Callable[[str], str]) -> str | None:
    """The SLA that an entry tells of: empty where it tells of none, and nothing where it ends it."""
    service = service_told(step.data)
    if service is None:
        return ""
    return None if service.item is None else sla_of(service.item)


def party_told(step: Step) -> str:
    """The supplier or the team that an entry gives the ticket to; empty where it is none."""
    told = step.data.get("supplier") or step.data.get("team")
    return told if isinstance(told, str) else ""


def other_told(step: Step) -> str:
    """The other ticket of an entry that tells of merging."""
    return str(step.data.get("into") or step.data.get("ticket") or "")


def _by(step: Step) -> By:
    return By.TECHNICIAN if step.actor_kind is ActorKind.PERSON else By.AUTO


class _Life:
    """How the ticket stands, as far as its clocks know."""

    def __init__(self, reasons: Container[str]) -> None:
        self._reasons = reasons
        self._is_solved = False
        self.waits_for = ""
        """The reason for which it is paused."""

    def opened(self, step: Step) -> Iterator[EventKind]:
        yield EventKind.CREATED
        yield from self.assigned(step)

    def assigned(self, step: Step) -> Iterator[EventKind]:
        if party_told(step):
            yield EventKind.ASSIGNED

    def taken(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.TAKEN
        yield from self._go_on()

    def commented(self, step: Step) -> Iterator[EventKind]:
        if step.is_public:
            yield EventKind.COMMENT

    def waiting(self, step: Step) -> Iterator[EventKind]:
        reason = str(step.data.get("for", ""))
        if reason not in self._reasons:
            yield from self._go_on()
        elif reason != self.waits_for:
            self.waits_for = reason
            yield EventKind.PAUSED

    def resumed(self, _step: Step) -> Iterator[EventKind]:
        yield from self._go_on()

    def solved(self, _step: Step) -> Iterator[EventKind]:
        self._is_solved, self.waits_for = True, ""
        yield EventKind.SOLVED

    def reopened(self, step: Step) -> Iterator[EventKind]:
        self._is_solved = False
        yield EventKind.REOPENED
        yield from self.fired(step)

    def fired(self, step: Step) -> Iterator[EventKind]:
        if priority_told(step) is not None or service_told(step.data) is not None:
            yield EventKind.PRIORITY

    def closed(self, step: Step) -> Iterator[EventKind]:
        if not self._is_solved:
            yield from self.solved(step)
        yield EventKind.CLOSED

    def window_opened(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.MAINTENANCE_BEGAN

    def window_closed(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.MAINTENANCE_ENDED

    def merged(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.MERGED

    def unmerged(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.UNMERGED

    def absorbed(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.ABSORBED

    def separated(self, _step: Step) -> Iterator[EventKind]:
        yield EventKind.SEPARATED

    def _go_on(self) -> Iterator[EventKind]:
        if self.waits_for:
            self.waits_for = ""
            yield EventKind.RESUMED


_MEANING: Mapping[TicketEventKind, Callable[[_Life, Step], Iterator[EventKind]]] = {
    TicketEventKind.OPENED: _Life.opened,
    TicketEventKind.ASSIGNED: _Life.assigned,
    TicketEventKind.ALERT_FIRED: _Life.fired,
    TicketEventKind.PRIORITISED: _Life.fired,
    TicketEventKind.TAKEN: _Life.taken,
    TicketEventKind.RELEASED: _Life.resumed,
    TicketEventKind.COMMENTED: _Life.commented,
    TicketEventKind.WAITING: _Life.waiting,
    TicketEventKind.RESUMED: _Life.resumed,
    TicketEventKind.SOLVED: _Life.solved,
    TicketEventKind.REOPENED: _Life.reopened,
    TicketEventKind.CLOSED: _Life.closed,
    TicketEventKind.WINDOW_OPENED: _Life.window_opened,
    TicketEventKind.WINDOW_CLOSED: _Life.window_closed,
    TicketEventKind.MERGED: _Life.merged,
    TicketEventKind.UNMERGED: _Life.unmerged,
    TicketEventKind.ABSORBED: _Life.absorbed,
    TicketEventKind.SEPARATED: _Life.separated,
}
_NAMED: Mapping[EventKind, Callable[[_Life, Step, str], str]] = {
    EventKind.CREATED: lambda _life, _step, item: item,
    EventKind.PRIORITY: lambda _life, _step, sla: sla,
    EventKind.PAUSED: lambda life, _step, _item: life.waits_for,
    EventKind.ASSIGNED: lambda _life, step, _item: party_told(step),
    EventKind.MAINTENANCE_BEGAN: lambda _life, step, _item: str(step.data["window"]),
    EventKind.MAINTENANCE_ENDED: lambda _life, step, _item: str(step.data["window"]),
    EventKind.MERGED: lambda _life, step, _item: other_told(step),
    EventKind.ABSORBED: lambda _life, step, _item: other_told(step),
    EventKind.SEPARATED: lambda _life, step, _item: other_told(step),
}
"""What an event of a kind is told with, beside its time."""
TELLING = frozenset(_MEANING)
"""Entries that clocks may hear of."""
