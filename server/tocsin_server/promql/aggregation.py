"""Aggregations: which rows belong together is worked out once a set of labels, then every group at once.

The client is part of every group. A group whose members are all absent is absent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.dense import Dense
from tocsin_server.promql.operators import Operand
from tocsin_server.promql.over_time import quantile
from tocsin_server.promql.spelling import decimal
from tocsin_server.promql.sums import Tournament, is_whole
from tocsin_server.promql.syntax import Grouping
from tocsin_server.series.arrays import Bools, Floats, Ints
from tocsin_server.series.labels import NO_HOST, Labels, signatures


@dataclass(frozen=True, slots=True)
class Groups:
    """`member_of[row]` is the row's group; `order` lists rows group by group, each from `starts`."""

    labels: Labels
    member_of: Ints
    order: Ints
    starts: Ints

    def tournament(self) -> Tournament:
        """How members are added up in pairs."""
        return self.labels.derive("tournament", lambda: Tournament.of(self.order, self.starts))


def groups_of(labels: Labels, grouping: Grouping) -> Groups:
    """The groups, remembered on the labels."""
    return labels.derive(grouping, lambda: _groups_of(labels, grouping))


def _groups_of(labels: Labels, grouping: Grouping) -> Groups:
    names = labels.columns.keys() - grouping.ignored if grouping.without else {*grouping.labels}
    kept = labels.only(names)
    member_of = signatures([kept], tuple(kept.columns))
    order = np.argsort(member_of, kind="stable")
    starts = np.flatnonzero(np.diff(member_of[order], prepend=-1))
    columns = {name: codes[order[starts]] for name, codes in kept.columns.items()}
    shared = _shared_hosts(labels.hosts[order], starts)
    return Groups(
        Labels(labels.symbols, labels.clients[order[starts]], shared, columns), member_of, order, starts
    )


