"""How a promise about a ticket stands, as the server tells it: its clock, with every stretch of its time."""

from datetime import datetime

import msgspec

from tocsin_protocol.messages import Message


class ClockSegment(Message, frozen=True, kw_only=True):
    """A stretch of a clock's time: `running`, `paused:customer`, `solved`, `excluded:maintenance`."""

    reason: str
    begin: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    counted_s: float
    """What it adds to the time that has elapsed."""


class TicketClock(Message, frozen=True, kw_only=True):
    """One promise about a ticket, and how it stands. `docs/desk.md` says how it is reckoned."""

    kind: str
    """`ack`, `first_response`, `resolve`, `update`."""
    agreement: str
    counterparty: str = ""
    """With whom: the client, the team or the supplier."""
    type: str
    """`sla`, `ola`, `uc`."""
    priority: int
    round: int
    """Of `update`, from 1."""
    calendar: str
    zone: str
    state: str
    """`running`, `paused`, `met`, `breached` (whether or not it has ended), `cancelled`, `superseded`."""
    reason: str
    """What a paused one waits for; else empty."""
    target_s: float
    """Open time by the calendar, as are the next two."""
    elapsed_s: float
    remaining_s: float
    """Negative once more has elapsed."""
    started_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    segments: list[ClockSegment]
