"""A silence as a technician asks for it: which alerts, for how long. Pure."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_protocol.alerts import Alert
from tocsin_protocol.silences import NewSilence, Silence
from tocsin_protocol.vocabulary import SilenceState

USUAL = "1h"
"""How long, or how much longer, where nothing else is said."""

_FIRST = ("alertname", "instance")
_NO_IDENTITY = frozenset({"severity", "client"})
"""What an alert is of, not what it is: the client is said apart, and the severity may change."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LENGTH = re.compile(r"(?:(\d{1,4})d)?\s*(?:(\d{1,4})h)?\s*(?:(\d{1,5})m)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A silence as the form is filled in with it."""

    title: str
    about: str
    name: str
    """Under which what is typed is kept."""
    verb: str
    client: str | None
    """Whose alerts; nothing for all clients'."""
    matchers: str
    length: str = USUAL
    comment: str = ""
    id: int | None = None
    """Of the silence that is changed."""
    starts_at: datetime | None = None
    """From when the length counts, where that is still to come."""

    def ends_at(self, length: str, now: datetime) -> datetime:
        """The end after so long; raises `ValueError` where that is no length of time."""
        return max(now, self.starts_at or now) + length_of(length)

    def wish(self, *, matchers: str, length: str, comment: str, now: datetime) -> NewSilence:
        """What is asked of the server for what is typed now; raises `ValueError` likewise."""
        return NewSilence(
            matchers=matchers.replace("\n", " ").strip(),
            ends_at=self.ends_at(length, now),
            client=self.client,
            comment=comment.strip(),
            id=self.id,
        )


def like(alert: Alert) -> Proposal:
    """A silence of this alert and those like it."""
    return Proposal(
        title=f"Silence {alert.alertname} of {alert.client}",
        about="these ring no more for some time",
        name=f"silence {alert.id}",
        verb="silences",
        client=alert.client,
        matchers=matchers_of(alert, comma=", "),
    )


def longer(silence: Silence, now: datetime) -> Proposal:
    """The same silence an hour longer; once it is over, for another hour."""
    is_over = state_at(silence, now) is SilenceState.EXPIRED
    left = timedelta(0) if is_over else silence.ends_at - max(now, silence.starts_at)
    return Proposal(
        title=f"Silence {silence.id} again" if is_over else f"Extend silence {silence.id}",
        about=f"for {whose(silence)}, by you from then on",
        name=f"extend {silence.id}",
        verb="silences" if is_over else "extends",
        client=silence.client,
        matchers=silence.matchers,
        length=spelled(left + length_of(USUAL)),
        comment=" ".join(silence.comment.split()),
        id=silence.id,
        starts_at=silence.starts_at,
    )


def whose(silence: Silence) -> str:
    """Whose alerts it is about, in words."""
    return "all clients" if silence.client is None else silence.client


def state_at(silence: Silence, now: datetime) -> SilenceState:
    """Where it stands now; the answer it came with may be seconds old."""
    if silence.state is SilenceState.EXPIRED or now >= silence.ends_at:
        return SilenceState.EXPIRED
    return SilenceState.PENDING if now < silence.starts_at else SilenceState.ACTIVE


def spelled(length: timedelta) -> str:
    """A length as `length_of` reads it, to the next minute: `1d 2h 30m`; at most 9999 days."""
    minutes = min(-(-length // timedelta(minutes=1)), 9999 * 24 * 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    return " ".join(f"{part}{unit}" for part, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if part)


def matchers_of(alert: Alert, *, comma: str = ",") -> str:
    """What matches this alert and those like it, as Alertmanager writes it: `{alertname="DiskFull"}`."""
    labels = {"alertname": alert.alertname} | alert.labels
    names = [name for name in labels if labels[name] and name not in _NO_IDENTITY]
    names.sort(key=lambda name: (name not in _FIRST, name))
    return "{" + comma.join(f"{_name(name)}={_quoted(labels[name])}" for name in names) + "}"


def length_of(text: str) -> timedelta:
    """How long `30m`, `4h`, `2d` or `1d 12h` is; raises `ValueError` for anything else, no time among it."""
    found = _LENGTH.fullmatch(text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not length:
        raise ValueError(f"{text.strip() or 'nothing'} is no time such as 30m, 4h or 2d")
    return length


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
