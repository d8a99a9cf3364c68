"""Functions over the samples of a range, for all rows at once: rates, regressions, `…_over_time`.

Each takes a `Span` and gives a value a row and whether there is one. The window is `[rows, widest]`, a row's
samples on the left; `Span.inside` says where they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.operators import Operand
from tocsin_server.series.arrays import Bools, Floats, Ints
from tocsin_server.series.source import Window

Result = tuple[Floats, Bools]

_THRESHOLD = 1.1
"""A series is taken to go on to the edge of the range if it is no further than this many sample distances."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window, the range `(start, end]` that it was cut from, and the instant of the evaluation."""

    window: Window
    start_ms: int
    end_ms: int
    at_ms: int
    parameter: Operand = np.nan

    @property
    def values(self) -> Floats:
        return self.window.values

    @property
    def count(self) -> Ints:
        return self.window.count

    @property
    def is_full(self) -> bool:
        """Whether no row has fewer samples than the widest."""
        return bool((self.count == self.values.shape[1]).all())

    def inside(self) -> Bools:
        """Which cells hold a sample."""
        return np.arange(self.values.shape[1]) < self.count[:, None]

    def filled(self, filling: float) -> Floats:
        """The values with the cells that hold no sample filled up."""
        return self.values if self.is_full else np.where(self.inside(), self.values, filling)

    def last(self, back: int = 0) -> tuple[Floats, Ints]:
        """Value and time of the newest sample of each row, or of one before it, as far as there are."""
        column = np.maximum(self.count - 1 - back, 0)
        rows = np.arange(len(column))
        return self.values[rows, column], self.window.times[rows, column]

    def at_least(self, samples: int) -> Bools:
        return np.asarray(self.count >= samples)


def apply(function: str, span: Span) -> Result:
    """A function of `OVER_TIME` over a span."""
    if not span.values.shape[1]:
        return np.zeros(len(span.count)), np.zeros(len(span.count), np.bool_)
    return OVER_TIME[function](span)


def _extrapolated(span: Span, *, is_counter: bool, is_rate: bool) -> Result:
    """Prometheus 3's: the change between first and last sample, stretched towards the edges of the range.

    1. A drop of a counter is a restart from zero: what was before the drop is added.
    2. Towards each edge by the distance to it, or by half the average distance of samples where it is too far.
    3. A counter is not stretched to before the time at which it would have been zero.
    """
    first, first_ms = span.values[:, 0], span.window.times[:, 0]
    last, last_ms = span.last()
    change = last - first
    if is_counter:
        change = change + _lost(span)
    sampled = (last_ms - first_ms) / 1000
    average = sampled / (span.count - 1)
    to_start = (first_ms - span.start_ms) / 1000
    to_end = (span.end_ms - last_ms) / 1000
    to_start = np.where(to_start >= average * _THRESHOLD, average / 2, to_start)
    to_end = np.where(to_end >= average * _THRESHOLD, average / 2, to_end)
    if is_counter:
        to_zero = np.where((change > 0) & (first >= 0), sampled * (first / change), to_start)
        to_start = np.where(to_zero < to_start, to_zero, to_start)
    factor = (sampled + to_start + to_end) / sampled
    if is_rate:
        factor = factor / ((span.end_ms - span.start_ms) / 1000)
    return change * factor, span.at_least(2)


def _lost(span: Span) -> Floats | float:
    """What a counter had before each of its drops, added up."""
    before, after = span.values[:, :-1], span.values[:, 1:]
    drops = after < before
    if not span.is_full:
        drops &= span.inside()[:, 1:]
    return np.where(drops, before, 0.0).sum(axis=1) if drops.any() else 0.0


def _rate(span: Span) -> Result:
    return _extrapolated(span, is_counter=True, is_rate=True)


def _increase(span: Span) -> Result:
    return _extrapolated(span, is_counter=True, is_rate=False)


def _delta(span: Span) -> Result:
    return _extrapolated(span, is_counter=False, is_rate=False)


def _irate(span: Span) -> Result:
    (last, last_ms), (before, before_ms) = span.last(), span.last(back=1)
    change = np.where(last < before, last, last - before)
    return change / ((last_ms - before_ms) / 1000), span.at_least(2)


def _idelta(span: Span) -> Result:
    return span.last()[0] - span.last(back=1)[0], span.at_least(2)


def _changes(span: Span) -> Result:
    before, after = span.values[:, :-1], span.values[:, 1:]
    differ = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return _counted(span, differ)


def _resets(span: Span) -> Result:
    return _counted(span, span.values[:, 1:] < span.values[:, :-1])


def _counted(span: Span, steps: Bools) -> Result:
    if not span.is_full:
        steps = steps & span.inside()[:, 1:]
    return steps.sum(axis=1).astype(np.float64), span.at_least(1)


