"""Functions over a range worked out in the rings where its samples lie; see `Cycle`.

They give what `over_time` gives of the same samples in order, but for the last bit of sums. Rows that take more
than one look (counters that have dropped, stale markers, NaN) are left to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.operators import Operand
from tocsin_server.promql.rates import DELTA, INCREASE, RATE, Ends, Kind, stretched
from tocsin_server.series.arrays import Bools, Floats, is_stale
from tocsin_server.series.cycles import Cycle

Sketch = tuple[Floats, Bools, Bools]
"""A value a row, whether there is one, and which rows are left to others."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A cycle, the range `(start, end]`, the instant of the evaluation, and the scalars of the call."""

    cycle: Cycle
    start_ms: int
    end_ms: int
    at_ms: int
    parameters: tuple[Operand, ...]
    is_old: bool

    def at_least(self, samples: int) -> Bools:
        return np.asarray(self.cycle.counts >= samples)


def _change(turn: Turn, kind: Kind) -> Sketch:
    cycle = turn.cycle
    ends = Ends(*cycle.at(cycle.first), *cycle.at(cycle.last), cycle.counts)
    doubtful = cycle.has_nan()
    if kind.is_counter:
        doubtful |= cycle.steps(np.less) > 0
    change = ends.last - ends.first
    values = stretched(ends, change, kind, turn.start_ms, turn.end_ms, is_old=turn.is_old)
    return values, turn.at_least(2), doubtful


def _changes(turn: Turn) -> Sketch:
    return turn.cycle.steps(np.not_equal).astype(np.float64), turn.at_least(1), turn.cycle.has_nan()


def _last(turn: Turn) -> Sketch:
    values, _ = turn.cycle.at(turn.cycle.last)
    present = turn.at_least(1)
    return values, present, present & is_stale(values)


def _regression(cycle: Cycle) -> tuple[Floats, Floats, Floats]:
    """As in `rates`: slope, and a point on the line. The instants are weighed once a line."""
    inside, lines = cycle.inside, cycle.line_of_row
    first, _ = cycle.at(cycle.first)
    first_ms = cycle.times[np.arange(len(cycle.first)), cycle.first]
    seconds = np.where(inside, (cycle.times - first_ms[:, None]) / 1000, 0.0)
    middle = seconds.sum(axis=1) / cycle.count
    seconds = np.where(inside, seconds - middle[:, None], 0.0)
    values = cycle.values - first[:, None]
    np.copyto(values, 0.0, where=~inside[lines])
    slope = np.einsum("ij,ij->i", seconds[lines], values) / np.einsum("ij,ij->i", seconds, seconds)[lines]
    slope = np.where(np.isfinite(slope), slope, np.nan)
    return slope, middle[lines], first + values.sum(axis=1) / cycle.counts


def _deriv(turn: Turn) -> Sketch:
    slope, _, height = _regression(turn.cycle)
    return slope, turn.at_least(2), np.isnan(height)


def _predict_linear(turn: Turn) -> Sketch:
    cycle = turn.cycle
    slope, middle, height = _regression(cycle)
    first_ms = cycle.times[np.arange(len(cycle.first)), cycle.first][cycle.line_of_row]
    seconds = (turn.at_ms - first_ms) / 1000 + turn.parameters[0]
    return height + slope * (seconds - middle), turn.at_least(2), np.isnan(height)


CYCLIC: dict[str, Callable[[Turn], Sketch]] = {
    "changes": _changes,
    "delta": lambda turn: _change(turn, DELTA),
    "deriv": _deriv,
    "increase": lambda turn: _change(turn, INCREASE),
    "last_over_time": _last,
    "predict_linear": _predict_linear,
    "rate": lambda turn: _change(turn, RATE),
}
