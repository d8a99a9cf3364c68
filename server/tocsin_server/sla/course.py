"""The course of a ticket: its events folded into stretches of time and into what was promised meanwhile.

One phase begins with each event. In it the ticket is open, or waits for a reason, or is solved; maintenance may
be going on. What is promised are strands: of the client's SLA one from creation on, of a team's OLA and of a
supplier's contract one each time the ticket is assigned to them. In a strand one assignment follows another as
the priority or the SLA changes. An event that cannot have happened raises `ImpossibleEvent`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tocsin_server.errors import Unprocessable
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.events import By, Event, EventKind, ImpossibleEvent, in_order
from tocsin_server.sla.terms import PRIORITIES, Agreement, AgreementType, ClockKind


class Mark(NamedTuple):
    """A place among the events, from 0, with the event's time and id."""

    n: int
    at_ms: int
    id: int


class Phase(NamedTuple):
    """The time from one event to the next, and how the ticket stands then. `reason` is what it waits for."""

    begun: Mark
    to_ms: int
    reason: str
    is_solved: bool
    is_maintenance: bool


class Ending(StrEnum):
    """How an assignment has ended."""

    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Assignment:
    """An agreement for a ticket of some priority, from a mark on; without `ended` it is in force."""

    agreement: Agreement
    priority: int
    begun: Mark
    ended: Mark | None = None
    ending: Ending | None = None


Strand = list[Assignment]


class Absorbed(NamedTuple):
    """Another ticket that was merged into this one, and when it was created."""

    mark: Mark
    created_ms: int


@dataclass(frozen=True, slots=True)
class Course:
    """All that clocks are made of. `phases` has one for each event."""

    phases: tuple[Phase, ...]
    strands: tuple[Strand, ...]
    marks: Mapping[ClockKind, tuple[Mark, ...]]
    """What ends a clock of a kind, or for `update` begins it anew."""
    absorbed: tuple[Absorbed, ...]
    closed: Mark | None


def course_of(events: Iterable[Event], contract: Contract, now_ms: int) -> Course:
    """What has happened up to now; raises `ImpossibleEvent`, and `Unprocessable` where nothing has."""
    ticket = _Ticket(contract)
    for event in in_order(events, now_ms):
        ticket.tell(event)
    return ticket.course(now_ms)