def _regression(span: Span) -> tuple[Floats, Floats, Floats]:
    """Least squares: the slope a second, and the point (seconds since the first sample, value) on the line.

    Both axes are measured from the first sample, so equal values have a slope of exactly zero.
    """
    first = span.values[:, 0]
    seconds = (span.window.times - span.window.times[:, :1]) / 1000
    values = span.values - first[:, None]
    if not span.is_full:
        outside = ~span.inside()
        seconds[outside] = 0.0
        values[outside] = 0.0
    middle = seconds.sum(axis=1) / span.count
    seconds -= middle[:, None]
    if not span.is_full:
        seconds[outside] = 0.0
    slope = np.einsum("ij,ij->i", seconds, values) / np.einsum("ij,ij->i", seconds, seconds)
    slope = np.where(np.isfinite(slope), slope, np.nan)
    return slope, middle, first + values.sum(axis=1) / span.count


def _deriv(span: Span) -> Result:
    return _regression(span)[0], span.at_least(2)


def _predict_linear(span: Span) -> Result:
    slope, middle, height = _regression(span)
    seconds = (span.at_ms - span.window.times[:, 0]) / 1000 + span.parameter
    return height + slope * (seconds - middle), span.at_least(2)


def _sum(span: Span) -> Result:
    return span.filled(0.0).sum(axis=1), span.at_least(1)


def _mean(span: Span) -> Floats:
    total = span.filled(0.0).sum(axis=1)
    mean: Floats = total / span.count
    if np.isinf(total).any():  # the sum may have overflowed where the mean does not
        mean = np.where(np.isinf(total), (span.filled(0.0) / span.count[:, None]).sum(axis=1), mean)
    return mean


def _avg(span: Span) -> Result:
    return _mean(span), span.at_least(1)


def _min(span: Span) -> Result:
    return np.fmin.reduce(span.filled(np.nan), axis=1), span.at_least(1)


def _max(span: Span) -> Result:
    return np.fmax.reduce(span.filled(np.nan), axis=1), span.at_least(1)


def _count(span: Span) -> Result:
    return span.count.astype(np.float64), span.at_least(1)


def _last(span: Span) -> Result:
    return span.last()[0], span.at_least(1)


def _present(span: Span) -> Result:
    return np.ones(len(span.count)), span.at_least(1)


def _stdvar(span: Span) -> Result:
    inside = span.inside()
    away = span.values - _mean(span)[:, None]
    # What rounding has left in the mean is taken out again, so that equal values do not differ from it.
    away -= (np.where(inside, away, 0.0).sum(axis=1) / span.count)[:, None]
    away[~inside] = 0.0
    return np.einsum("ij,ij->i", away, away) / span.count, span.at_least(1)


def _stddev(span: Span) -> Result:
    variance, present = _stdvar(span)
    return np.sqrt(variance), present


def _quantile(span: Span) -> Result:
    # NaN is the smallest value; descending it sorts to the end, where what fills the row makes no difference.
    descending = -np.sort(-span.filled(np.nan), axis=1)
    rows = np.arange(len(span.count))

    def ranked(index: Ints) -> Floats:
        picked: Floats = descending[rows, np.clip(span.count - 1 - index, 0, None)]
        return picked

    return quantile(span.parameter, span.count, ranked), span.at_least(1)


def quantile(q: Operand, count: Ints, ranked: Callable[[Ints], Floats]) -> Floats:
    """The q-quantile of each row's samples; `ranked` gives each row's sample of a rank, the smallest at 0."""
    rank = np.nan_to_num(np.clip(q, 0, 1)) * (count - 1)
    low = np.maximum(np.floor(rank), 0).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    weight = rank - np.floor(rank)
    between = ranked(low) * (1 - weight) + ranked(high) * weight
    extreme = np.where(np.less(q, 0), -np.inf, np.where(np.greater(q, 1), np.inf, np.nan))
    is_inside = np.greater_equal(q, 0) & np.less_equal(q, 1)
    return np.asarray(np.where(is_inside, between, extreme))


OVER_TIME: dict[str, Callable[[Span], Result]] = {
    "avg_over_time": _avg,
    "changes": _changes,
    "count_over_time": _count,
    "delta": _delta,
    "deriv": _deriv,
    "idelta": _idelta,
    "increase": _increase,
    "irate": _irate,
    "last_over_time": _last,
    "max_over_time": _max,
    "min_over_time": _min,
    "predict_linear": _predict_linear,
    "present_over_time": _present,
    "quantile_over_time": _quantile,
    "rate": _rate,
    "resets": _resets,
    "stddev_over_time": _stddev,
    "stdvar_over_time": _stdvar,
    "sum_over_time": _sum,
}

KEEPS_NAME = frozenset({"last_over_time"})
