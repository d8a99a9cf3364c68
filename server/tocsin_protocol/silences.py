"""Silences as the server tells of them, and how one is made."""

from datetime import datetime

from tocsin_protocol.messages import Message, Question
from tocsin_protocol.vocabulary import SilenceState


class Silence(Message, frozen=True, kw_only=True):
    """For some time nobody is woken by alerts with such labels."""

    id: int
    client: str | None
    """Whose alerts; nothing for all clients'."""
    matchers: str
    """As Alertmanager writes them: `{alertname="DiskFull",instance=~"db-.+"}`."""
    state: SilenceState
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str


class SilencePage(Message, frozen=True, kw_only=True):
    silences: list[Silence]


class NewSilence(Question, frozen=True, kw_only=True):
    """A silence to be; with the `id` of one, that one is to be so.

    Where nothing else is said it begins now, and one that has not expired keeps its start. A change of what has
    been silent so far ends the one that was and makes another: the answer says which id it has.
    """

    matchers: str
    ends_at: datetime
    client: str | None = None
    starts_at: datetime | None = None
    comment: str = ""
    id: int | None = None
