"""What is done to tickets: the body of each act."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from tocsin_protocol.messages import Message, Question
from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import LinkKind

MAX_BULK = 200
"""How many tickets one request may be about."""


class NewTicket(Question, frozen=True, kw_only=True):
    client: str
    title: str
    text: str = ""
    host_id: int | None = None
    priority: int = 3
    requester: str | None = None
    """Who asks for it: the address of one of the client's."""


class Change(Question, frozen=True, kw_only=True):
    version: int | None = None


class NewComment(Question, frozen=True, kw_only=True):
    text: str
    public: bool = False
    """Whether it is for who asked, and not among technicians."""
    version: int | None = None


class Resolution(Question, frozen=True, kw_only=True):
    text: str = ""
    """What was wrong and what was done."""
    children: bool = False
    """Whether all that are open below it are solved as well; if one cannot be, none is."""
    version: int | None = None


class Link(Question, frozen=True, kw_only=True):
    """What another ticket of the client is to this one. Of both a version may be named."""

    kind: LinkKind
    other: int
    version: int | None = None
    other_version: int | None = None


class Merge(Question, frozen=True, kw_only=True):
    """Which open ticket of the client it is part of from now on. Of both a version may be named."""

    into: int
    version: int | None = None
    into_version: int | None = None


class Unmerge(Question, frozen=True, kw_only=True):
    """It is a ticket of its own again. Of both a version may be named."""

    version: int | None = None
    into_version: int | None = None


class Wait(Question, frozen=True, kw_only=True):
    """What a ticket is to wait for, and until when at most."""

    reason: str
    until: datetime | None = None
    text: str = ""
    version: int | None = None


class Prioritisation(Question, frozen=True, kw_only=True):
    """How urgent a ticket is: `impact` and `urgency`, of which a table makes the priority, or a priority."""

    impact: str = ""
    urgency: str = ""
    priority: int | None = None
    text: str = ""
    """Why; a priority that no table has reckoned needs it."""
    version: int | None = None


class Acknowledgement(Question, frozen=True, kw_only=True):
    version: int | None = None
    text: str = ""


class BulkTicket(Question, frozen=True, kw_only=True):
    id: int
    version: int | None = None


class BulkAct(Question, frozen=True, kw_only=True):
    """One act on several tickets, with the fields that it has on one; a field of another act is refused."""

    act: Literal["take", "release", "wait", "resume", "comment", "acknowledge", "resolve", "close"]
    tickets: Annotated[list[BulkTicket], Meta(min_length=1, max_length=MAX_BULK)]
    text: str = ""
    public: bool = False
    reason: str = ""
    until: datetime | None = None


class BulkResult(Message, frozen=True, kw_only=True):
    """What has come of one of them: its version now, or why nothing was done."""

    id: int
    status: int
    """As the act on it alone would have answered."""
    version: int | None = None
    problem: Problem | None = None


class BulkAnswer(Message, frozen=True, kw_only=True):
    results: list[BulkResult]
    """In the order in which they were asked for."""
