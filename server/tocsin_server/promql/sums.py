"""Sums that lose nothing to rounding on the way: two doubles for each, added in pairs.

Prometheus adds with Neumaier's compensation, one after the other; both give the sum as if it were rounded once
but for cases that are contrived. Pairs can be added for all rows, or all groups, at once.
"""

from dataclasses import dataclass

import numpy as np

from tocsin_server.series.arrays import Floats, Ints

_EXACT = float(1 << 53)


def _two_sum(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The rounded sum and what rounding has cut off (Knuth)."""
    total = left + right
    virtual = total - left
    return total, (left - (total - virtual)) + (right - virtual)


def is_whole(values: Floats) -> bool:
    """Whether all are integers whose sum cannot round either, in whatever order."""
    return bool((values == np.rint(values)).all() and np.abs(values).sum() < _EXACT)


def row_sums(values: Floats) -> Floats:
    """The sum of each row of `[rows, width]`."""
    plain: Floats = values.sum(axis=1)
    if values.shape[1] < 2 or is_whole(values):
        return plain
    high, low = values, np.zeros_like(values)
    while high.shape[1] > 1:
        if high.shape[1] % 2:
            nothing = np.zeros((len(high), 1))
            high, low = np.hstack((high, nothing)), np.hstack((low, nothing))
        total, lost = _two_sum(high[:, ::2], high[:, 1::2])
        high, low = total, low[:, ::2] + low[:, 1::2] + lost
    return np.where(np.isfinite(plain), high[:, 0] + low[:, 0], plain)


@dataclass(frozen=True, slots=True)
class Tournament:
    """How the values of groups meet in pairs, round by round, until one a group is left.

    A round is the places of the left and right of each pair, and of those that wait for the next round.
    """

    rounds: tuple[tuple[Ints, Ints], ...]
    winners: Ints

    @classmethod
    def of(cls, order: Ints, starts: Ints) -> "Tournament":
        """Of rows listed group by group, each group from one of `starts`; each keeps its first place."""
        sizes = np.diff(np.append(starts, len(order)))
        ranks = np.arange(len(order)) - np.repeat(starts, sizes)
        rounds = []
        places = order
        while len(ranks) and int(ranks.max()):
            right = np.flatnonzero(ranks % 2)
            rounds.append((places[right - 1], places[right]))
            stays = np.flatnonzero(ranks % 2 == 0)
            places, ranks = places[stays], ranks[stays] // 2
        return cls(tuple(rounds), places)

    def sums(self, values: Floats) -> Floats:
        """The sum of each group."""
        high, low = values.copy(), np.zeros_like(values)
        for left, right in self.rounds:
            total, lost = _two_sum(high[left], high[right])
            low[left] += low[right] + lost
            high[left] = total
        winners: Floats = high[self.winners] + low[self.winners]
        return winners
