"""A source that holds the series it was given: for unit tests of rules, for charts, for properties."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tocsin_server.series.arrays import NEVER, Floats, Ints, is_stale
from tocsin_server.series.labels import NAME, Labels, labels_of
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_server.series.source import LOOKBACK_MS, Instant, Window, pack
from tocsin_server.series.symbols import Symbols

ANONYMOUS = 0
"""The one client of unit tests."""

FixedSeries = tuple[int, int | None, Mapping[str, str], Sequence[int] | Ints, Sequence[float] | Floats]
"""Client, host, labels with `__name__`, times in milliseconds ascending, values."""


@dataclass(frozen=True, slots=True)
class FixedSelection:
    """Rows of a `FixedSource`."""

    labels: Labels
    rows: Ints

    @property
    def blocks(self) -> tuple["FixedSelection"]:
        """See `Selection`: few enough."""
        return (self,)


class FixedSource:
    """Series in two arrays, padded at the left with times that never were."""

    def __init__(self, labels: Labels, times: Ints, values: Floats, clients: Ints) -> None:
        self._labels = labels
        self._times = times
        self._values = values
        self._selections: dict[tuple[str | None, tuple[Matcher, ...]], FixedSelection] = {}
        self.clients = clients
        self.symbols = labels.symbols

    @classmethod
    def from_series(cls, series: Iterable[FixedSeries], *, clients: Iterable[int] = ()) -> Self:
        """A source over these series. `clients` adds partitions that have none."""
        given = list(series)
        labels = labels_of(Symbols(), [(client, host, labels) for client, host, labels, _, _ in given])
        width = max((len(times) for *_, times, _ in given), default=0)
        all_times = np.full((len(given), width), NEVER, np.int64)
        all_values = np.zeros((len(given), width))
        for row, (*_, times, values) in enumerate(given):
            if len(times):
                all_times[row, -len(times) :] = times
                all_values[row, -len(times) :] = values
        known = sorted({*labels.clients.tolist(), *clients}) or [ANONYMOUS]
        return cls(labels, all_times, all_values, np.array(known, np.int64))

    def select(self, name: str | None, matchers: Sequence[Matcher]) -> FixedSelection:
        """The rows that match; see `Source`."""
        key = (name, tuple(matchers))
        selection = self._selections.get(key)
        if selection is None:
            selection = self._selections[key] = self._select(name, matchers)
        return selection

    def _select(self, name: str | None, matchers: Sequence[Matcher]) -> FixedSelection:
        wanted = np.ones(len(self._labels), np.bool_)
        for matcher in [*matchers, *([Matcher(NAME, MatchKind.EQUAL, name)] if name is not None else [])]:
            wanted &= matcher.passing(self._labels.column(matcher.name), self.symbols)
        rows = np.flatnonzero(wanted)
        return FixedSelection(self._labels.take(rows), rows)

    def instant(self, selection: FixedSelection, at_ms: int) -> Instant:
        """See `Source`."""
        times, values = self._times[selection.rows], self._values[selection.rows]
        if not times.shape[1]:
            nothing = np.zeros(len(times))
            return Instant(nothing, nothing.astype(np.int64), nothing.astype(np.bool_))
        newest = (times <= at_ms).sum(axis=1) - 1
        row = np.arange(len(times))
        at = np.maximum(newest, 0)
        value, time = values[row, at], times[row, at]
        present = (newest >= 0) & (time > at_ms - LOOKBACK_MS) & ~is_stale(value)
        return Instant(value, time, present)

    def window(self, selection: FixedSelection, start_ms: int, end_ms: int) -> Window:
        """See `Source`."""
        times, values = self._times[selection.rows], self._values[selection.rows]
        wanted = (times > start_ms) & (times <= end_ms) & ~is_stale(values)
        return pack(values, times, wanted)
