"""The samples of a range where they lie: in rings, of which nothing is copied into order.

A ring is hardly deeper than the range that it was made for, so most of it is inside. All rows of a line share
its instants; what follows from those alone is worked out once a line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tocsin_server.series.arrays import Bools, Floats, Ints, Places
from tocsin_server.series.banks import Bank


@dataclass(frozen=True)
class Cycle:
    """Some rows of a bank with the range `(start, end]` in their rings; `times` are a ring a line.

    A line's oldest sample lies in slot `first`, and the others of its `count` follow it, around the ring. Stale
    markers are among them.
    """

    bank: Bank
    rows: Places
    line_of_row: Places
    times: Ints
    inside: Bools
    first: Ints
    count: Ints

    @property
    def counts(self) -> Ints:
        """How many samples each row has, stale markers among them."""
        return self.count[self.line_of_row]

    @cached_property
    def values(self) -> Floats:
        """The rings, to be looked at only: they may be the bank's own."""
        rows = self.rows
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            return self.bank.values[rows[0] : rows[-1] + 1]
        return self.bank.values.take(rows, axis=0)

    @property
    def last(self) -> Ints:
        """The slot of each line's newest sample."""
        return np.asarray((self.first + self.count - 1) % self.bank.depth)

    def at(self, slots: Ints) -> tuple[Floats, Ints]:
        """Value and time of each row in a slot of its line."""
        times = self.times[np.arange(len(slots)), slots]
        return self.bank.values[self.rows, slots[self.line_of_row]], times[self.line_of_row]

    def has_nan(self) -> Bools:
        """Which rows hold something that is no number: a stale marker perhaps."""
        strange = np.isnan(self.values)
        if not strange.any():
            return np.zeros(len(self.rows), np.bool_)
        strange &= self.inside[self.line_of_row]
        return np.asarray(strange.any(axis=1))

    def steps(self, compare: Callable[[Floats, Floats], Bools]) -> Ints:
        """How many samples of a row compare so with the one before them."""
        values, inside, lines = self.values, self.inside, self.line_of_row
        follow = inside[:, 1:] & inside[:, :-1]
        around = inside[:, 0] & inside[:, -1] & (self.first != 0)
        begun = np.flatnonzero(self.first)
        follow[begun, self.first[begun] - 1] = False
        found = compare(values[:, 1:], values[:, :-1])
        found &= follow[lines]
        turned = compare(values[:, 0], values[:, -1]) & around[lines]
        many = np.count_nonzero(found, axis=1) if found.any() else 0
        return np.asarray(many + turned.astype(np.int64))
