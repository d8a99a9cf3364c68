"""Teams as the server tells of them, and how a ticket is given to one."""

from datetime import datetime

from tocsin_protocol.messages import Message, Question
from tocsin_protocol.vocabulary import TeamAssign


class TeamMember(Message, frozen=True, kw_only=True):
    """Somebody in a team."""

    login: str
    name: str
    lead: bool
    since: datetime
    away_until: datetime | None
    """Out of office: until then no ticket is given to them by itself."""
    most_open: int | None
    """With so many open tickets they are given no other by itself."""


class Team(Message, frozen=True, kw_only=True):
    """People of the provider who share tickets; the slug stands in the rows of tickets."""

    slug: str
    name: str
    mail: str
    assign: TeamAssign
    """Who of it gets a ticket that is routed to it."""
    members: list[TeamMember]
    """Leads first."""


class TeamPage(Message, frozen=True, kw_only=True):
    teams: list[Team]


class Assign(Question, frozen=True, kw_only=True):
    """To whom a ticket is given: a team, a person of it (or of the one that has it), or a supplier."""

    team: str | None = None
    person: str | None = None
    supplier: str | None = None
    text: str = ""
    version: int | None = None
