"""The last samples of one feed, as a screen or a page shows them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.arrays import is_stale
from tocsin_server.series.feeds import Feed
from tocsin_server.series.labels import NAME
from tocsin_server.series.selections import Selections


class Sample(NamedTuple):
    """The last sample of one series."""

    name: str
    labels: dict[str, str]
    kind: SeriesKind
    value: float
    time_ms: int


def last_samples(feed: Feed, selections: Selections) -> Iterator[Sample]:
    """Of every series that is not stale; each is described with its target."""
    for seat in feed.seats():
        values = seat.bank.values[seat.rows, seat.slot]
        present = np.flatnonzero(~is_stale(values))
        labels = selections.describe([(seat.bank, seat.rows[present])])
        kinds = feed.kinds(seat.columns[present])
        for place, (value, kind) in enumerate(zip(values[present].tolist(), kinds, strict=True)):
            own = labels.row(place)
            yield Sample(own.pop(NAME), own, kind, value, feed.newest_ms)
