"""What an evaluation asks of a place that has series: a sample at a moment, a window of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tocsin_server.series.arrays import Bools, Floats, Ints
from tocsin_server.series.labels import Labels
from tocsin_server.series.matchers import Matcher
from tocsin_server.series.symbols import Symbols

LOOKBACK_MS = 300_000
"""Prometheus's: an instant's value is the newest sample younger than this, and not stale."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A value a row of a selection; what is not `present` has none. `times` in milliseconds."""

    values: Floats
    times: Ints
    present: Bools


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of each row within a range, oldest first, `count[row]` of them from the left.

    `values` and `times` are `[rows, widest]`; what lies beyond `count` is without meaning.
    """

    values: Floats
    times: Ints
    count: Ints


class Selection(Protocol):
    """The series that a selector has found."""

    @property
    def labels(self) -> Labels:
        """Their labels, `__name__` among them."""
        ...

    @property
    def blocks(self) -> Sequence["Selection"]:
        """The same series in their order, so many at a time that windows over them are worked on quickly."""
        ...


class Source(Protocol):
    """A place that has series. Each takes back only the selections that it gave.

    As long as no series of a metric comes or goes, `select` gives the very same selection, with the very same
    `Labels`, for the same question: what an evaluator remembers on them by `derive` stays good.
    """

    @property
    def symbols(self) -> Symbols: ...

    @property
    def clients(self) -> Ints:
        """The partitions that exist, ascending: `absent` and constants speak for each."""
        ...

    def select(self, name: str | None, matchers: Sequence[Matcher]) -> Any:  # noqa: ANN401 - a Selection of its own
        """The series of that name, or of any, that pass all matchers."""
        ...

    def instant(self, selection: Any, at_ms: int) -> Instant:  # noqa: ANN401
        """The newest sample of each row in `(at - lookback, at]`; a stale marker is no sample."""
        ...

    def window(self, selection: Any, start_ms: int, end_ms: int) -> Window:  # noqa: ANN401
        """All samples of each row in `(start, end]`, stale markers left out."""
        ...


def pack(values: Floats, times: Ints, wanted: Bools) -> Window:
    """Shift the wanted samples of each row to the left, in order, and drop columns that nobody needs."""
    count = wanted.sum(axis=1)
    width = int(count.max(initial=0))
    if not wanted.all():
        order = np.argsort(~wanted, axis=1, kind="stable")[:, :width]
        values = np.take_along_axis(values, order, axis=1)
        times = np.take_along_axis(times, order, axis=1)
    return Window(values, times, count)
