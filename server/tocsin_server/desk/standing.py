"""A ticket as it stands, who has to do with it, and what a line of its timeline tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import (
    CLIENT_ROLES,
    OPEN_TICKET_STATES,
    ActorKind,
    AlertState,
    TicketEventKind,
    TicketState,
)
from tocsin_server.desk.ruling import DEFAULT_PRIORITY
from tocsin_server.errors import Unprocessable

PRIORITIES = range(1, 5)
"""1 is the most urgent."""

ALARMING = frozenset({AlertState.FIRING, AlertState.UNKNOWN})
"""States of an alert in which its trouble may still be there."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something to a ticket."""

    kind: ActorKind
    name: str


TOCSIN = Actor(ActorKind.SYSTEM, "tocsin")


@dataclass(frozen=True, slots=True)
class Technician:
    """A person, as far as a ticket knows people."""

    id: int
    login: str
    kind: ActorKind = ActorKind.PERSON
    """`client` for one of the client's own people, who may say something and never owns a ticket."""

    @property
    def actor(self) -> Actor:
        return Actor(self.kind, self.login)


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket as it stands. It has no id before it is in the database."""

    id: int | None = None
    state: TicketState = TicketState.NEW
    priority: int = DEFAULT_PRIORITY
    severity: str = ""
    owner: Technician | None = None
    version: int = 1
    human: bool = False
    confirm: bool = False
    recovered_ms: int | None = None
    updated_ms: int = 0
    solved_ms: int | None = None
    impact: str = ""
    urgency: str = ""
    team: str = ""
    """Whose it is: what `routing` has said, or who has been assigned."""
    supplier: str = ""
    """Whom the team has given it to, as the contract names them."""
    waits_for: str = ""
    """What a pending ticket waits for."""
    wakes_ms: int | None = None
    """When it is to be gone on with, whatever has come."""
    closes_ms: int | None = None
    """When a solved ticket closes by itself; nothing where it does not."""
    merged_into: int | None = None
    """The ticket that it is part of, where it is."""
    parent_id: int | None = None
    windows: tuple[str, ...] = ()
    """The maintenance windows of its host that hold, as far as it was told."""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_TICKET_STATES


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline; `data` is evidence, and what is `public` is a word to who asked."""

    at_ms: int
    kind: TicketEventKind
    actor: Actor
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    public: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What has come of an act."""

    standing: Standing
    entry: Entry


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who has a ticket once it is assigned; `data` is what of that was asked for."""

    team: str
    owner: Technician | None
    supplier: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an alert has to say: its severity, its words, and what they rest on."""

    rule: str
    severity: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.RULE, self.rule)


def technician(person: Person) -> Technician:
    """The person as a ticket knows them: one of the client's own, or the provider's."""
    kind = ActorKind.CLIENT if person.role in CLIENT_ROLES else ActorKind.PERSON
    return Technician(person.id, person.login, kind)


def known_priority(number: int) -> int:
    """The same; raises `Unprocessable` where it is none."""
    if number not in PRIORITIES:
        raise Unprocessable(f"priority {number} does not exist", remedy="choose 1 to 4, 1 is the most urgent")
    return number


def changed(now: Standing, entry: Entry) -> Change:
    """Evaluations may be told late, so `updated_ms` is never set back."""
    updated_ms = max(now.updated_ms, entry.at_ms)
    return Change(replace(now, version=now.version + 1, updated_ms=updated_ms), entry)
