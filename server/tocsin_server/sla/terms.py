"""What is promised: agreements with their targets, whoever the other side is.

A service level agreement binds the provider to its client (SLA), a team to the provider (OLA), or a supplier to
the provider (underpinning contract, UC). They are the same thing with another counterparty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tocsin_server.sla.calendar import Calendar

PRIORITIES = range(1, 5)
"""1 is the most urgent."""


class ClockKind(StrEnum):
    """What is measured."""

    ACK = "ack"
    """Until a person takes the ticket (GTI)."""
    FIRST_RESPONSE = "first_response"
    """Until a technician has written to the requester."""
    RESOLVE = "resolve"
    """Until it is solved (GTR)."""
    UPDATE = "update"
    """Since a technician last wrote to the requester, again and again."""


class AgreementType(StrEnum):
    """Who promises to whom."""

    SLA = "sla"
    OLA = "ola"
    UC = "uc"


class WaitsFor(StrEnum):
    """Whom a pause waits for."""

    CLIENT = "client"
    TEAM = "team"
    SUPPLIER = "supplier"
    NOBODY = "nobody"


OWN_SIDE: Mapping[AgreementType, WaitsFor] = {
    AgreementType.SLA: WaitsFor.TEAM,
    AgreementType.OLA: WaitsFor.TEAM,
    AgreementType.UC: WaitsFor.SUPPLIER,
}
"""Whose waiting never pauses the clock: the one's who has promised."""


class OnChange(StrEnum):
    """From when a target counts that takes the place of another."""

    RETROACTIVE = "retroactive"
    FROM_CHANGE = "from_change"


class OnMerge(StrEnum):
    """From when the clocks of a ticket count into which another was merged."""

    KEEP = "keep"
    EARLIEST_START = "earliest_start"


@dataclass(frozen=True, slots=True)
class Threshold:
    """What somebody is told of: so many per cent of a target, or so much open time before its end."""

    name: str
    percent: int | None = None
    before_ms: int = 0

    def elapsed_ms(self, target_ms: int) -> int | None:
        """How much has elapsed then; None where the target is shorter than the time before it."""
        if self.percent is not None:
            return target_ms * self.percent // 100
        return target_ms - self.before_ms if target_ms > self.before_ms else None


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised of one kind for one priority: open time by a calendar."""

    kind: ClockKind
    target_ms: int
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Agreement:
    """Targets by priority, and how their clocks go. `pauses` are reasons by kind."""

    name: str
    type: AgreementType
    counterparty: str
    targets: Mapping[int, tuple[Target, ...]]
    pauses: Mapping[ClockKind, frozenset[str]]
    thresholds: tuple[Threshold, ...]
    on_change: OnChange = OnChange.RETROACTIVE
    on_merge: OnMerge = OnMerge.KEEP