def _shared_hosts(hosts: Ints, starts: Ints) -> Ints:
    """The host of each group whose rows all come from one."""
    if not len(starts):
        return np.zeros(0, np.int64)
    lowest, highest = np.minimum.reduceat(hosts, starts), np.maximum.reduceat(hosts, starts)
    return np.where(lowest == highest, lowest, NO_HOST)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Present rows only: their values, groups, and how many each group has."""

    groups: Groups
    values: Floats
    present: Bools
    counts: Ints
    parameter: Operand
    """A scalar, one for all groups or one a group."""
    unnamed: Bools | None = None
    """Which rows are to lose their name at the end."""

    def any_unnamed(self) -> Bools | None:
        """Which groups have such a member."""
        if self.unnamed is None:
            return None
        members = self.groups.member_of[self.unnamed & self.present]
        return np.asarray(np.bincount(members, minlength=len(self.counts)) > 0)

    def total(self, values: Floats) -> Floats:
        """The sum of each group over its present rows."""
        kept = values if self.present.all() else np.where(self.present, values, 0.0)
        plain = np.asarray(np.bincount(self.groups.member_of, kept, len(self.counts)), np.float64)
        if is_whole(kept):
            return plain
        return np.where(np.isfinite(plain), self.groups.tournament().sums(kept), plain)

    def by_group(self, filling: float) -> Floats:
        """The values group after group, the absent ones filled."""
        return np.where(self.present, self.values, filling)[self.groups.order]


def gather(dense: Dense, grouping: Grouping, parameter: Callable[[Labels], Operand]) -> Gathered:
    """A vector sorted into groups; `parameter` gives the scalar of the aggregation for rows of these labels."""
    groups = groups_of(dense.labels, grouping)
    counts = np.bincount(groups.member_of[dense.present], minlength=len(groups.labels))
    return Gathered(groups, dense.values, dense.present, counts, parameter(groups.labels), dense.unnamed)


def aggregate(operator: str, gathered: Gathered, labels: Labels) -> Dense:
    """The aggregation; `labels` are those of the rows, which topk and bottomk keep."""
    if operator in SELECTING:
        present = _selected(gathered, largest=operator == "topk")
        return Dense(labels, gathered.values, present, gathered.unnamed)
    groups = gathered.groups.labels
    values = REDUCING[operator](gathered) if len(groups) else np.zeros(0)
    return Dense(groups, values, gathered.counts > 0, gathered.any_unnamed())


def _mean(gathered: Gathered) -> Floats:
    total = gathered.total(gathered.values)
    mean: Floats = total / gathered.counts
    if np.isinf(total).any():  # the sum may have overflowed where the mean does not
        parts = gathered.values / gathered.counts[gathered.groups.member_of]
        mean = np.where(np.isinf(total), gathered.total(parts), mean)
    return mean


def _stdvar(gathered: Gathered) -> Floats:
    member_of = gathered.groups.member_of
    away = gathered.values - _mean(gathered)[member_of]
    # What rounding has left in the mean is taken out again, so that equal values do not differ from it.
    away = away - (gathered.total(away) / gathered.counts)[member_of]
    return np.asarray(gathered.total(away * away) / gathered.counts)


def _quantile(gathered: Gathered) -> Floats:
    # NaN is the smallest value; descending it sorts to the end of its group, and absent rows behind it.
    member_of, present = gathered.groups.member_of, gathered.present
    order = np.lexsort((-gathered.values, ~present, member_of))
    descending = gathered.values[order]

    def ranked(index: Ints) -> Floats:
        picked: Floats = descending[gathered.groups.starts + np.clip(gathered.counts - 1 - index, 0, None)]
        return picked

    return quantile(gathered.parameter, gathered.counts, ranked)


def _selected(gathered: Gathered, *, largest: bool) -> Bools:
    """The k best present rows of each group; NaN is worst, the earlier row wins among equals."""
    member_of, present = gathered.groups.member_of, gathered.present
    order = np.lexsort((-gathered.values if largest else gathered.values, ~present, member_of))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rank = place - gathered.groups.starts[member_of]
    limit = gathered.parameter
    if isinstance(limit, np.ndarray):
        limit = limit[member_of]
    return np.asarray(present & (rank < np.trunc(limit)))


REDUCING: dict[str, Callable[[Gathered], Floats]] = {
    "avg": _mean,
    "count": lambda gathered: gathered.counts.astype(np.float64),
    "group": lambda gathered: np.ones(len(gathered.counts)),
    "max": lambda gathered: np.fmax.reduceat(gathered.by_group(np.nan), gathered.groups.starts),
    "min": lambda gathered: np.fmin.reduceat(gathered.by_group(np.nan), gathered.groups.starts),
    "quantile": _quantile,
    "stddev": lambda gathered: np.sqrt(_stdvar(gathered)),
    "stdvar": _stdvar,
    "sum": lambda gathered: gathered.total(gathered.values),
}

SELECTING = frozenset({"bottomk", "topk"})
AGGREGATIONS = REDUCING.keys() | SELECTING | {"count_values"}


def count_values(dense: Dense, grouping: Grouping, label: str) -> Dense:
    """How many rows of a group have each value; the value becomes a label, which joins the group."""
    rows = np.flatnonzero(dense.present)
    distinct, inverse = np.unique(dense.values[rows], return_inverse=True, equal_nan=True)
    code = dense.labels.symbols.code
    codes = np.array([code(decimal(value)) for value in distinct.tolist()], np.int32)[inverse]
    own = dense.labels.take(rows)
    counted = own.replaced({**own.columns, label: codes})
    if grouping.without:
        grouping = Grouping(tuple(name for name in grouping.labels if name != label), without=True)
    else:
        grouping = Grouping((*grouping.labels, label), without=False)
    there = np.ones(len(rows), np.bool_)
    unnamed = None if dense.unnamed is None else dense.unnamed[rows]
    values = Dense(counted, dense.values[rows], there, unnamed)
    return aggregate("count", gather(values, grouping, lambda _: np.nan), counted)
