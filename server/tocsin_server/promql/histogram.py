"""Classic histograms: buckets with a label `le`, gathered and asked for quantiles, all histograms at once.

What belongs to which histogram, and in which order its buckets stand, is worked out once a set of labels.
"""

from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.aggregation import groups_of
from tocsin_server.promql.dense import Dense
from tocsin_server.promql.operators import Operand
from tocsin_server.promql.syntax import Grouping
from tocsin_server.series.arrays import Bools, Floats, Ints
from tocsin_server.series.labels import Labels

LE = "le"
_TOLERANCE = 1e-12
"""Differences between buckets that are this small in proportion are rounding, as for Prometheus."""
_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where each bucket stands: row `rows[i]` is histogram `of[i]`'s bucket `place[i]`, bounds ascending."""

    labels: Labels
    rows: Ints
    of: Ints
    place: Ints
    bounds: Floats
    """`[histograms, widest]`; buckets that a histogram does not have are NaN."""


@dataclass(frozen=True, slots=True)
class Histograms:
    """`bounds` and `counts` are `[histograms, widest]`, the buckets that are there on the left."""

    labels: Labels
    bounds: Floats
    counts: Floats
    width: Ints

    @property
    def present(self) -> Bools:
        return np.asarray(self.width > 0)

    def last(self, of: Floats, back: int = 0) -> Floats:
        """The value of each histogram's last bucket, or of one before it as far as there are."""
        values: Floats = of[np.arange(len(of)), np.maximum(self.width - 1 - back, 0)]
        return values


def gathered(dense: Dense) -> Histograms:
    """The histograms whose buckets these rows are; a row without a bound is none."""
    shelf = dense.labels.derive("shelf", lambda: _shelf(dense.labels))
    counts = np.full(shelf.bounds.shape, np.nan)
    counts[shelf.of, shelf.place] = np.where(dense.present[shelf.rows], dense.values[shelf.rows], np.nan)
    there = np.zeros(shelf.bounds.shape, np.bool_)
    there[shelf.of, shelf.place] = dense.present[shelf.rows]
    return _coalesced(shelf.labels, *_packed(shelf.bounds, counts, there))


def _shelf(labels: Labels) -> Shelf:
    bounds = _bounds(labels)
    rows = np.flatnonzero(~np.isnan(bounds))
    own = labels.take(rows)
    groups = groups_of(own, Grouping(tuple(own.columns.keys() - {LE}), without=False))
    order = np.lexsort((bounds[rows], groups.member_of))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows)) - groups.starts[groups.member_of[order]]
    table = np.full((len(groups.labels), int(place.max(initial=-1)) + 1), np.nan)
    table[groups.member_of, place] = bounds[rows]
    return Shelf(groups.labels, rows, groups.member_of, place, table)


def _bounds(labels: Labels) -> Floats:
    distinct, inverse = np.unique(labels.column(LE), return_inverse=True)
    return np.array([_bound(labels.symbols.word(code)) for code in distinct.tolist()], np.float64)[inverse]


def _bound(word: str) -> float:
    try:
        return float(word) if "_" not in word else np.nan
    except ValueError:
        return np.nan


def _packed(bounds: Floats, counts: Floats, there: Bools) -> tuple[Floats, Floats, Ints]:
    width = there.sum(axis=1)
    if not there.all():
        order = np.argsort(~there, axis=1, kind="stable")
        bounds, counts = np.take_along_axis(bounds, order, axis=1), np.take_along_axis(counts, order, axis=1)
    return bounds, counts, width


def _coalesced(labels: Labels, bounds: Floats, counts: Floats, width: Ints) -> Histograms:
    """Buckets of one bound that is spelled in two ways are one."""
    inside = np.arange(bounds.shape[1]) < width[:, None]
    same = inside[:, 1:] & (bounds[:, 1:] == bounds[:, :-1])
    if not same.any():
        return Histograms(labels, bounds, counts, width)
    counts = counts.copy()
    for column in range(same.shape[1] - 1, -1, -1):
        counts[:, column] += np.where(same[:, column], counts[:, column + 1], 0.0)
    there = inside.copy()
    there[:, 1:] &= ~same
    return Histograms(labels, *_packed(bounds, counts, there))


