"""An expression over a source at an instant, or at each of many: all clients at once, each as if alone.

What is wrong with one client's part (two series where one is asked for) is told in `Vector.failures` and takes
only that client's rows away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tocsin_server.promql.budget import Budget
from tocsin_server.promql.evaluation import Evaluation, Query
from tocsin_server.promql.expression import Expression
from tocsin_server.promql.order import ordered
from tocsin_server.series.arrays import Floats
from tocsin_server.series.labels import NO_HOST, Labels, joined
from tocsin_server.series.source import Source


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a result."""

    client_id: int
    host_id: int | None
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """The rows that are there. `failures` says, by client, why its part could not be evaluated."""

    labels: Labels
    values: Floats
    failures: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.values)

    def rows(self) -> Iterator[Row]:
        """The rows as plain values."""
        return (self.row(index) for index in range(len(self)))

    def row(self, index: int) -> Row:
        """One of them."""
        labels, host = self.labels, int(self.labels.hosts[index])
        host_id = None if host == NO_HOST else host
        return Row(int(labels.clients[index]), host_id, labels.row(index), float(self.values[index]))


def evaluate(
    expression: Expression,
    source: Source,
    at_ms: int,
    *,
    query: Query | None = None,
    budget: Budget | None = None,
) -> Vector:
    """The result at an instant; raises `TooCostly` where it takes more than the budget."""
    evaluation = Evaluation(source, at_ms, query=query, budget=budget)
    dense = evaluation.rows(expression.root)
    present = dense.present & evaluation.is_sound(dense.labels)
    there = np.flatnonzero(present)
    rows = ordered(expression.root, dense, there)
    is_whole = rows is there and len(rows) == len(present)
    labels = dense.labels if is_whole else dense.labels.take(rows)
    return Vector(labels, dense.values[rows], evaluation.failures)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a result over time; NaN where it is absent."""

    client_id: int
    host_id: int | None
    labels: dict[str, str]
    values: Floats


def evaluate_range(
    expression: Expression,
    source: Source,
    *,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    query: Query | None = None,
    budget: Budget | None = None,
) -> list[Line]:
    """The results at `start`, `start + step`, … up to `end`; steps where a client's part fails are absent.

    Raises `TooCostly` where it takes more than the budget, which is for all steps together.
    """
    steps = range(start_ms, end_ms + 1, step_ms)
    query, budget = query or Query(start_ms, end_ms, step_ms), budget or Budget()
    blocks: dict[Labels, Floats] = {}
    for step, at_ms in enumerate(steps):
        evaluation = Evaluation(source, at_ms, query=query, budget=budget)
        dense = evaluation.rows(expression.root)
        block = blocks.get(dense.labels)
        if block is None:
            block = blocks[dense.labels] = np.full((len(dense.labels), len(steps)), np.nan)
        present = dense.present & evaluation.is_sound(dense.labels)
        block[present, step] = dense.values[present]
    return _lines(blocks)


def _lines(blocks: Mapping[Labels, Floats]) -> list[Line]:
    """Rows of all blocks that have a value; the same row in two blocks, before and after a change, is one."""
    if not blocks:
        return []
    labels, values = joined(list(blocks)), np.concatenate(list(blocks.values()))
    order = np.argsort(labels.identity(), kind="stable")
    starts = np.flatnonzero(np.diff(labels.identity()[order], prepend=-1))
    merged = np.fmax.reduceat(values[order], starts, axis=0) if len(starts) else values
    some = np.flatnonzero(~np.isnan(merged).all(axis=1))
    rows = order[starts[some]]
    return [
        Line(client_id=client, host_id=host if host != NO_HOST else None, labels=labels.row(row), values=line)
        for row, client, host, line in zip(
            rows.tolist(), labels.clients[rows].tolist(), labels.hosts[rows].tolist(), merged[some], strict=True
        )
    ]
