"""Functions over the samples of a range, for all rows at once: `…_over_time`, and the choice of all."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tocsin_server.promql.operators import Operand
from tocsin_server.promql.rates import RATES
from tocsin_server.promql.span import Result, Span
from tocsin_server.promql.sums import row_sums
from tocsin_server.series.arrays import Floats, Ints


def apply(function: str, span: Span) -> Result:
    """A function of `OVER_TIME` over a span."""
    if not span.values.shape[1]:
        return np.zeros(len(span.count)), np.zeros(len(span.count), np.bool_)
    return OVER_TIME[function](span)


def _sum(span: Span) -> Result:
    return row_sums(span.filled(0.0)), span.at_least(1)


def _mean(span: Span) -> Floats:
    total = row_sums(span.filled(0.0))
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


def _first(span: Span) -> Result:
    return span.values[:, 0], span.at_least(1)


def _mad(span: Span) -> Result:
    """The median of the distances from the median; NaN where a sample is."""
    halves = replace(span, parameters=(0.5,))
    away = np.abs(span.values - _quantile(halves)[0][:, None])
    deviation, present = _quantile(replace(halves, window=replace(span.window, values=away)))
    has_nan = (np.isnan(span.values) & span.inside()).any(axis=1)
    return np.where(has_nan, np.nan, deviation), present


def _time_of_first(span: Span) -> Result:
    return span.window.times[:, 0] / 1000, span.at_least(1)


def _time_of_last(span: Span) -> Result:
    return span.last()[1] / 1000, span.at_least(1)


def _time_of(span: Span, extreme: Floats) -> Result:
    """When a row had this value last; the time of its newest sample where all are NaN."""
    is_it = span.inside() & (span.values == extreme[:, None])
    width = span.values.shape[1]
    column = width - 1 - is_it[:, ::-1].argmax(axis=1)
    column = np.where(is_it.any(axis=1), column, np.maximum(span.count - 1, 0))
    return span.window.times[np.arange(len(column)), column] / 1000, span.at_least(1)


def _time_of_max(span: Span) -> Result:
    return _time_of(span, _max(span)[0])


def _time_of_min(span: Span) -> Result:
    return _time_of(span, _min(span)[0])


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
    **RATES,
    "avg_over_time": _avg,
    "count_over_time": _count,
    "first_over_time": _first,
    "last_over_time": _last,
    "mad_over_time": _mad,
    "max_over_time": _max,
    "min_over_time": _min,
    "present_over_time": _present,
    "quantile_over_time": _quantile,
    "stddev_over_time": _stddev,
    "stdvar_over_time": _stdvar,
    "sum_over_time": _sum,
    "ts_of_first_over_time": _time_of_first,
    "ts_of_last_over_time": _time_of_last,
    "ts_of_max_over_time": _time_of_max,
    "ts_of_min_over_time": _time_of_min,
}

KEEPS_NAME = frozenset({"first_over_time", "last_over_time"})
