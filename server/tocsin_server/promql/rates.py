"""How fast series change: rates, differences, regressions, for all rows at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.span import Result, Span
from tocsin_server.series.arrays import Bools, Floats, Ints

_THRESHOLD = 1.1
"""A series is taken to go on to the edge of the range if it is no further than this many sample distances."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The first and the last sample of each row, and how many there are from the one to the other."""

    first: Floats
    first_ms: Ints
    last: Floats
    last_ms: Ints
    count: Ints


@dataclass(frozen=True, slots=True)
class Kind:
    """What is asked of a change: of a counter or a gauge, a second or in all."""

    is_counter: bool
    is_rate: bool


RATE, INCREASE, DELTA = Kind(True, True), Kind(True, False), Kind(False, False)


def _extrapolated(span: Span, kind: Kind) -> Result:
    """The change between first and last sample; a drop of a counter is a restart: what was before is added."""
    last, last_ms = span.last()
    ends = Ends(span.values[:, 0], span.window.times[:, 0], last, last_ms, span.count)
    change = ends.last - ends.first
    if kind.is_counter:
        change = change + _lost(span)
    return stretched(ends, change, kind, span.start_ms, span.end_ms, is_old=span.is_old), span.at_least(2)


def stretched(ends: Ends, change: Floats, kind: Kind, start_ms: int, end_ms: int, *, is_old: bool) -> Floats:
    """Prometheus 3's: a change stretched towards the edges of the range.

    1. Towards each edge by the distance to it, or by half the average distance of samples where it is too far.
    2. A counter is not stretched to before the time at which it would have been zero; Prometheus 2 saw to that
       before the first step.
    """
    sampled = (ends.last_ms - ends.first_ms) / 1000
    average = sampled / (ends.count - 1)
    to_start = (ends.first_ms - start_ms) / 1000
    to_end = (end_ms - ends.last_ms) / 1000
    if kind.is_counter and is_old:
        to_start = _not_before_zero(to_start, ends.first, change, sampled)
    to_start = np.where(to_start >= average * _THRESHOLD, average / 2, to_start)
    to_end = np.where(to_end >= average * _THRESHOLD, average / 2, to_end)
    if kind.is_counter and not is_old:
        to_start = _not_before_zero(to_start, ends.first, change, sampled)
    factor = (sampled + to_start + to_end) / sampled
    if kind.is_rate:
        factor = factor / ((end_ms - start_ms) / 1000)
    return np.asarray(change * factor)


def _not_before_zero(to_start: Floats, first: Floats, change: Floats, sampled: Floats) -> Floats:
    to_zero = np.where((change > 0) & (first >= 0), sampled * (first / change), to_start)
    return np.where(to_zero < to_start, to_zero, to_start)


def _lost(span: Span) -> Floats | float:
    """What a counter had before each of its drops, added up."""
    before, after = span.values[:, :-1], span.values[:, 1:]
    drops = after < before
    if not span.is_full:
        drops &= span.inside()[:, 1:]
    return np.where(drops, before, 0.0).sum(axis=1) if drops.any() else 0.0


def _rate(span: Span) -> Result:
    return _extrapolated(span, RATE)


def _increase(span: Span) -> Result:
    return _extrapolated(span, INCREASE)


def _delta(span: Span) -> Result:
    return _extrapolated(span, DELTA)


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


def _double_exponential_smoothing(span: Span) -> Result:
    """Holt's: a level and a trend, each a mix of what was and what comes; one step for all rows."""
    smoothing, trending = span.parameters
    values = span.values
    level, trend = values[:, 0], np.zeros(len(values))
    for column in range(1, values.shape[1]):
        there = span.count > column
        trend_now = values[:, 1] - values[:, 0] if column == 1 else trend
        mixed = smoothing * values[:, column] + (1 - smoothing) * (level + trend_now)
        trend = np.where(there, trending * (mixed - level) + (1 - trending) * trend_now, trend)
        level = np.where(there, mixed, level)
    return level, span.at_least(2)


RATES: dict[str, Callable[[Span], Result]] = {
    "changes": _changes,
    "delta": _delta,
    "deriv": _deriv,
    "double_exponential_smoothing": _double_exponential_smoothing,
    "idelta": _idelta,
    "increase": _increase,
    "irate": _irate,
    "predict_linear": _predict_linear,
    "rate": _rate,
    "resets": _resets,
}
