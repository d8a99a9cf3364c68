"""Vectors at several instants, one upon the other: what a subquery's range holds."""

from collections.abc import Sequence

import numpy as np

from tocsin_server.promql.dense import Dense
from tocsin_server.series.arrays import Ints
from tocsin_server.series.labels import Labels, joined
from tocsin_server.series.source import Window, pack


def steps(start_ms: int, end_ms: int, step_ms: int) -> range:
    """The instants in `(start, end]` that are multiples of the step, whatever the instant of the query."""
    first = start_ms // step_ms * step_ms + step_ms
    return range(first, end_ms + 1, step_ms)


def stacked(results: Sequence[Dense], times_ms: Sequence[int], nothing: Labels) -> tuple[Dense, Window]:
    """Every row of any of the results, with its samples. The dense has no values: labels and flags count.

    As long as series neither come nor go all results have the very same labels, and rows their places.
    """
    tables = list({id(result.labels): result.labels for result in results}.values())
    if not tables:
        return _nothing(nothing)
    labels, places = _union(tables)
    size = (len(labels), len(results))
    values, there = np.zeros(size), np.zeros(size, np.bool_)
    unnamed = np.zeros(len(labels), np.bool_)
    for column, result in enumerate(results):
        rows = places[id(result.labels)][result.present]
        values[rows, column] = result.values[result.present]
        there[rows, column] = True
        if result.unnamed is not None:
            unnamed[rows] |= result.unnamed[result.present]
    times = np.broadcast_to(np.array(times_ms, np.int64), size)
    flags = unnamed if unnamed.any() else None
    return Dense(labels, np.zeros(len(labels)), np.asarray(there.any(axis=1)), flags), pack(
        values, times, there
    )


def _nothing(labels: Labels) -> tuple[Dense, Window]:
    dense = Dense(labels, np.zeros(len(labels)), np.zeros(len(labels), np.bool_))
    empty = np.zeros((len(labels), 0))
    return dense, Window(empty, empty.astype(np.int64), np.zeros(len(labels), np.int64))


def _union(tables: Sequence[Labels]) -> tuple[Labels, dict[int, Ints]]:
    """All rows of the tables, equal ones once, and by a table's id where its rows are among them."""
    if len(tables) == 1:
        return tables[0], {id(tables[0]): np.arange(len(tables[0]))}
    every = joined(tables)
    _, first, place = np.unique(every.identity(), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ends = np.cumsum([len(table) for table in tables]).tolist()
    places = {id(table): rank[place[end - len(table) : end]] for table, end in zip(tables, ends, strict=True)}
    return every.take(first[order]), places
