"""Small random worlds of alerts, inhibition rules and silences, and what withholds the alerts with us.

A few labels of a few values, so that much matches. Many worlds fit into one server: a label keeps them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import yaml

from tocsin_protocol.vocabulary import SilenceState, SuppressionKind
from tocsin_server.alerts.inhibition import InhibitionRule, inhibited
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silences import Silence, Wish, expired, silenced
from tocsin_server.alerts.suppression import Circumstances, Subject, reasons
from tocsin_server.alerts.suppressionfile import read_suppressions
from tocsin_server.series.matchers import Matcher, MatchKind

HOUR_MS = 3_600_000

NAMES = ("a", "b", "c", "_d1")
VALUES = ("", "", "1", "2", "12", "X", "x", "ü", "a b", 'q"q', "back\\slash", "{,}", "=~")
KINDS = tuple(MatchKind)

_CLIENT = 1
_ATOMS = ("1", "2", "x", "X", "ü", ".", "[12]", "[^1]", r"\d", r"\W", r"\\", "", '"', "^", "$", r"\b", r"\pL")
_TIMES = ("", "", "", "*", "+", "?", "{1,2}", "{0}", "*?", "**")
_FLAGS = ("?:", "?i:", "?-s:", "", "?U:", "?m:")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What withholds one alert: the silences by their numbers, and whether another alert does."""

    silences: frozenset[int]
    is_inhibited: bool


@dataclass(frozen=True, slots=True)
class Hush:
    """A silence of a world, and what has become of it."""

    matchers: tuple[Matcher, ...]
    text: str
    """The matchers as somebody has written them."""
    state: SilenceState


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Alerts by name, with what may withhold them."""

    name: str
    alerts: dict[str, dict[str, str]]
    rules: list[dict[str, list[str]]]
    """Inhibition rules as they stand in a file of Alertmanager's."""
    hushes: list[Hush]

    def verdicts(self, now_ms: int) -> dict[str, Verdict]:
        """Ours, by the alert's name."""
        firing = {(_CLIENT, name): labels for name, labels in self.alerts.items()}
        around = Circumstances(
            now_ms,
            silences=[_silence(number, each, now_ms) for number, each in enumerate(self.hushes)],
            inhibitions=inhibited(self._our_rules(), firing),
        )
        return {
            name: _verdict(Subject((_CLIENT, name), labels, Place("acme", "main", "atlas")), around)
            for name, labels in self.alerts.items()
        }

    def _our_rules(self) -> tuple[InhibitionRule, ...]:
        """Of the same texts; ours have names."""
        named = [{"name": str(number), **rule} for number, rule in enumerate(self.rules)]
        text = yaml.safe_dump({"inhibit_rules": named}, allow_unicode=True)
        return read_suppressions({"rules.yml": text}).rules


def world(name: str, luck: Random) -> World:
    """A new one."""
    home = Matcher("world", MatchKind.EQUAL, name)
    return World(
        name,
        {f"alert {number}": _labels(f"alert {number}", name, luck) for number in range(luck.randint(4, 12))},
        [_rule(home, luck) for _ in range(luck.randint(1, 4))],
        [_hush(home, luck) for _ in range(luck.randint(1, 4))],
    )


def matcher(luck: Random) -> Matcher:
    """One that both take."""
    kind, name = luck.choice(KINDS), luck.choice(NAMES)
    value = luck.choice(VALUES)
    if kind in (MatchKind.REGEX, MatchKind.NOT_REGEX):
        value = next(each for each in _patterns(luck) if _compiles(each))
    return Matcher(name, kind, value)


def pattern(luck: Random, deep: int = 2) -> str:
    """A regular expression, good or bad."""
    branches = [
        "".join(_piece(luck, deep) for _ in range(luck.randint(1, 3))) for _ in range(luck.randint(1, 2))
    ]
    return "|".join(branches)


def written(matchers: list[Matcher], luck: Random) -> str:
    """A text of matchers in the grammar that old and new Alertmanagers share."""
    items = [item(each, luck) for each in matchers]
    text = ",".join(items) + luck.choice(["", "", ","] if items else [""])
    return "{" + text + "}" if luck.random() < 0.3 else text


def item(each: Matcher, luck: Random) -> str:
    """One of them, with blanks here and there."""
    around = [luck.choice(["", "", "", " ", "\t "]) for _ in range(4)]
    return f"{around[0]}{each.name}{around[1]}{each.kind}{around[2]}{_value(each.value, luck)}{around[3]}"


def _labels(name: str, home: str, luck: Random) -> dict[str, str]:
    own = {label: luck.choice(VALUES) for label in NAMES if luck.random() < 0.6}
    return {"alertname": name, "world": home, **own}


def _rule(home: Matcher, luck: Random) -> dict[str, list[str]]:
    return {
        "source_matchers": _entries(home, luck),
        "target_matchers": _entries(home, luck),
        "equal": [name for name in (*NAMES, "nowhere") if luck.random() < 0.25],
    }


def _entries(home: Matcher, luck: Random) -> list[str]:
    """Entries of a list, some with several matchers."""
    wanted = [home, *(matcher(luck) for _ in range(luck.choice([0, 1, 1, 1, 2])))]
    luck.shuffle(wanted)
    cut = luck.randint(0, len(wanted))
    return [written(part, luck) for part in (wanted[:cut], wanted[cut:]) if part]


def _hush(home: Matcher, luck: Random) -> Hush:
    wanted = [home, *(matcher(luck) for _ in range(luck.choice([0, 1, 1, 2, 2, 3])))]
    luck.shuffle(wanted)
    state = luck.choice([SilenceState.ACTIVE] * 4 + list(SilenceState))
    return Hush(tuple(wanted), written(wanted, luck), state)


def _value(value: str, luck: Random) -> str:
    if value.isalnum() and luck.random() < 0.4:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _patterns(luck: Random) -> Iterator[str]:
    while True:
        yield pattern(luck)


def _piece(luck: Random, deep: int) -> str:
    atom = luck.choice(_ATOMS)
    if deep and luck.random() < 0.25:
        atom = f"({luck.choice(_FLAGS)}{pattern(luck, deep - 1)})"
    return atom + luck.choice(_TIMES)


def _compiles(text: str) -> bool:
    try:
        parse_matchers(f"a=~{_value(text, Random(0))}")
    except ValueError:
        return False
    return True


def _silence(number: int, hush: Hush, now_ms: int) -> Silence:
    later = HOUR_MS if hush.state is SilenceState.PENDING else 0
    wish = Wish(_CLIENT, parse_matchers(hush.text), now_ms + later, now_ms + 2 * HOUR_MS, "ann")
    made = silenced(wish, new_id=number, now_ms=now_ms)
    return expired(made, now_ms) if hush.state is SilenceState.EXPIRED else made


def _verdict(subject: Subject, around: Circumstances) -> Verdict:
    found = reasons(subject, around)
    return Verdict(
        frozenset(int(each.name) for each in found if each.kind is SuppressionKind.SILENCE),
        any(each.kind is SuppressionKind.INHIBITED for each in found),
    )
