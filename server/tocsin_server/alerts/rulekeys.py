"""What a rule is known by for ever, wherever it stands in its file: its alerts go on under its key.

file/group/name            where the name is its own
file/group/name#9c41d07e   where others have it too: what its labels say
file/group/name#…#5be0112a where their labels are the same as well: what it asks and how long it waits
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import count

from tocsin_server.alerts.rules import AlertingRule, Group, Rule


def with_own_keys(groups: Sequence[Group]) -> Iterator[Group]:
    """The groups with a key for each rule that no other has, made of the key that its place gives it."""
    keys = iter(_own_keys([rule for group in groups for rule in group.rules]))
    for group in groups:
        yield replace(group, rules=tuple(replace(rule, key=next(keys)) for rule in group.rules))


def _own_keys(rules: Sequence[Rule]) -> Iterator[str]:
    keys = [rule.key for rule in rules]
    for marks in (map(_labels, rules), map(_terms, rules)):
        keys = _told_apart(keys, marks)
    return _numbered(keys)


def _told_apart(keys: Sequence[str], marks: Iterable[str]) -> list[str]:
    """The keys, those that stand several times with a mark behind them."""
    times = Counter(keys)
    return [key if times[key] == 1 else f"{key}#{mark}" for key, mark in zip(keys, marks, strict=True)]


def _numbered(keys: Iterable[str]) -> Iterator[str]:
    """Rules that are the same in everything are told apart by their order, which makes no difference."""
    taken: set[str] = set()
    for key in keys:
        numbers = count(2)
        own = key
        while own in taken:
            own = f"{key}#{next(numbers)}"
        taken.add(own)
        yield own


def _labels(rule: Rule) -> str:
    return _digest(f"{name}={text}" for name, text in sorted(_label_texts(rule)))


def _label_texts(rule: Rule) -> Iterator[tuple[str, str]]:
    for name, label in rule.labels.items():
        yield name, label if isinstance(label, str) else label.text


def _terms(rule: Rule) -> str:
    waits = (rule.for_ms, rule.keep_firing_for_ms) if isinstance(rule, AlertingRule) else ()
    return _digest((" ".join(rule.expression.text.split()), *map(str, waits)))


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()