def _monotonic(histograms: Histograms) -> Floats:
    """The counts without decreases, and without increases that are rounding only."""
    counts = histograms.counts.copy()
    for column in range(1, counts.shape[1]):
        before, now = counts[:, column - 1], counts[:, column]
        counts[:, column] = np.where((now < before) | _almost_equal(before, now), before, now)
    return counts


def _almost_equal(left: Floats, right: Floats) -> Bools:
    total = np.abs(left) + np.abs(right)
    difference = np.abs(left - right)
    is_tiny = (left == 0) | (right == 0) | (total < _SMALLEST)
    bound = np.where(is_tiny, _TOLERANCE * _SMALLEST, _TOLERANCE * np.minimum(total, np.finfo(np.float64).max))
    return np.asarray(difference < bound)


def quantile(q: Operand, histograms: Histograms) -> Floats:
    """The q-quantile, linear within its bucket; NaN without observations, or a highest bucket of +Inf."""
    if not histograms.counts.shape[1]:
        return np.zeros(len(histograms.labels))
    counts, bounds = _monotonic(histograms), histograms.bounds
    rows = np.arange(len(counts))
    last = np.maximum(histograms.width - 1, 0)
    total = counts[rows, last]
    rank = np.asarray(q * total)
    reached = (counts >= rank[:, None]) | (np.arange(counts.shape[1]) >= last[:, None])
    at = reached.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    low = np.where(at > 0, bounds[rows, before], 0.0)
    below = np.where(at > 0, counts[rows, before], 0.0)
    within = (rank - below) / (counts[rows, at] - below)
    found = low + (bounds[rows, at] - low) * within
    found = np.where((at == 0) & (bounds[:, 0] <= 0), bounds[:, 0], found)
    found = np.where(at == last, bounds[rows, np.maximum(last - 1, 0)], found)
    is_known = (bounds[rows, last] == np.inf) & (histograms.width > 1) & (total != 0)
    found = np.where(is_known, found, np.nan)
    found = np.where(np.less(q, 0), -np.inf, np.where(np.greater(q, 1), np.inf, found))
    return np.where(np.isnan(q), np.nan, found)


def fraction(lower: Operand, upper: Operand, histograms: Histograms) -> Floats:
    """The share of observations between two bounds, linear within a bucket."""
    if not histograms.counts.shape[1]:
        return np.zeros(len(histograms.labels))
    total = histograms.last(histograms.counts)
    share = (_rank(upper, histograms) - _rank(lower, histograms)) / total
    share = np.where(np.greater_equal(lower, upper), 0.0, share)
    is_known = (histograms.last(histograms.bounds) == np.inf) & (total != 0)
    return np.where(is_known & ~np.isnan(lower) & ~np.isnan(upper), share, np.nan)


def _rank(value: Operand, histograms: Histograms) -> Floats:
    """How many observations are below a value. In a bucket that is endless nothing is taken to be."""
    bounds, counts = histograms.bounds, histograms.counts
    rows = np.arange(len(bounds))
    last = np.maximum(histograms.width - 1, 0)
    wanted = np.broadcast_to(np.asarray(value, np.float64), len(bounds))
    inside = np.arange(bounds.shape[1]) < histograms.width[:, None]
    at = np.minimum(((bounds <= wanted[:, None]) & inside).sum(axis=1), last)
    before = np.maximum(at - 1, 0)
    lowest = np.where(bounds[:, 0] > 0, 0.0, -np.inf)
    low = np.where(at > 0, bounds[rows, before], lowest)
    below = np.where(at > 0, counts[rows, before], 0.0)
    high, count = bounds[rows, at], counts[rows, at]
    between = below + (count - below) * (wanted - low) / (high - low)
    between = np.where(np.isneginf(low), count, between)
    between = np.where(wanted <= low, below, between)
    between = np.where(np.isposinf(high) & (wanted > low), below, between)
    return np.where(np.isposinf(wanted), histograms.last(counts), between)
