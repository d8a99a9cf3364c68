"""The desk's tables. At most one open ticket has a given key: the database itself sees to it.

SQLite takes a partial index only where a query repeats the index's condition word for word, and never for a
bound parameter: so questions about open tickets say `IS_OPEN`, and those about recovered ones `IS_RECOVERING`,
about those that wait until a time `IS_WAKING`, about those that are to close by themselves `IS_CLOSING`.
"""

from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Index, literal_column
from sqlmodel import Field, SQLModel

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketKind, TicketState
from tocsin_server.storage.columns import Millis, RowId, partial_index, word

_OPEN = "state NOT IN ('solved', 'closed')"
_OWNED = "owner_id IS NOT NULL"
_OPEN_OWNED = f"{_OPEN} AND {_OWNED}"
_WAKING = "wakes_ms IS NOT NULL"
_CLOSING = "closes_ms IS NOT NULL"
_RECOVERING = f"{_OPEN} AND recovered_ms IS NOT NULL AND NOT confirm"


class Ticket(SQLModel, table=True):
    """The ticket as it is now; its events tell how it came to be."""

    __tablename__ = "ticket"
    __table_args__ = (
        partial_index(
            "ticket_open_key",
            "client_id",
            "key",
            unique=True,
            where=f"{_OPEN} AND key IS NOT NULL",
        ),
        # The queue's order, with what its lists and counts ask for, so that they need no row they do not show.
        partial_index(
            "ticket_open_queue", "priority", "opened_ms", "id", "owner_id", where=_OPEN, shield="client_id"
        ),
        partial_index("ticket_open_client", "client_id", "priority", "opened_ms", "id", where=_OPEN),
        Index("ticket_queue", "priority", "opened_ms", "id", "state"),
        Index("ticket_client", "client_id", "priority", "opened_ms", "id", "state"),
        partial_index("ticket_open_owner", "owner_id", "priority", "opened_ms", "id", where=_OPEN_OWNED),
        partial_index("ticket_owner", "owner_id", "priority", "opened_ms", "id", "state", where=_OWNED),
        partial_index("ticket_recovering", "recovered_ms", where=_RECOVERING),
        partial_index("ticket_waking", "wakes_ms", where=_WAKING),
        partial_index("ticket_closing", "closes_ms", where=_CLOSING),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    site_id: int | None = Field(default=None, foreign_key="site.id", sa_type=RowId)
    host_id: int | None = Field(default=None, foreign_key="host.id", index=True, sa_type=RowId)
    key: str | None = Field(default=None, index=True)
    """What makes alerts the same trouble: client, alertname and identity labels without the severity."""
    title: str
    kind: TicketKind = Field(default=TicketKind.INCIDENT, sa_type=word(TicketKind))
    state: TicketState = Field(sa_type=word(TicketState))
    priority: int
    severity: str = ""
    owner_id: int | None = Field(default=None, foreign_key="person.id", sa_type=RowId)
    version: int = 1
    """Grows by one with every change; as many events tell of it."""
    human: bool = False
    """A person has spoken here: recovery asks for confirmation and does not resolve by itself."""
    recovered_ms: int | None = Field(default=None, sa_type=Millis)
    """Since when none of its alerts is alarming."""
    confirm: bool = False
    """It has recovered, and a person has been asked to confirm."""
    opened_ms: int = Field(sa_type=Millis)
    updated_ms: int = Field(sa_type=Millis)
    solved_ms: int | None = Field(default=None, sa_type=Millis)
    impact: str = ""
    urgency: str = ""
    """Both as `triage` says; empty where no table has said it."""
    team: str = ""
    waits_for: str = ""
    """What a pending ticket waits for, in the lifecycle's word."""
    wakes_ms: int | None = Field(default=None, sa_type=Millis)
    """When it is gone on with, whatever has come."""
    closes_ms: int | None = Field(default=None, sa_type=Millis)
    """When it closes by itself; nothing while it is open, and where it does not."""
    reopens: int | None = Field(default=None, foreign_key="ticket.id", sa_type=RowId)
    """The earlier ticket of the same trouble, where that one was solved too long ago to be reopened."""


class TicketAlert(SQLModel, table=True):
    """Which alerts a ticket is about."""

    __tablename__ = "ticket_alert"
    # An alert's newest ticket is its last entry: one that has had a thousand is asked as fast as one with one.
    __table_args__ = (Index("ticket_alert_newest", "alert_id", "ticket_id"),)
    ticket_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
    alert_id: int = Field(foreign_key="alert.id", primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)


class TicketEventRow(SQLModel, table=True):
    """One thing that happened to a ticket; never changed, never removed."""

    __tablename__ = "ticket_event"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    ticket_id: int = Field(foreign_key="ticket.id", index=True, sa_type=RowId)
    at_ms: int = Field(sa_type=Millis)
    kind: TicketEventKind = Field(sa_type=word(TicketEventKind))
    actor_kind: ActorKind = Field(sa_type=word(ActorKind))
    actor: str
    text: str = ""
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    public: bool = False
    """It is a word to who asked."""
    transition_id: int | None = Field(default=None, foreign_key="transition.id", unique=True, sa_type=RowId)
    """The transition it tells of; unique, so a transition that is consumed twice is told once."""


TICKETS = Ticket.metadata.tables["ticket"]
TICKET_ALERTS = Ticket.metadata.tables["ticket_alert"]
EVENTS = Ticket.metadata.tables["ticket_event"]

IS_OPEN: ColumnElement[bool] = literal_column("ticket." + _OPEN)
IS_WAKING: ColumnElement[bool] = literal_column(f"ticket.{_WAKING}")
IS_CLOSING: ColumnElement[bool] = literal_column(f"ticket.{_CLOSING}")
IS_RECOVERING: ColumnElement[bool] = literal_column(
    f"ticket.{_OPEN} AND ticket.recovered_ms IS NOT NULL AND NOT ticket.confirm"
)
