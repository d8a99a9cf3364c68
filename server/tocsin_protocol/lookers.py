"""Who looks at a ticket."""

from typing import Literal

from tocsin_protocol.messages import Message, Question


class Looking(Question, frozen=True, kw_only=True):
    """A console shows a ticket; said anew every ten seconds, it is forgotten after thirty."""

    writing: Literal["", "note", "reply"] = ""
    """What is being written on it there."""
    gone: bool = False
    """It is shown no more."""


class Looker(Message, frozen=True, kw_only=True):
    login: str
    writing: str = ""


class Lookers(Message, frozen=True, kw_only=True):
    """Who looks at a ticket, by login, whoever asks among them."""

    lookers: list[Looker]
