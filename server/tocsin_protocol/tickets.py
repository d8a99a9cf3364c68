"""Tickets as the server tells of them: a line of the queue, and all there is to one."""

from datetime import datetime

import msgspec

from tocsin_protocol.alerts import Alert
from tocsin_protocol.clients import Requester
from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.messages import Message
from tocsin_protocol.vocabulary import (
    ActorKind,
    AlertState,
    Severity,
    TicketEventKind,
    TicketKind,
    TicketState,
    Tie,
)


class TicketRow(Message, frozen=True, kw_only=True):
    """One line of the queue."""

    id: int
    version: int
    title: str
    kind: TicketKind = TicketKind.INCIDENT
    state: TicketState
    priority: int
    """1 is the most urgent, 4 the least."""
    client: str
    """The client's slug."""
    site: str
    host: str | None
    host_id: int | None
    owner: str | None
    """The login of who has it."""
    severity: Severity | None
    alert_state: AlertState | None
    """The worst state among its alerts; nothing where a person opened it."""
    recovered: bool
    """All its alerts have cleared, but it waits for a person to confirm."""
    opened_at: datetime
    updated_at: datetime
    solved_at: datetime | None
    due_at: datetime | None = None
    """When the first of its promises that still go is due; nothing while nobody knows."""
    due_state: str = ""
    """How that one stands: `running`, `breached`, `paused`; empty where nothing goes that was promised."""
    impact: str = ""
    """How much of the client's work is touched: `high`, `medium`, `low`; empty where no table has said it."""
    urgency: str = ""
    """How soon that hurts, in the same words."""
    team: str = ""
    """The slug of the team that has it."""
    supplier: str = ""
    """Whom the team has given it to, as the contract names them."""
    waits_for: str = ""
    """What a pending ticket waits for: `customer`, `vendor` and what else the lifecycle names."""
    wakes_at: datetime | None = None
    """When it is gone on with, whatever has come."""
    closes_at: datetime | None = None
    """When it closes by itself, unless it is reopened or one of its alerts is not over."""
    merged_into: int | None = None
    """The ticket that it is part of, where it was merged."""
    parent: int | None = None
    """The ticket that it is a child of."""


class TicketCounts(Message, frozen=True, kw_only=True):
    """What the status line of a console shows of all open tickets, whatever the page."""

    open: int
    unowned: int
    by_priority: dict[str, int]


class TicketPage(Message, frozen=True, kw_only=True):
    tickets: list[TicketRow]
    counts: TicketCounts
    next: str | None
    """The cursor of the next page."""
    seen: str
    """The id of the newest event that this page already holds: pass it on as `Last-Event-ID`."""


class TicketEvent(Message, frozen=True, kw_only=True):
    """One row of a ticket's timeline. `data` is evidence, such as `value`, `labels`, `withheld`."""

    id: int
    at: datetime
    kind: TicketEventKind
    actor_kind: ActorKind
    actor: str
    text: str
    data: dict[str, str | int | float | list[str] | dict[str, str] | None]
    public: bool = False
    """It is a word to who asked; what is not stays among technicians."""
    of: int | None = None
    """The ticket whose entry it is, where that was merged into the one that is looked at."""


class TicketTie(Message, frozen=True, kw_only=True):
    """Another ticket that has to do with the one that is looked at, and what it is to that."""

    tie: Tie
    ticket: int
    title: str
    state: TicketState


class TicketDetail(Message, frozen=True, kw_only=True):
    ticket: TicketRow
    events: list[TicketEvent]
    alerts: list[Alert]
    clocks: list[TicketClock] = msgspec.field(default_factory=list)
    """By its contract; those that others have taken the place of stand before them."""
    unclocked: str = ""
    """Why there are none though its client has a contract."""
    watchers: list[str] = msgspec.field(default_factory=list)
    """The logins of those who watch it."""
    cut_off: int = 0
    """How many alerts of hosts behind its own dead one are on it; `alerts` ends with a few of them."""
    more_alerts: int = 0
    """How many alerts are on it beside these: `alerts` has the worst 200."""
    ties: list[TicketTie] = msgspec.field(default_factory=list)
    """What else belongs to it, at most 200 of them."""
    requester: Requester | None = None
    """Who asks for it, of the client's people."""
