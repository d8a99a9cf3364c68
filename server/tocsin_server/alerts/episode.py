"""One time that an alert was there, from its first transition to its end; and what is known of it already."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import Alert, Change
from tocsin_server.alerts.state import ACTIVE


@dataclass(frozen=True, slots=True)
class Episode:
    """The transitions of one alert from the first to that which resolved it."""

    changes: tuple[Change, ...]

    @property
    def alert(self) -> Alert:
        """As it stands at the end."""
        return self.changes[-1].alert

    @property
    def from_ms(self) -> int:
        return self.changes[0].at_ms

    @property
    def to_ms(self) -> int:
        return self.changes[-1].at_ms


Stretch = tuple[float, float]
"""From when to when an alert was there, both within; one that still is has no end."""


def stretches(moves: Iterable[tuple[int, AlertState]]) -> Iterator[Stretch]:
    """When an alert was pending, firing or unknown: moments and new states in the order of writing."""
    since_ms: int | None = None
    for at_ms, state in moves:
        if state in ACTIVE:
            since_ms = at_ms if since_ms is None else since_ms
        else:
            begin_ms = at_ms if since_ms is None else since_ms
            yield min(begin_ms, at_ms), max(begin_ms, at_ms)
            since_ms = None
    if since_ms is not None:
        yield since_ms, inf


def is_known(episode: Episode, known: Sequence[Stretch]) -> bool:
    """Whether anything of this alert is known that touches the episode."""
    return any(begin <= episode.to_ms and episode.from_ms <= end for begin, end in known)
