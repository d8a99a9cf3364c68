"""One evaluation: walks a tree and gives dense vectors, for every client at once.

A client's mistake (two series where one is asked for) is noted in `failures` and the evaluation goes on for the
others; whoever takes the result leaves the rows of failed clients out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tocsin_server.promql import matching as matches
from tocsin_server.promql.aggregation import SELECTING, aggregate, count_values, gather
from tocsin_server.promql.budget import Budget
from tocsin_server.promql.calls import SPECIAL
from tocsin_server.promql.cyclic import CYCLIC, Turn
from tocsin_server.promql.dense import Dense, Value, duplicates, row_per_client, spread
from tocsin_server.promql.elementwise import ELEMENTWISE, is_possible
from tocsin_server.promql.operators import ARITHMETIC, COMPARISON, Operand, calculate
from tocsin_server.promql.over_time import KEEPS_NAME, OVER_TIME, apply
from tocsin_server.promql.span import Result, Span
from tocsin_server.promql.stacked import stacked, steps
from tocsin_server.promql.syntax import (
    COMPARISONS,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Negation,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
    ranged,
)
from tocsin_server.series.arrays import Bools, Floats
from tocsin_server.series.labels import NAME, Labels
from tocsin_server.series.readings import HeadSelection
from tocsin_server.series.source import Selection, Source, Window


@dataclass(frozen=True, slots=True)
class Query:
    """What is the same for all instants of a query.

    `delays_names` drops metric names at the end, as Prometheus does behind its flag; `is_old` works out rates
    as Prometheus 2 did.
    """

    start_ms: int
    end_ms: int
    step_ms: int = 0
    delays_names: bool = False
    is_old: bool = False


class Evaluation:
    """One instant of a source; `query` is the whole that it is a part of, for `@ start()` and others."""

    def __init__(
        self, source: Source, at_ms: int, *, query: Query | None = None, budget: Budget | None = None
    ) -> None:
        self.source: Source = source
        self.at_ms: int = at_ms
        self.query: Query = query or Query(at_ms, at_ms)
        self.failures: dict[int, str] = {}
        self._budget = budget or Budget()

    def rows(self, node: Node) -> Dense:
        """The result as rows: a scalar is one for each client."""
        with np.errstate(all="ignore"):
            value = self.value(node)
            return self._cleaned(value) if isinstance(value, Dense) else self.from_scalar(value)

    def _cleaned(self, dense: Dense) -> Dense:
        """Rows that are to lose their name have lost it."""
        if dense.unnamed is None:
            return dense
        names = np.where(dense.unnamed, 0, dense.labels.column(NAME)).astype(np.int32)
        labels = dense.labels.replaced({**dense.labels.columns, NAME: names})
        return self.distinct(Dense(labels, dense.values, dense.present))

    def is_sound(self, labels: Labels) -> Bools:
        """Which rows belong to clients whose part could be evaluated."""
        if not self.failures:
            return np.ones(len(labels), np.bool_)
        return np.isin(labels.clients, list(self.failures), invert=True)

    def value(self, node: Node) -> Value:
        """What a node gives."""
        match node:
            case Number(value=value):
                return value
            case Selector():
                return self.select(node)[0]
            case Negation(expression=inner):
                return self._negated(self.value(inner))
            case Binary():
                return self._binary(node)
            case Aggregate():
                return self._aggregate(node)
            case Call():
                return self._call(node)
            case Range() | Subquery() | Text():
                raise TypeError(f"{type(node).__name__} has no value of its own")  # `parse` lets none through

    def vector(self, node: Node) -> Dense:
        """What a node gives that is known to give a vector."""
        value = self.value(node)
        if not isinstance(value, Dense):
            raise TypeError("a vector is expected")  # the parser has checked the types
        return value

    def scalar(self, node: Node) -> Operand:
        """What a node gives that is known to give a scalar."""
        value = self.value(node)
        if isinstance(value, Dense):
            raise TypeError("a scalar is expected")  # the parser has checked the types
        return value

    def blame(self, failures: Iterable[matches.Failure]) -> None:
        """Note why parts failed; the first reason stays."""
        for client, why in failures:
            self.failures.setdefault(client, why)

    def _moment(self, asked: Selector | Subquery) -> int:
        match asked.at:
            case None:
                moment = self.at_ms
            case "start":
                moment = self.query.start_ms
            case "end":
                moment = self.query.end_ms
            case int(at):
                moment = at
        return moment - asked.offset_ms

    def select(self, node: Selector) -> tuple[Dense, Floats]:
        """The newest samples, and their times in seconds."""
        selection = self.selected(node)
        self._budget.spend(len(selection.labels))
        instant = self.source.instant(selection, self._moment(node))
        return Dense(selection.labels, instant.values, instant.present), instant.times / 1000

    def from_scalar(self, scalar: Operand) -> Dense:
        labels = row_per_client(self.source)
        values = np.broadcast_to(np.asarray(scalar, np.float64), len(labels))
        return Dense(labels, values, np.ones(len(labels), np.bool_))

    def distinct(self, dense: Dense) -> Dense:
        """The vector; clients of which two present rows carry the same labels fail."""
        message = "vector cannot contain metrics with the same labelset {}"
        self.blame(matches.told(dense.labels, duplicates(dense.labels, dense.present), message))
        return dense

    def renamed(self, dense: Dense, values: Floats, present: Bools | None = None) -> Dense:
        """Other values under the same labels, less the name: at once, or at the end."""
        present = dense.present if present is None else present
        if self.query.delays_names:
            return Dense(dense.labels, values, present, np.ones(len(present), np.bool_))
        return self.distinct(Dense(dense.labels, values, present).nameless())

    def _negated(self, value: Value) -> Value:
        return self.renamed(value, -value.values) if isinstance(value, Dense) else -value

    def _aggregate(self, node: Aggregate) -> Dense:
        if isinstance(node.parameter, Text):
            return count_values(self.vector(node.expression), node.grouping, node.parameter.value)
        parameter: Operand = np.nan if node.parameter is None else self.scalar(node.parameter)
        rows = self.vector(node.expression)
        if node.operator in SELECTING:
            self._check_limit(parameter)
        gathered = gather(rows, node.grouping, lambda labels: spread(self.source, parameter, labels))
        return aggregate(node.operator, gathered, rows.labels)

    def _check_limit(self, parameter: Operand) -> None:
        clients = self.source.clients
        wrong = clients[np.isnan(np.broadcast_to(parameter, len(clients)))]
        self.blame((client, "the parameter value is NaN") for client in wrong.tolist())

    def _binary(self, node: Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Dense):
            if isinstance(right, Dense):
                return self._of_vectors(node, left, right)
            return self._against(node, left, left.values, spread(self.source, right, left.labels))
        if isinstance(right, Dense):
            return self._against(node, right, spread(self.source, left, right.labels), right.values)
        return calculate(node.operator, left, right)

    def _of_vectors(self, node: Binary, left: Dense, right: Dense) -> Dense:
        if node.operator in SET_OPERATORS:
            return self.distinct(matches.SET_OPERATIONS[node.operator](left, right, node.matching))
        return self._matched(node, left, right)

    def _against(self, node: Binary, rows: Dense, left: Operand, right: Operand) -> Dense:
        """A vector and a scalar."""
        if node.operator in COMPARISONS and not node.as_bool:
            return replace(rows, present=rows.present & COMPARISON[node.operator](left, right))
        return self.renamed(rows, np.asarray(calculate(node.operator, left, right)))

    def _matched(self, node: Binary, left: Dense, right: Dense) -> Dense:
        """Two vectors, row by row."""
        is_turned = node.matching.group == "right"
        many, one = (right, left) if is_turned else (left, right)
        if node.matching.fill_left is not None or node.matching.fill_right is not None:
            many, one = matches.filled(many, one, node.matching)
        drops_name = node.operator in ARITHMETIC or (node.as_bool and not self.query.delays_names)
        pairs = matches.pair(many, one, node.matching, drops_name=drops_name)
        self.blame(pairs.failures)
        if not len(one.values):
            return Dense(pairs.labels, many.values, np.zeros(len(many.values), np.bool_))
        met = one.values[pairs.partner]
        lefts, rights = (met, many.values) if is_turned else (many.values, met)
        if node.operator in COMPARISONS and not node.as_bool:
            return Dense(pairs.labels, lefts, pairs.present & COMPARISON[node.operator](lefts, rights))
        values = np.asarray(calculate(node.operator, lefts, rights))
        unnamed = np.ones(len(values), np.bool_) if node.as_bool and self.query.delays_names else None
        return Dense(pairs.labels, values, pairs.present, unnamed)

    def _call(self, node: Call) -> Value:
        if node.function in SPECIAL:
            return SPECIAL[node.function](self, node)
        if node.function in ELEMENTWISE:
            return self._elementwise(node)
        return self._over_time(node)

    def _elementwise(self, node: Call) -> Dense:
        rows = self.vector(node.arguments[0])
        scalars = [spread(self.source, self.scalar(each), rows.labels) for each in node.arguments[1:]]
        present = rows.present & is_possible(*scalars) if node.function == "clamp" else rows.present
        return self.renamed(rows, ELEMENTWISE[node.function](rows.values, *scalars), present)

    def _over_time(self, node: Call) -> Dense:
        """A function over a range."""
        given = ranged(node)
        scalars = [self.scalar(each) for each in node.arguments if each is not given]
        if node.function == "double_exponential_smoothing":
            self._check_factors(scalars)
        if isinstance(given, Subquery):
            rows, window = self.subquery(given)
            values, present = apply(node.function, self._span(given, window, rows.labels, scalars))
            dense = replace(rows, values=values, present=present)
        else:
            dense = self._over_blocks(node.function, given, scalars)
        return dense if node.function in KEEPS_NAME else self.renamed(dense, dense.values)

    def _over_blocks(self, function: str, given: Range, scalars: Sequence[Operand]) -> Dense:
        """Block by block: a window has many samples for each value that comes of it."""
        selection = self.selected(given.selector)
        results = [self._over_block(function, given, block, scalars) for block in selection.blocks]
        values = np.concatenate([np.zeros(0), *(values for values, _ in results)])
        present = np.concatenate([np.zeros(0, np.bool_), *(present for _, present in results)])
        return Dense(selection.labels, values, present)

    def _over_block(self, function: str, given: Range, block: Selection, scalars: Sequence[Operand]) -> Result:
        """In the rings where that can be done; in order all else, and rows that are doubtful."""
        if not isinstance(block, HeadSelection) or function not in CYCLIC:
            return apply(function, self.span(given, block, scalars))
        turn = self._turn(given, block, scalars)
        if turn is None:
            return apply(function, self.span(given, block, scalars))
        values, present, doubtful = CYCLIC[function](turn)
        rows = np.flatnonzero(doubtful & present)
        if len(rows):
            rest = self.span(given, block.take(rows), scalars)
            values[rows], present[rows] = apply(function, rest)
        return values, present

    def _turn(self, given: Range, block: HeadSelection, scalars: Sequence[Operand]) -> Turn | None:
        """The range where it lies, unless that is more work."""
        end_ms = self._moment(given.selector)
        start_ms = end_ms - given.range_ms
        cycle = block.cycle(start_ms, end_ms)
        if cycle is None:
            return None
        self._budget.spend(int(cycle.counts.sum()))
        spreads = tuple(spread(self.source, scalar, block.labels) for scalar in scalars)
        return Turn(cycle, start_ms, end_ms, self.at_ms, spreads, self.query.is_old)

    def _check_factors(self, factors: Sequence[Operand]) -> None:
        clients = self.source.clients
        for name, factor in zip(("smoothing", "trend"), factors, strict=True):
            is_right = np.broadcast_to(np.greater(factor, 0) & np.less(factor, 1), len(clients))
            why = f"the {name} factor has to be above 0 and below 1"
            self.blame((client, why) for client in clients[~is_right].tolist())

    def subquery(self, node: Subquery) -> tuple[Dense, Window]:
        """The rows that the inner expression has had, and what it has given at each step of the range."""
        end_ms = self._moment(node)
        instants = steps(end_ms - node.range_ms, end_ms, node.step_ms)
        results = []
        for at_ms in instants:
            self._budget.spend(1)
            inner = Evaluation(self.source, at_ms, query=self.query, budget=self._budget)
            results.append(inner._part(node.expression))
            self.blame(inner.failures.items())
        dense, window = stacked(results, instants, row_per_client(self.source).take(slice(0, 0)))
        self._budget.spend(window.values.size)
        return dense, window

    def _part(self, node: Node) -> Dense:
        value = self.value(node)
        return value if isinstance(value, Dense) else self.from_scalar(value)

    def selected(self, node: Selector) -> Selection:
        """The series of a selector."""
        self._budget.spend(1)
        selection: Selection = self.source.select(node.name, node.matchers)
        return selection

    def span(self, node: Range, selection: Selection, parameters: Sequence[Operand] = ()) -> Span:
        """The samples that a range holds of some of its series."""
        end_ms = self._moment(node.selector)
        window = self.source.window(selection, end_ms - node.range_ms, end_ms)
        self._budget.spend(window.values.size)
        return self._span(node, window, selection.labels, parameters)

    def _span(
        self, node: Range | Subquery, window: Window, labels: Labels, parameters: Sequence[Operand]
    ) -> Span:
        end_ms = self._moment(node.selector if isinstance(node, Range) else node)
        scalars = tuple(spread(self.source, parameter, labels) for parameter in parameters)
        return Span(window, end_ms - node.range_ms, end_ms, self.at_ms, scalars, self.query.is_old)


FUNCTIONS: Final = ELEMENTWISE.keys() | OVER_TIME.keys() | SPECIAL.keys()
"""What `parse` lets in."""
