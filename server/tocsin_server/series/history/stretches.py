"""A host's samples over some time: one row a series, one column an instant.

A host that changes its schema within the hour has one stretch all the same, of all its series. Where a series
has no sample stands the stale marker, which is what a head makes of a series that leaves, too. So nothing but
the marker is ever filled in, and every other bit is as it was sent.

Churn must not make an hour unbounded: series beyond the caps are left out, those that appear last, and
instants that come faster than is kept are thinned evenly.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np

from tocsin_server.series.arrays import Floats, Ints, is_stale, stale
from tocsin_server.series.schema import Schema, SeriesEntry

HOUR_MS = 3_600_000
MAX_SERIES = 1 << 14
MAX_INSTANTS = 1 << 14
MAX_CELLS = 1 << 23


class Frame(Protocol):
    """What a host has sent at some instants; `matrix` is `[instants, series]`."""

    @property
    def schema(self) -> Schema: ...
    @property
    def times_ms(self) -> Sequence[int]: ...
    @property
    def matrix(self) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """`times` in milliseconds, each once and ascending; `values` are `[series, instants]`."""

    series: tuple[SeriesEntry, ...]
    times: Ints
    values: Floats
    left_out: int = 0
    """How many series there was no room for."""

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.series), len(self.times)):
            raise ValueError(f"{len(self.series)} series at {len(self.times)} instants: {self.values.shape}")
        if self.values.dtype != np.float64 or self.times.dtype != np.int64:
            raise ValueError(f"instants are int64, values float64: {self.times.dtype}, {self.values.dtype}")
        if not (np.diff(self.times) > 0).all():
            raise ValueError("instants must ascend, each there once")


def hours_of(frames: Iterable[Frame]) -> dict[int, Stretch]:
    """All that these frames hold, by the beginnings of hours. Of frames of an instant the first counts."""
    parts: dict[int, list[Stretch]] = defaultdict(list)
    for _, run in groupby(frames, key=lambda frame: frame.schema.id):
        for hour_ms, part in by_hour(_run(list(run))):
            parts[hour_ms].append(part)
    return {hour_ms: united(parts[hour_ms]) for hour_ms in sorted(parts)}


def united(parts: Sequence[Stretch]) -> Stretch:
    """All that the parts hold. On equal times an earlier part is kept, where it has a sample."""
    times = _thinned(np.unique(np.concatenate([np.zeros(0, np.int64), *(part.times for part in parts)])))
    known = {_identity(entry): entry for part in reversed(parts) for entry in reversed(part.series)}
    ordered = dict.fromkeys(_identity(entry) for part in parts for entry in part.series)
    kept = list(ordered)[: min(MAX_SERIES, MAX_CELLS // max(1, len(times)))]
    places = {identity: place for place, identity in enumerate(kept)}
    values = stale((len(kept), len(times)))
    for part in reversed(parts):
        _put(values, times, places, part)
    left_out = len(ordered) - len(kept) + sum(part.left_out for part in parts)
    return Stretch(tuple(known[identity] for identity in kept), times, values, left_out)


def by_hour(stretch: Stretch) -> Iterator[tuple[int, Stretch]]:
    """The stretch cut at full hours, each part with the beginning of its hour."""
    hours = stretch.times - stretch.times % HOUR_MS
    for hour_ms in np.unique(hours).tolist():
        begin, end = np.searchsorted(hours, [hour_ms, hour_ms + 1])
        cut = slice(int(begin), int(end))
        yield hour_ms, Stretch(stretch.series, stretch.times[cut], stretch.values[:, cut], stretch.left_out)


def _run(frames: Sequence[Frame]) -> Stretch:
    """Frames of one schema."""
    sent = np.concatenate([np.asarray(frame.times_ms, np.int64) for frame in frames])
    times, first = np.unique(sent, return_index=True)
    matrix = np.concatenate([frame.matrix for frame in frames])[first]
    return Stretch(frames[0].schema.series, times, np.ascontiguousarray(matrix.T))


def _thinned(times: Ints) -> Ints:
    return times[:: -(-len(times) // MAX_INSTANTS)] if len(times) > MAX_INSTANTS else times


def _identity(entry: SeriesEntry) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What knows a series: its kind may be told otherwise later."""
    return entry.name, entry.labels


def _put(
    values: Floats, times: Ints, places: dict[tuple[str, tuple[tuple[str, str], ...]], int], part: Stretch
) -> None:
    """Lay a part over what is there; an absent sample covers nothing."""
    found = [places.get(_identity(entry), -1) for entry in part.series]
    rows = np.array(found, np.intp)
    mine, at = rows >= 0, np.isin(part.times, times)
    where = np.ix_(rows[mine], np.searchsorted(times, part.times[at]))
    new = np.ascontiguousarray(part.values[np.ix_(mine, at)])
    values[where] = np.where(is_stale(new), values[where], new)
