"""A source that grows: the input series of a unit test, and what its rules record as time goes by.

Small and plain where the head is large and fast; the evaluator sees no difference.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.arrays import NEVER, Floats, is_stale
from tocsin_server.series.fixed import ANONYMOUS
from tocsin_server.series.labels import NAME, Labels, labels_of
from tocsin_server.series.matchers import Matcher, matches_all
from tocsin_server.series.source import LOOKBACK_MS, Instant, Window, pack
from tocsin_server.series.symbols import Symbols

MOST_RECORDED = 5_000_000
"""Samples of all that the rules of a test yield; each takes about 70 bytes."""


class TapeFull(Exception):
    """The rules yield more than a tape holds."""


@dataclass(slots=True, eq=False)
class _Track:
    """One series."""

    labels: dict[str, str]
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at_ms: int, value: float) -> None:
        self.times.append(at_ms)
        self.values.append(value)


@dataclass(frozen=True, slots=True)
class TapeSelection:
    """Series of a `Tape`."""

    labels: Labels
    tracks: tuple[_Track, ...]

    @property
    def blocks(self) -> tuple["TapeSelection"]:
        """See `Selection`: few enough."""
        return (self,)


class Tape:
    """Series of the one anonymous client; see `series.source.Source` and `alerts.ground.Ground`."""

    def __init__(self) -> None:
        self.symbols = Symbols()
        self.clients = np.array([ANONYMOUS], np.int64)
        self._tracks: dict[frozenset[tuple[str, str]], _Track] = {}
        self._recorded: dict[str, list[_Track]] = {}
        self._left = MOST_RECORDED
        self._selections: dict[tuple[str | None, tuple[Matcher, ...]], TapeSelection] = {}

    def load(self, labels: Mapping[str, str], times: Sequence[int], values: Sequence[float]) -> None:
        """Take an input series."""
        track = self._track(labels)
        for at_ms, value in zip(times, values, strict=True):
            track.add(at_ms, value)

    def record(
        self,
        key: str,
        name: str,
        client_id: int,  # noqa: ARG002 - there is only the one
        labels: Sequence[Mapping[str, str]],
        values: Floats,
        at_ms: int,
    ) -> None:
        """Take what a rule has yielded; what it no longer yields turns stale. Raises `TapeFull`."""
        self._left -= len(labels)
        if self._left < 0:
            raise TapeFull(f"the rules yield more than {MOST_RECORDED} samples")
        tracks = [self._track({**row, NAME: name}) for row in labels]
        for track, value in zip(tracks, values.tolist(), strict=True):
            track.add(at_ms, value)
        for track in self._recorded.get(key, []):
            if track not in tracks:
                track.add(at_ms, STALE_NAN)
        self._recorded[key] = tracks

    def select(self, name: str | None, matchers: Sequence[Matcher]) -> TapeSelection:
        """The series that match."""
        key = (name, tuple(matchers))
        if key not in self._selections:
            tracks = tuple(
                track
                for track in self._tracks.values()
                if name in (None, track.labels.get(NAME)) and matches_all(matchers, track.labels)
            )
            rows = [(ANONYMOUS, None, track.labels) for track in tracks]
            self._selections[key] = TapeSelection(labels_of(self.symbols, rows), tracks)
        return self._selections[key]

    def instant(self, selection: TapeSelection, at_ms: int) -> Instant:
        """The newest sample of each series that is no older than the lookback."""
        newest = [_newest(track, at_ms) for track in selection.tracks]
        times = np.array([at for at, _ in newest], np.int64)
        values = np.array([value for _, value in newest], np.float64)
        return Instant(values, times, (times > at_ms - LOOKBACK_MS) & ~is_stale(values))

    def window(self, selection: TapeSelection, start_ms: int, end_ms: int) -> Window:
        """All samples of each series within `(start, end]`."""
        spans = [
            slice(bisect_right(track.times, start_ms), bisect_right(track.times, end_ms))
            for track in selection.tracks
        ]
        width = max((span.stop - span.start for span in spans), default=0)
        values, times = np.zeros((len(spans), width)), np.full((len(spans), width), NEVER, np.int64)
        for row, (track, span) in enumerate(zip(selection.tracks, spans, strict=True)):
            values[row, : span.stop - span.start] = track.values[span]
            times[row, : span.stop - span.start] = track.times[span]
        return pack(values, times, (times != NEVER) & ~is_stale(values))

    def _track(self, labels: Mapping[str, str]) -> _Track:
        key = frozenset(labels.items())
        if key not in self._tracks:
            self._tracks[key] = _Track(dict(labels))
            self._selections.clear()
        return self._tracks[key]


def _newest(track: _Track, at_ms: int) -> tuple[int, float]:
    index = bisect_right(track.times, at_ms) - 1
    return (track.times[index], track.values[index]) if index >= 0 else (NEVER, 0.0)
