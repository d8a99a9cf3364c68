"""What is left of an hour when its samples have gone: minimum, maximum, sum and count of every five minutes.

A sum and no mean, because whole numbers have whole sums, which take fewer bytes; the mean is worked out when it
is read. Of a counter the mean says next to nothing, so its sum is not kept, a quarter of all bytes: its mean is
the middle of lowest and highest, and where nothing else is asked for the highest is read: the last value, but
where the counter began again. What is no number counts for nothing.

A bucket holds `[begin, begin + 5 min)` and is read as a sample at its end: nothing is seen before it was there.
A bucket without a sample is stale.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.arrays import Bools, Floats, Ints, Places, is_stale, stale
from tocsin_server.series.history.chunks import pack_chunk, unpack_chunk
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry

BUCKET_MS = 300_000


class Facet(StrEnum):
    """What of a bucket is read as its value."""

    TYPICAL = "typical"
    """The mean, of a counter the maximum."""
    LOWEST = "lowest"
    HIGHEST = "highest"
    MEAN = "mean"
    COUNT = "count"


def pack_rollup(stretch: Stretch) -> tuple[int, bytes]:
    """How many buckets, and a chunk of them: all minima, all maxima, all sums, all counts."""
    begins, first = np.unique(stretch.times - stretch.times % BUCKET_MS, return_index=True)
    with np.errstate(all="ignore"):
        rows = _reduced(stretch.values, first, _counters(stretch.series))
    return len(begins), pack_chunk(begins, rows)


def unpack_rollup(
    chunk: bytes, series: Sequence[SeriesEntry], wanted: Places, facet: Facet
) -> tuple[Ints, Floats]:
    """The ends of the buckets, and of each series wanted what the facet says."""
    lowest, highest, total, count = (wanted + place * len(series) for place in range(4))
    counters = _counters([series[place] for place in wanted.tolist()])
    if facet is Facet.LOWEST:
        begins, values = unpack_chunk(chunk, lowest)
    elif facet is Facet.HIGHEST:
        begins, values = unpack_chunk(chunk, highest)
    elif facet is Facet.COUNT:
        begins, values = unpack_chunk(chunk, count)
    else:
        begins, rows = unpack_chunk(chunk, np.concatenate([lowest, highest, total, count]))
        least, most, sums, counts = np.split(rows, 4)
        usual = most if facet is Facet.TYPICAL else _middle(least, most)
        values = np.where(counters[:, None], usual, _quotient(sums, counts))
    return begins + BUCKET_MS, values


def _reduced(values: Floats, first: Places, counters: Bools) -> Floats:
    there = ~np.isnan(values)
    count = np.add.reduceat(there, first, axis=1, dtype=np.float64)
    lowest = np.minimum.reduceat(np.where(there, values, np.inf), first, axis=1)
    highest = np.maximum.reduceat(np.where(there, values, -np.inf), first, axis=1)
    total = np.add.reduceat(np.where(there, values, 0), first, axis=1)
    told = [np.where(count > 0, row, stale(1)) for row in (lowest, highest, total)]
    told[-1][counters] = stale(1)
    return np.concatenate([*told, count])


def _counters(series: Sequence[SeriesEntry]) -> Bools:
    return np.array([entry.kind is SeriesKind.COUNTER for entry in series], np.bool_)


def _middle(least: Floats, most: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return _quotient(least + most, np.where(is_stale(least), 0.0, 2.0))


def _quotient(sums: Floats, counts: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return np.where(counts > 0, sums / counts, stale(1))
