"""What a function over a range is given: the samples of all rows, a row's on the left.

The window is `[rows, widest]`; `Span.inside` says where samples are.
"""

from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.operators import Operand
from tocsin_server.series.arrays import Bools, Floats, Ints
from tocsin_server.series.source import Window

Result = tuple[Floats, Bools]
"""A value a row, and whether there is one."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window, the range `(start, end]` that it was cut from, and the instant of the evaluation.

    `parameters` are the scalars of the call, each one number or one a row.
    """

    window: Window
    start_ms: int
    end_ms: int
    at_ms: int
    parameters: tuple[Operand, ...] = ()
    is_old: bool = False
    """Whether rates are as Prometheus 2 worked them out, to be compared with it."""

    @property
    def parameter(self) -> Operand:
        return self.parameters[0]

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
