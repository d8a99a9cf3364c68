"""Why nobody is woken by an alert: silence, maintenance, inhibition, a dead parent, flapping.

Only deliveries are withheld. The alert is judged and recorded as ever, and carries these reasons.
`Circumstances` is made once a round from what holds then; asking it of one alert looks at what may concern that
alert only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from tocsin_protocol.vocabulary import SilenceState, SuppressionKind
from tocsin_server.alerts.alert import ALERT_NAME, Key, Reason
from tocsin_server.alerts.flapping import SLOT_MS, SLOTS, Flaps
from tocsin_server.alerts.inhibition import Inhibition
from tocsin_server.alerts.maintenance import Place, Window
from tocsin_server.alerts.silences import Silence
from tocsin_server.clock import moment
from tocsin_server.series.matchers import MatchKind, matches_all

MAX_WORDS = 200
"""Characters of what people have written that a reason repeats."""

_MOST_NAMES = 3

_Names = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Subject:
    """An alert as suppression sees it. Client, site and host are from the estate, never from labels."""

    key: Key
    labels: Mapping[str, str]
    place: Place
    host_id: int | None = None


@dataclass(frozen=True)
class Circumstances:
    """What holds at a moment, for all clients."""

    now_ms: int
    silences: Sequence[Silence] = ()
    """Those that have not begun or are over do no harm here."""
    windows: Sequence[Window] = ()
    inhibitions: Mapping[Key, Inhibition] = field(default_factory=dict)
    unreachable: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Hosts that are cut off, with the dead ones that cut them off."""
    host_names: Mapping[int, str] = field(default_factory=dict)
    flaps: Mapping[Key, Flaps] = field(default_factory=dict)

    @cached_property
    def is_calm(self) -> bool:
        """Whether nothing withholds anything: most rounds, so that storms cost no more than they must."""
        return not (
            self.inhibitions
            or self.unreachable
            or self.active_silences
            or self.open_windows
            or any(each.is_flapping for each in self.flaps.values())
        )

    @cached_property
    def active_silences(self) -> "_Silences":
        active = (each for each in self.silences if each.state(self.now_ms) is SilenceState.ACTIVE)
        return _Silences((each, _of_silence(each, self.now_ms)) for each in active)

    @cached_property
    def open_windows(self) -> "_Windows":
        opened = (each for each in self.windows if each.is_open(self.now_ms))
        return _Windows((each, _of_window(each, self.now_ms)) for each in opened)


def reasons(subject: Subject, around: Circumstances) -> tuple[Reason, ...]:
    """Why nobody is woken by the alert; empty where somebody is."""
    return (
        *around.active_silences.reasons(subject.key[0], subject.labels),
        *around.open_windows.reasons(subject.place, subject.labels),
        *_inhibition(subject, around),
        *_dead_parents(subject, around),
        *_flapping(subject, around),
    )


class _Silences:
    """Silences that hold, by client and by one label that they want to have one value, with their reasons."""

    def __init__(self, told: Iterable[tuple[Silence, Reason]]) -> None:
        self._shelves: dict[tuple[int | None, str, str], list[tuple[Silence, Reason]]] = {}
        for each in sorted(told, key=lambda pair: pair[0].id):
            self._shelves.setdefault((each[0].client_id, *_wanted(each[0])), []).append(each)
        self._names = {name for _, name, _ in self._shelves}

    def __bool__(self) -> bool:
        return bool(self._shelves)

    def reasons(self, client_id: int, labels: Mapping[str, str]) -> list[Reason]:
        """Those of the silences that are for these labels."""
        asked = [(name, labels.get(name, "")) for name in self._names]
        return [
            reason
            for owner, label in product((client_id, None), asked)
            for silence, reason in self._shelves.get((owner, *label), ())
            if matches_all(silence.matchers, labels)
        ]


class _Windows:
    """Windows that are open, by the place that each is for, with their reasons."""

    def __init__(self, told: Iterable[tuple[Window, Reason]]) -> None:
        self._shelves: dict[_Names, list[tuple[Window, Reason]]] = {}
        for each in told:
            place = each[0].place
            self._shelves.setdefault((place.client, place.site, place.host), []).append(each)

    def __bool__(self) -> bool:
        return bool(self._shelves)

    def reasons(self, place: Place, labels: Mapping[str, str]) -> list[Reason]:
        """Those of the windows that cover an alert there."""
        return [
            reason
            for wider in (_wider(place) if self._shelves else ())
            for window, reason in self._shelves.get(wider, ())
            if window.covers(place, labels)
        ]


def _wanted(silence: Silence) -> tuple[str, str]:
    """The label and value without which it does not hold; the empty label where there is no such."""
    return next(
        ((each.name, each.value) for each in silence.matchers if each.kind is MatchKind.EQUAL and each.value),
        ("", ""),
    )


def _wider(place: Place) -> Iterable[_Names]:
    """The names of the places that hold this one, each once."""
    clients, sites, hosts = (dict.fromkeys((None, name)) for name in (place.client, place.site, place.host))
    return product(clients, sites, hosts)


def _of_silence(silence: Silence, now_ms: int) -> Reason:
    until = f" until {_clock(silence.ends_ms, now_ms)}"
    words = f"silence {silence.id} by {_line(silence.author)}{until}{_because(silence.comment)}"
    return Reason(SuppressionKind.SILENCE, str(silence.id), words)


def _of_window(window: Window, now_ms: int) -> Reason:
    # Where intervals say when, the window may close long before its last day.
    ends_ms = None if window.intervals else window.until_ms
    until = "" if ends_ms is None else f" until {_clock(ends_ms, now_ms)}"
    words = f"maintenance {_line(window.name)}{until}{_because(window.reason)}"
    return Reason(SuppressionKind.MAINTENANCE, window.name, words)


def _inhibition(subject: Subject, around: Circumstances) -> Iterator[Reason]:
    inhibition = around.inhibitions.get(subject.key)
    if inhibition is not None:
        alert = _line(inhibition.labels.get(ALERT_NAME, "another alert"))
        instance = inhibition.labels.get("instance", "")
        where = f" of {_line(instance)}" if instance else ""
        words = f"inhibited by {alert}{where}, rule {_line(inhibition.rule)}"
        yield Reason(SuppressionKind.INHIBITED, inhibition.rule, words)


def _dead_parents(subject: Subject, around: Circumstances) -> Iterator[Reason]:
    causes = around.unreachable.get(subject.host_id, ()) if subject.host_id is not None else ()
    if causes:
        names = [around.host_names.get(cause, f"host {cause}") for cause in causes]
        verb = "parent {} is down" if len(names) == 1 else "parents {} are down"
        yield Reason(SuppressionKind.PARENT_DOWN, names[0], verb.format(_listed(names)))


def _flapping(subject: Subject, around: Circumstances) -> Iterator[Reason]:
    flaps = around.flaps.get(subject.key)
    if flaps is not None and flaps.is_flapping:
        often = f"{flaps.changed.bit_count()} of the last {SLOTS} stretches of {SLOT_MS // 60_000} minutes"
        yield Reason(SuppressionKind.FLAPPING, "flapping", f"flapping: it began or ended in {often}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(map(_line, names[:_MOST_NAMES])) + more


def _because(text: str) -> str:
    return f": {_line(text)}" if text.strip() else ""


def _line(text: str) -> str:
    """On one line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…"


def _clock(at_ms: int, now_ms: int) -> str:
    """The time, with its day where that is another one."""
    at, now = map(moment, (at_ms, now_ms))
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M} UTC"
