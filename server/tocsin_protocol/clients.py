"""What a client has beside hosts: sites, and the people who ask for things."""

from tocsin_protocol.messages import Message, Question


class Site(Message, frozen=True, kw_only=True):
    """A place of the client's."""

    slug: str
    name: str


class SitePage(Message, frozen=True, kw_only=True):
    sites: list[Site]


class Requester(Message, frozen=True, kw_only=True):
    """Somebody of the client's who asks for things; the address is theirs alone."""

    name: str
    mail: str
    site: str
    """A slug; empty where it is not known."""


class RequesterPage(Message, frozen=True, kw_only=True):
    requesters: list[Requester]


class NewRequester(Question, frozen=True, kw_only=True):
    mail: str
    name: str
    site: str = ""
