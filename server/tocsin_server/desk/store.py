"""The desk's tables. At most one open ticket has a given key: the database itself sees to it.

SQLite takes a partial index only where a query repeats the index's condition word for word, and never for a
bound parameter: so questions about open tickets say `IS_OPEN`, and those about recovered ones `IS_RECOVERING`,
about those that wait until a time `IS_WAKING`, about those that are to close by themselves `IS_CLOSING`, about
those whose clocks are to be looked at `IS_TELLING`, about requests, problems and changes `IS_NO_INCIDENT`,
about those that have a key `IS_KEYED`, and about alerts that a storm has brought to a ticket `IS_GATHERED`.
"""

from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Index, UniqueConstraint, literal_column
from sqlmodel import Field, SQLModel

from tocsin_protocol.vocabulary import (
    ActorKind,
    LinkKind,
    NoticeChannel,
    NoticeState,
    TeamAssign,
    TicketEventKind,
    TicketKind,
    TicketState,
)
from tocsin_server.storage.columns import Millis, RowId, partial_index, word

FAR_MS = (1 << 53) - 1
"""The deadline of what is not due, or nobody knows when: behind all others, and every JSON can hold it."""

_OPEN = "state NOT IN ('solved', 'closed')"
_OWNED = "owner_id IS NOT NULL"
_OPEN_OWNED = f"{_OPEN} AND {_OWNED}"
_WAKING = "wakes_ms IS NOT NULL"
_CLOSING = "closes_ms IS NOT NULL"
_TELLING = "tells_ms IS NOT NULL"
_NO_INCIDENT = "kind != 'incident'"
_WAITING_NOTICE = "state = 'waiting'"
_TRIED_NOTICE = "tried_ms IS NOT NULL"
_MERGED = "merged_into IS NOT NULL"
_CHILD = "parent_id IS NOT NULL"
_REOPENING = "reopens IS NOT NULL"
_IN_MAINTENANCE = "windows <> ''"
_KEYED = "key IS NOT NULL"
_GATHERED = "trouble IS NOT NULL"
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
            where=f"{_OPEN} AND {_KEYED}",
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
        # What is due first: of those with the same deadline, or with none, the queue's order.
        partial_index("ticket_open_due", "due_ms", "priority", "opened_ms", "id", where=_OPEN),
        partial_index(
            "ticket_open_client_due", "client_id", "due_ms", "priority", "opened_ms", "id", where=_OPEN
        ),
        Index("ticket_team", "team", "priority", "opened_ms", "id", "state"),
        partial_index("ticket_kind", "kind", "priority", "opened_ms", "id", "state", where=_NO_INCIDENT),
        partial_index("ticket_recovering", "recovered_ms", where=_RECOVERING),
        partial_index("ticket_waking", "wakes_ms", where=_WAKING),
        partial_index("ticket_closing", "closes_ms", where=_CLOSING),
        partial_index("ticket_merged", "merged_into", where=_MERGED),
        partial_index("ticket_child", "parent_id", where=_CHILD),
        partial_index("ticket_reopening", "reopens", where=_REOPENING),
        partial_index("ticket_in_maintenance", "id", where=_IN_MAINTENANCE),
        partial_index("ticket_open_team", "team", "priority", "opened_ms", "id", where=_OPEN),
        partial_index("ticket_telling", "tells_ms", where=_TELLING),
        partial_index("ticket_lately", "opened_ms", "client_id", where=_KEYED),
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
    """The slug of the team that has it, whether or not there is such a team."""
    supplier: str = ""
    """The supplier whom the team has given it to, as the contract names it."""
    requester_id: int | None = Field(default=None, foreign_key="requester.id", sa_type=RowId)
    """Who asks for it, of the client's people."""
    waits_for: str = ""
    """What a pending ticket waits for, in the lifecycle's word."""
    wakes_ms: int | None = Field(default=None, sa_type=Millis)
    """When it is gone on with, whatever has come."""
    closes_ms: int | None = Field(default=None, sa_type=Millis)
    """When it closes by itself; nothing while it is open, and where it does not."""
    tells_ms: int | None = Field(default=None, sa_type=Millis)
    """When the next threshold of one of its clocks is passed; 0 once something has happened to it."""
    due_ms: int = Field(default=FAR_MS, sa_type=Millis, sa_column_kwargs={"server_default": str(FAR_MS)})
    """The first deadline of its promises as it was reckoned last, within a second of a change (`told.py`)."""
    reopens: int | None = Field(default=None, foreign_key="ticket.id", sa_type=RowId)
    """The earlier ticket of the same trouble, where that was solved too long ago to be reopened (`recurs`)."""
    merged_into: int | None = Field(default=None, foreign_key="ticket.id", sa_type=RowId)
    """The ticket that this one is part of now; until that is undone it is closed and has no alerts."""
    parent_id: int | None = Field(default=None, foreign_key="ticket.id", sa_type=RowId)
    """The ticket that this one is a child of, of the same client; never one of its own children."""
    windows: str = ""
    """The maintenance windows of its host that its timeline says are open, as a JSON list; empty for none."""


