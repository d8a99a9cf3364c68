"""What a technician types after `/`, as a question about a row.

Words are looked for in what the row shows; `key:value` asks one field; a leading `-` turns either around. All
must hold: `client:acme p:1 -owner:bob disk`. A key that nobody has is a word like any other, so `eth0:1`
finds `eth0:1`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin_protocol.alerts import Alert
from tocsin_protocol.hosts import HostRow
from tocsin_protocol.silences import Silence
from tocsin_protocol.tickets import TicketRow
from tocsin_tui.silence import length_of

NOBODY = frozenset({"none", "nobody", "-", "--"})
PAUSED = "paused"
_LATE = "late"


def ticket_fields(row: TicketRow, now: datetime) -> dict[str, str]:
    """What a filter can ask of a ticket, by key; `due` is in how many seconds."""
    return {
        "id": f"#{row.id}",
        "kind": row.kind.value,
        "client": row.client,
        "site": row.site,
        "host": row.host or "",
        "owner": row.owner or "",
        "p": str(row.priority),
        "state": row.state.value,
        "sev": row.severity.value if row.severity else "",
        "alert": row.alert_state.value if row.alert_state else "",
        "team": row.team,
        "waits": row.waits_for,
        "title": row.title,
        "due": _due(row, now),
    }


def _due(row: TicketRow, now: datetime) -> str:
    if row.due_at is None:
        return PAUSED if row.due_state == PAUSED else ""
    return str(int((row.due_at - now).total_seconds()))


def host_fields(row: HostRow) -> dict[str, str]:
    """What a filter can ask of a host, by key."""
    return {
        "host": row.name,
        "client": row.client,
        "site": row.site,
        "state": row.state.value,
        "kind": row.kind.value,
        "job": row.job,
        "os": row.os,
        "p": str(row.worst_priority or ""),
    }


def alert_fields(alert: Alert) -> dict[str, str]:
    """What a filter can ask of an alert, by key; `why` is why nobody is told of it."""
    reasons = [f"withheld: {each.kind.value} {each.words}" for each in alert.suppressed]
    known = [f"acknowledged by {alert.acknowledged_by}"] if alert.acknowledged_by else []
    return {
        "state": alert.state.value,
        "sev": alert.severity.value if alert.severity else "",
        "client": alert.client,
        "host": alert.host or "",
        "alert": alert.alertname,
        "ticket": f"#{alert.ticket_id}" if alert.ticket_id is not None else "",
        "why": " ".join([*reasons, *known]),
        "label": " ".join(alert.labels.values()),
    }


def silence_fields(silence: Silence) -> dict[str, str]:
    """What a filter can ask of a silence, by key."""
    return {
        "id": f"#{silence.id}",
        "state": silence.state.value,
        "client": "all" if silence.client is None else silence.client,
        "author": silence.author,
        "comment": silence.comment,
        "matchers": silence.matchers,
    }


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter. `text` is what was typed; an empty one lets everything through."""

    text: str = ""
    words: tuple[str, ...] = ()
    """What is looked for as words: the server can look for them in what a row does not show."""
    _tests: tuple[Callable[[Mapping[str, str]], bool], ...] = field(default=(), compare=False)
    """Those of the words, then the others."""

    def __bool__(self) -> bool:
        return bool(self._tests)

    @property
    def parts(self) -> list[str]:
        """What was typed, each of which narrows."""
        return self.text.split()

    @property
    def is_timed(self) -> bool:
        """Whether what passes changes as time passes."""
        return any(key_of(part, TICKET_KEYS) == "due" for part in self.text.casefold().split())

    def admits(self, fields: Mapping[str, str], *, has_words: bool = False) -> bool:
        """Whether a row with these fields passes; `has_words` where the server has found the words in it."""
        tests = self._tests[len(self.words) :] if has_words else self._tests
        return all(test(fields) for test in tests)


def parse_filter(text: str, *, keys: frozenset[str], me: str) -> Filter:
    """The filter for what was typed; `owner:me` and `author:me` mean `me`."""
    typed = text.casefold().split()
    plain = [word for word in typed if _is_plain(word, keys)]
    others = [word for word in typed if not _is_plain(word, keys)]
    return Filter(text.strip(), tuple(plain), tuple(_test(word, keys, me) for word in [*plain, *others]))


def key_of(word: str, keys: frozenset[str]) -> str:
    """The key of `key:value`, turned around or not; empty where the word has none of these."""
    key, colon, _ = word.removeprefix("-").partition(":")
    key = _LONG_FOR.get(key, key)
    return key if colon and key in keys else ""


def is_due_word(value: str) -> bool:
    """Whether it says when something is due: `late`, `paused`, `none`, or within how long."""
    return (
        value in NOBODY
        or (bool(value) and (_LATE.startswith(value) or PAUSED.startswith(value)))
        or (_within(value) is not None)
    )


TICKET_KEYS = frozenset(
    {
        "id", "kind", "client", "site", "host", "owner", "p", "state", "sev", "alert", "team", "waits", "title",
        "due",
    }
)  # fmt: skip
HOST_KEYS = frozenset({"host", "client", "site", "state", "kind", "job", "os", "p"})
ALERT_KEYS = frozenset({"state", "sev", "client", "host", "alert", "ticket", "why", "label"})
SILENCE_KEYS = frozenset({"id", "state", "client", "author", "comment", "matchers"})
FREE = frozenset({"id", "title", "ticket", "why", "label", "comment", "matchers"})
"""Keys whose values are no words of a kind."""
_LONG_FOR: Mapping[str, str] = {"priority": "p", "severity": "sev"}
_OPEN_HANDS = frozenset({"owner", "ticket", "why", "due", "team"})
"""Keys of which one may ask for those that have none."""


def _is_plain(word: str, keys: frozenset[str]) -> bool:
    """Whether it is a word that is to be there."""
    return not key_of(word, keys) and not (word.startswith("-") and len(word) > 1)


def _test(word: str, keys: frozenset[str], me: str) -> Callable[[Mapping[str, str]], bool]:
    wanted = not (word.startswith("-") and len(word) > 1)
    bare = word if wanted else word[1:]
    key, value = key_of(bare, keys), bare.partition(":")[2]
    if not key:
        return lambda fields: (bare in haystack(fields)) is wanted
    if key in {"owner", "author"} and value == "me":
        return lambda fields: (fields[key] == me) is wanted
    if key in _OPEN_HANDS and value in NOBODY:
        return lambda fields: (fields[key] == "") is wanted
    if key == "due":
        return lambda fields: _is_due(fields[key], value) is wanted
    if key in {"p", "state"}:
        return lambda fields: fields[key].casefold().startswith(value) is wanted
    return lambda fields: (value in fields[key].casefold()) is wanted


def _is_due(due: str, value: str) -> bool:
    """Whether what is due in `due` seconds is `late`, `paused`, or due within a time such as `4h`."""
    if not value or value.isdecimal():  # on the way to a time, nothing is hidden
        return True
    if not due or due == PAUSED:
        return due == PAUSED and PAUSED.startswith(value)
    if _LATE.startswith(value):
        return int(due) < 0
    within = _within(value)
    return within is not None and int(due) <= within.total_seconds()


def _within(value: str) -> timedelta | None:
    try:
        return length_of(value)
    except (ValueError, OverflowError):
        return None


def haystack(fields: Mapping[str, str]) -> str:
    """Where words are looked for: everything that the row says."""
    said = {**fields}
    said.pop("due", None)  # in seconds, which no row says; each key that is typed asks this of all rows
    return " ".join(said.values()).casefold()
