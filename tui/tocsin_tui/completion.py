"""What a filter's next word can be, and which of its words mean nothing that is here. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple

from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import AlertState, Severity, TicketKind, TicketState
from tocsin_tui.filters import is_due_word, key_of

Known = Callable[[str], Collection[str]]
"""The values that a key has here; none where it can have any."""

MOST = 8
"""How many completions are worth a look."""
FIRST = ("team", "kind", "priority", "due", "client", "state", "owner")
"""The keys that are asked for most."""
WORDS: Mapping[str, Collection[str]] = {
    "kind": [kind.value for kind in TicketKind],
    "state": [state.value for state in TicketState],
    "p": ["1", "2", "3", "4"],
    "sev": [severity.value for severity in Severity],
    "alert": [state.value for state in AlertState],
    "due": ["late", "1h", "4h", "1d", "paused", "none"],
}
"""The values of a ticket's keys that have few."""
_ATTRIBUTES = {"client": "client", "site": "site", "owner": "owner", "team": "team", "waits": "waits_for"}
_SPECIAL: Mapping[str, Collection[str]] = {"owner": ("me", "none"), "team": ("none",), "author": ("me",)}


class Hint(NamedTuple):
    """What is said while a filter is typed."""

    completions: list[str]
    """What the last word can become, the likeliest first."""
    doubt: str = ""
    """Which word means nothing that is here, and what is near it."""
    plain: str = ""
    """What is looked for as text."""


def of_tickets(key: str, rows: Iterable[TicketRow]) -> Collection[str]:
    """The values of a key among tickets."""
    if key in WORDS:
        return WORDS[key]
    if key not in _ATTRIBUTES:
        return ()
    return sorted({value for value in map(_reader(_ATTRIBUTES[key]), rows) if value})


def hint(text: str, keys: frozenset[str], known: Known) -> Hint:
    """What to say of a filter that is being typed; the last word may be on its way."""
    known = cache(known)  # each key's values are many tickets' to look through
    *before, last = text.casefold().split(" ")
    doubts = filter(None, (_doubt(word, keys, known) for word in [*before, last]))
    plain = " ".join(word for word in [*before, last] if word and not key_of(word, keys))
    return Hint(_completions(last, keys, known), next(doubts, ""), plain)


def completed(text: str, word: str) -> str:
    """The text with its last word become another; after a value the next word can begin."""
    before, space, _ = text.rpartition(" ")
    return f"{before}{space}{word}{'' if word.endswith(':') else ' '}"


def _completions(word: str, keys: frozenset[str], known: Known) -> list[str]:
    turned = "-" if word.startswith("-") else ""
    bare = word.removeprefix("-")
    typed, colon, value = bare.partition(":")
    key = key_of(word, keys)
    if not colon:
        names = [name for name in (*FIRST, *sorted(keys)) if key_of(f"{name}:", keys) and name.startswith(bare)]
        return [f"{turned}{name}:" for name in dict.fromkeys(names)][:MOST]
    if not key:
        return []
    values = [*_SPECIAL.get(key, ()), *known(key)]
    fit = [each for each in values if each.casefold().startswith(value) and " " not in each]
    return [f"{turned}{typed}:{each}" for each in dict.fromkeys(fit) if each.casefold() != value][:MOST]


def _doubt(word: str, keys: frozenset[str], known: Known) -> str:
    typed, colon, value = word.removeprefix("-").partition(":")
    if not colon or not typed:
        return ""
    key = key_of(word, keys)
    if not key:
        near = get_close_matches(typed, [*FIRST, *keys], n=1)
        return f"{typed}: is no key, it is looked for as text" + (f" · {near[0]}: is one" if near else "")
    if not value or _is_known(key, value, known(key)):
        return ""
    near = get_close_matches(value, [each.casefold() for each in known(key)], n=1, cutoff=0.5)
    return f"{typed}:{value} is nothing that is here" + (f" · {typed}:{near[0]} is near" if near else "")


def _is_known(key: str, value: str, values: Collection[str]) -> bool:
    if key == "due":
        return value.isdecimal() or is_due_word(value)
    if not values or value in _SPECIAL.get(key, ()):
        return True
    return any(value in each.casefold() for each in values)


def _reader(attribute: str) -> Callable[[TicketRow], str | None]:
    return lambda row: getattr(row, attribute)