class TicketWatcher(SQLModel, table=True):
    """Who watches a ticket (`desk/watching.py`)."""

    __tablename__ = "ticket_watcher"
    ticket_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
    person_id: int = Field(foreign_key="person.id", primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    since_ms: int = Field(sa_type=Millis)


class TicketAlert(SQLModel, table=True):
    """Which alerts a ticket is about."""

    __tablename__ = "ticket_alert"
    # An alert's newest ticket is its last entry: one that has had a thousand is asked as fast as one with one.
    __table_args__ = (
        Index("ticket_alert_newest", "alert_id", "ticket_id"),
        partial_index("ticket_alert_gathered", "trouble", where=_GATHERED),
    )
    ticket_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
    alert_id: int = Field(foreign_key="alert.id", primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    via_id: int | None = Field(default=None, foreign_key="ticket.id", sa_type=RowId)
    """The ticket that was merged into this one and through which it is here."""
    cut_off: bool = False
    """It is here because its host cannot be reached past this ticket's, which may have ended without it."""
    trouble: str | None = None
    """The key by which it would have a ticket of its own; only where it is on the ticket of a storm instead."""
    heard_id: int | None = Field(default=None, sa_type=RowId)
    """The last transition that such a ticket has been told of it, counted among others."""


class TicketLinkRow(SQLModel, table=True):
    """That two tickets of a client have to do with each other; `relates` has the smaller id first."""

    __tablename__ = "ticket_link"
    __table_args__ = (Index("ticket_link_other", "other_id"),)
    ticket_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
    kind: LinkKind = Field(primary_key=True, sa_type=word(LinkKind))
    other_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
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


class TeamRow(SQLModel, table=True):
    """People of the provider who share tickets."""

    __tablename__ = "team"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    slug: str = Field(unique=True)
    """What `routing` and the OLAs of contracts call it."""
    name: str
    mail: str = ""
    assign: TeamAssign = Field(default=TeamAssign.NONE, sa_type=word(TeamAssign))
    created_ms: int = Field(sa_type=Millis)


class TeamMemberRow(SQLModel, table=True):
    """Somebody's time in a team; who comes back has another row."""

    __tablename__ = "team_member"
    __table_args__ = (
        partial_index("team_member_now", "team_id", "person_id", unique=True, where="until_ms IS NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    team_id: int = Field(foreign_key="team.id", sa_type=RowId)
    person_id: int = Field(foreign_key="person.id", index=True, sa_type=RowId)
    lead: bool = False
    since_ms: int = Field(sa_type=Millis)
    until_ms: int | None = Field(default=None, sa_type=Millis)
    away_until_ms: int | None = Field(default=None, sa_type=Millis)
    """Out of office: until then no ticket is given to them by itself."""
    most_open: int | None = None
    """With so many open tickets they are given no other by itself."""
    given_ms: int | None = Field(default=None, sa_type=Millis)
    """When a ticket was given to them by itself last."""


class ContractDocument(SQLModel, table=True):
    """A contract that is kept in the database, as it was written at a time; never changed, never removed."""

    __tablename__ = "contract_document"
    __table_args__ = (UniqueConstraint("contract", "version"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    contract: str
    """The contract's id; its newest version counts."""
    version: int
    text: str
    """As in a contract's file."""
    author: str
    at_ms: int = Field(sa_type=Millis)


class ToldThreshold(SQLModel, table=True):
    """A threshold of a ticket's clock that was passed and is told of, or was passed over for a later one: once.

    A clock is the one of an agreement and kind that was promised by an event of `sla/events.py`, in its round.
    """

    __tablename__ = "told_threshold"
    ticket_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
    agreement: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    assigned_by: int = Field(primary_key=True, sa_type=RowId)
    round: int = Field(primary_key=True)
    threshold: str = Field(primary_key=True)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    passed_ms: int = Field(sa_type=Millis)
    told_ms: int = Field(sa_type=Millis)


class TicketText(SQLModel, table=True):
    """The words by which a ticket is found, as one line (`words.py`). Its indexes are the databases' own."""

    __tablename__ = "ticket_text"
    ticket_id: int = Field(foreign_key="ticket.id", primary_key=True, sa_type=RowId)
    words: str


class NoticeRow(SQLModel, table=True):
    """Something that somebody is to be told of an event, once; how it goes out is `desk/outbox.py`'s."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("event_id", "channel", "recipient"),
        partial_index("notice_waiting", "next_ms", where=_WAITING_NOTICE),
        partial_index("notice_of_recipient", "recipient", "channel", "tried_ms", where=_TRIED_NOTICE),
        Index("notice_message", "message"),
        Index("notice_made", "made_ms"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    ticket_id: int = Field(foreign_key="ticket.id", sa_type=RowId)
    event_id: int = Field(foreign_key="ticket_event.id", sa_type=RowId)
    channel: NoticeChannel = Field(sa_type=word(NoticeChannel))
    recipient: str
    subject: str
    text: str
    decided: str
    """The row of a decision table that said so."""
    made_ms: int = Field(sa_type=Millis)
    state: NoticeState = Field(sa_type=word(NoticeState))
    next_ms: int = Field(sa_type=Millis)
    """When it is tried next, while it waits."""
    message: str = ""
    """The mail that it goes out with, once it was tried; several may share one."""
    attempts: int = 0
    tried_ms: int | None = Field(default=None, sa_type=Millis)
    sent_ms: int | None = Field(default=None, sa_type=Millis)
    reason: str = ""
    """What the mail server said last, where it did not take it."""


class OutboxPlace(SQLModel, table=True):
    """Up to which event of timelines notices are written: one row."""

    __tablename__ = "outbox_place"
    id: int = Field(sa_column=Column(RowId, primary_key=True, autoincrement=False))
    event_id: int = Field(sa_type=RowId)


TICKETS = Ticket.metadata.tables["ticket"]
WATCHERS = Ticket.metadata.tables["ticket_watcher"]
TICKET_ALERTS = Ticket.metadata.tables["ticket_alert"]
LINKS = Ticket.metadata.tables["ticket_link"]
EVENTS = Ticket.metadata.tables["ticket_event"]
TOLD = Ticket.metadata.tables["told_threshold"]
TEXTS = Ticket.metadata.tables["ticket_text"]
NOTICES = Ticket.metadata.tables["notice"]
OUTBOX_PLACE = Ticket.metadata.tables["outbox_place"]

IS_OPEN: ColumnElement[bool] = literal_column("ticket." + _OPEN)
IS_OVER: ColumnElement[bool] = literal_column("ticket.state IN ('solved', 'closed')")
IS_NO_INCIDENT: ColumnElement[bool] = literal_column(f"ticket.{_NO_INCIDENT}")
IS_WAKING: ColumnElement[bool] = literal_column(f"ticket.{_WAKING}")
IS_CLOSING: ColumnElement[bool] = literal_column(f"ticket.{_CLOSING}")
IS_TELLING: ColumnElement[bool] = literal_column(f"ticket.{_TELLING}")
IS_WAITING_NOTICE: ColumnElement[bool] = literal_column(f"notice.{_WAITING_NOTICE}")
IS_MERGED: ColumnElement[bool] = literal_column(f"ticket.{_MERGED}")
IS_KEYED: ColumnElement[bool] = literal_column(f"ticket.{_KEYED}")
IS_GATHERED: ColumnElement[bool] = literal_column(f"ticket_alert.{_GATHERED}")
IS_IN_MAINTENANCE: ColumnElement[bool] = literal_column(f"ticket.{_IN_MAINTENANCE}")
IS_RECOVERING: ColumnElement[bool] = literal_column(
    f"ticket.{_OPEN} AND ticket.recovered_ms IS NOT NULL AND NOT ticket.confirm"
)