class _Ticket:
    """A ticket while its events are told."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._phases: list[Phase] = []
        self._now = Mark(-1, 0, 0)
        self._solved = False
        self._reason = ""
        self._windows: set[str] = set()
        self._priority = 0
        self._strands: list[Strand] = []
        self._current: dict[AgreementType, Strand] = {}
        self._team = self._supplier = ""
        self._taken: list[Mark] = []
        self._words: list[Mark] = []
        self._absorbed: dict[str, Absorbed] = {}
        self._closed: Mark | None = None
        self._merged: Mark | None = None

    def tell(self, event: Event) -> None:
        """One more event; its phase begins."""
        self._refuse_untimely(event)
        if self._now.n >= 0:
            self._end_phase(event.at_ms)
        self._now = Mark(self._now.n + 1, event.at_ms, event.id)
        _TOLD[event.kind](self, event)

    def course(self, now_ms: int) -> Course:
        if self._now.n < 0:
            raise Unprocessable(
                "nothing has happened yet", remedy="ask about a time at which the ticket had been created"
            )
        self._end_phase(now_ms)
        for strand in self._current.values():
            if self._merged is not None:
                strand[-1] = replace(strand[-1], ended=self._merged, ending=Ending.CANCELLED)
        words = tuple(self._words)
        marks = {
            ClockKind.ACK: tuple(sorted({*self._taken, *words})),
            ClockKind.FIRST_RESPONSE: words,
            ClockKind.UPDATE: words,
        }
        return Course(
            tuple(self._phases), tuple(self._strands), marks, tuple(self._absorbed.values()), self._closed
        )

    def _refuse_untimely(self, event: Event) -> None:
        """What cannot be, whatever the event says; windows come and go by themselves."""
        if (self._now.n < 0) != (event.kind is EventKind.CREATED):
            why = "the ticket is not created yet" if self._now.n < 0 else "the ticket was created before"
            raise ImpossibleEvent(event, why, remedy="'created' is the first event, and there is one")
        if event.kind in (EventKind.MAINTENANCE_BEGAN, EventKind.MAINTENANCE_ENDED):
            return
        if self._closed is not None:
            raise ImpossibleEvent(event, "the ticket is closed", remedy="what comes later is another ticket's")
        if self._merged is not None and event.kind is not EventKind.UNMERGED:
            raise ImpossibleEvent(
                event,
                "the ticket is merged into another",
                remedy="it is the other's event, or comes after 'unmerged'",
            )

    def _end_phase(self, at_ms: int) -> None:
        self._phases.append(
            Phase(self._now, at_ms, self._reason, self._solved, is_maintenance=bool(self._windows))
        )

    # -- what is promised

    def created(self, event: Event) -> None:
        self._priority = self._known_priority(event)
        if event.is_clocked:
            self._promise(AgreementType.SLA, self._contract.sla_of(event.name, event.at_ms))

    def prioritised(self, event: Event) -> None:
        """The same priority again, by the same SLA, changes nothing."""
        self._priority = self._known_priority(event)
        sla = self._known_sla(event) if event.name else None
        if not event.is_clocked:
            self._withdraw(AgreementType.SLA)
        for kind, strand in self._current.items():
            agreement = sla if sla and kind is AgreementType.SLA else strand[-1].agreement
            if (strand[-1].agreement.name, strand[-1].priority) != (agreement.name, self._priority):
                self._follow(strand, agreement)
        if sla is not None and AgreementType.SLA not in self._current:
            self._promise(AgreementType.SLA, sla)

    def sla_changed(self, event: Event) -> None:
        agreement = self._known_sla(event)
        strand = self._current[AgreementType.SLA]
        if strand[-1].agreement.name != agreement.name:
            self._follow(strand, agreement)

    def _known_sla(self, event: Event) -> Agreement:
        agreement = self._contract.agreements.get(event.name)
        if agreement is None or agreement.type is not AgreementType.SLA:
            slas = [each.name for each in self._contract.agreements.values() if each.type is AgreementType.SLA]
            raise ImpossibleEvent(
                event, f"there is no SLA {event.name!r} in the contract", remedy=f"there are {', '.join(slas)}"
            )
        return agreement

    def assigned(self, event: Event) -> None:
        """To a supplier, while the team keeps it; or to a team, which takes it back from whoever had it."""
        agreement = self._contract.with_party(event.name)
        if agreement is not None and agreement.type is AgreementType.UC:
            if event.name != self._supplier:
                self._supplier = event.name
                self._promise(AgreementType.UC, agreement)
            return
        self._supplier = ""
        self._withdraw(AgreementType.UC)
        if event.name == self._team:
            return
        self._team = event.name
        self._withdraw(AgreementType.OLA)
        if agreement is not None:
            self._promise(AgreementType.OLA, agreement)

    def _promise(self, kind: AgreementType, agreement: Agreement) -> None:
        self._withdraw(kind)
        self._current[kind] = [Assignment(agreement, self._priority, self._now)]
        self._strands.append(self._current[kind])

    def _withdraw(self, kind: AgreementType) -> None:
        strand = self._current.pop(kind, None)
        if strand is not None:
            self._supersede(strand)

    def _follow(self, strand: Strand, agreement: Agreement) -> None:
        self._supersede(strand)
        strand.append(Assignment(agreement, self._priority, self._now))

    def _supersede(self, strand: Strand) -> None:
        strand[-1] = replace(strand[-1], ended=self._now, ending=Ending.SUPERSEDED)

    def _known_priority(self, event: Event) -> int:
        if event.priority not in PRIORITIES:
            raise ImpossibleEvent(
                event,
                f"there is no priority {event.priority}",
                remedy=f"they are {PRIORITIES[0]} to {PRIORITIES[-1]}",
            )
        return event.priority

    # -- what is done

    def taken_up(self, event: Event) -> None:
        self._require_open(event)
        if event.by is By.TECHNICIAN:
            self._taken.append(self._now)

    def commented(self, event: Event) -> None:
        if event.by is By.TECHNICIAN and event.is_public:
            self._words.append(self._now)

    def paused(self, event: Event) -> None:
        """For another reason than before, or for one at all."""
        self._require_open(event)
        reasons = self._contract.pause_reasons
        if event.name not in reasons:
            raise ImpossibleEvent(
                event,
                f"there is no pause reason {event.name!r} in the contract",
                remedy=f"there are {', '.join(reasons) or 'none'}",
            )
        if event.name == self._reason:
            raise ImpossibleEvent(
                event, f"it is paused for {event.name} already", remedy="'resumed' comes between"
            )
        self._reason = event.name

    def resumed(self, event: Event) -> None:
        if not self._reason:
            raise ImpossibleEvent(event, "the ticket is not paused", remedy="'paused' comes before")
        self._reason = ""

    def solve(self, event: Event) -> None:
        """It waits for nothing any more. A technician who solves it has taken it and says so."""
        self._require_open(event)
        self._solved, self._reason = True, ""
        if event.by is By.TECHNICIAN:
            self._words.append(self._now)

    def reopened(self, event: Event) -> None:
        self._require_solved(event)
        self._solved = False

    def close(self, event: Event) -> None:
        self._require_solved(event)
        self._closed = self._now

    def _require_open(self, event: Event) -> None:
        if self._solved:
            raise ImpossibleEvent(event, "the ticket is solved", remedy="'reopened' comes before")

    def _require_solved(self, event: Event) -> None:
        if not self._solved:
            raise ImpossibleEvent(event, "the ticket is not solved", remedy="'solved' comes before")

    # -- other tickets, and maintenance

    def merge(self, _event: Event) -> None:
        self._merged = self._now

    def unmerge(self, event: Event) -> None:
        """It was a mistake: as though the ticket had never been merged."""
        if self._merged is None:
            raise ImpossibleEvent(event, "the ticket is not merged", remedy="'merged' comes before")
        self._merged = None

    def absorb(self, event: Event) -> None:
        if event.name in self._absorbed:
            raise ImpossibleEvent(
                event, f"ticket {event.name} is absorbed already", remedy="'separated' comes before"
            )
        if event.created_ms > event.at_ms:
            raise ImpossibleEvent(
                event, f"ticket {event.name} is created after it is absorbed", remedy="check its 'created'"
            )
        self._absorbed[event.name] = Absorbed(self._now, event.created_ms)

    def separate(self, event: Event) -> None:
        """It was a mistake: as though the other had never been absorbed."""
        if self._absorbed.pop(event.name, None) is None:
            raise ImpossibleEvent(
                event, f"ticket {event.name} is not absorbed", remedy="'absorbed' comes before"
            )

    def begin_maintenance(self, event: Event) -> None:
        if event.name in self._windows:
            raise ImpossibleEvent(
                event, f"window {event.name} has begun already", remedy="each has a name of its own"
            )
        self._windows.add(event.name)

    def end_maintenance(self, event: Event) -> None:
        if event.name not in self._windows:
            raise ImpossibleEvent(
                event, f"window {event.name} has not begun", remedy="'maintenance_began' comes before"
            )
        self._windows.remove(event.name)


_TOLD: Mapping[EventKind, Callable[[_Ticket, Event], None]] = {
    EventKind.CREATED: _Ticket.created,
    EventKind.PRIORITY: _Ticket.prioritised,
    EventKind.SLA_CHANGED: _Ticket.sla_changed,
    EventKind.ASSIGNED: _Ticket.assigned,
    EventKind.TAKEN: _Ticket.taken_up,
    EventKind.COMMENT: _Ticket.commented,
    EventKind.PAUSED: _Ticket.paused,
    EventKind.RESUMED: _Ticket.resumed,
    EventKind.SOLVED: _Ticket.solve,
    EventKind.REOPENED: _Ticket.reopened,
    EventKind.CLOSED: _Ticket.close,
    EventKind.MERGED: _Ticket.merge,
    EventKind.UNMERGED: _Ticket.unmerge,
    EventKind.ABSORBED: _Ticket.absorb,
    EventKind.SEPARATED: _Ticket.separate,
    EventKind.MAINTENANCE_BEGAN: _Ticket.begin_maintenance,
    EventKind.MAINTENANCE_ENDED: _Ticket.end_maintenance,
}
