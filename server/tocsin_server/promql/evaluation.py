"""One evaluation: walks a tree and gives dense vectors, for every client at once.

A client's mistake (two series where one is asked for) is noted in `failures` and the evaluation goes on for the
others; whoever takes the result leaves the rows of failed clients out.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from tocsin_server.promql import matching as matches
from tocsin_server.promql.aggregation import SELECTING, aggregate, gather
from tocsin_server.promql.dense import Dense, client_index, duplicates, row_per_client, spread
from tocsin_server.promql.elementwise import ELEMENTWISE, is_possible
from tocsin_server.promql.operators import ARITHMETIC, COMPARISON, Operand, calculate
from tocsin_server.promql.over_time import KEEPS_NAME, OVER_TIME, Span, apply
from tocsin_server.promql.relabel import label_replace
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
    Text,
)
from tocsin_server.series.arrays import Bools, Floats
from tocsin_server.series.labels import Labels
from tocsin_server.series.matchers import MatchKind
from tocsin_server.series.source import Selection, Source

Value = Dense | Operand
"""A vector, or a scalar: one number for all clients, or an array of one for each of `source.clients`."""


class Evaluation:
    """One instant of a source; `start_ms` and `end_ms` are those of the whole query, for `@ start()`."""

    def __init__(
        self, source: Source, at_ms: int, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> None:
        self.source = source
        self.at_ms = at_ms
        self.failures: dict[int, str] = {}
        self._moments = {
            "start": at_ms if start_ms is None else start_ms,
            "end": at_ms if end_ms is None else end_ms,
        }

    def rows(self, node: Node) -> Dense:
        """The result as rows: a scalar is one for each client."""
        with np.errstate(all="ignore"):
            value = self.value(node)
            return value if isinstance(value, Dense) else self.from_scalar(value)

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
            case Range() | Text():
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

    def _moment(self, selector: Selector) -> int:
        at = selector.at
        moment = self.at_ms if at is None else self._moments[at] if isinstance(at, str) else at
        return moment - selector.offset_ms

    def select(self, node: Selector) -> tuple[Dense, Floats]:
        """The newest samples, and their times in seconds."""
        selection = self.selected(node)
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
        """Other values under the same labels, less the name."""
        return self.distinct(
            Dense(dense.labels, values, dense.present if present is None else present).nameless()
        )

    def _negated(self, value: Value) -> Value:
        return self.renamed(value, -value.values) if isinstance(value, Dense) else -value

    def _aggregate(self, node: Aggregate) -> Dense:
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
            return Dense(rows.labels, rows.values, rows.present & COMPARISON[node.operator](left, right))
        return self.renamed(rows, np.asarray(calculate(node.operator, left, right)))

    def _matched(self, node: Binary, left: Dense, right: Dense) -> Dense:
        """Two vectors, row by row."""
        is_turned = node.matching.group == "right"
        many, one = (right, left) if is_turned else (left, right)
        drops_name = node.operator in ARITHMETIC or node.as_bool
        pairs = matches.pair(many, one, node.matching, drops_name=drops_name)
        self.blame(pairs.failures)
        if not len(one.values):
            return Dense(pairs.labels, many.values, np.zeros(len(many.values), np.bool_))
        met = one.values[pairs.partner]
        lefts, rights = (met, many.values) if is_turned else (many.values, met)
        if node.operator in COMPARISONS and not node.as_bool:
            return Dense(pairs.labels, lefts, pairs.present & COMPARISON[node.operator](lefts, rights))
        return Dense(pairs.labels, np.asarray(calculate(node.operator, lefts, rights)), pairs.present)

    def _call(self, node: Call) -> Value:
        if node.function in _SPECIAL:
            return _SPECIAL[node.function](self, node)
        if node.function in ELEMENTWISE:
            return self._elementwise(node)
        return self._over_time(node)

    def _elementwise(self, node: Call) -> Dense:
        rows = self.vector(node.arguments[0])
        scalars = [spread(self.source, self.scalar(each), rows.labels) for each in node.arguments[1:]]
        present = rows.present & is_possible(*scalars) if node.function == "clamp" else rows.present
        return self.renamed(rows, ELEMENTWISE[node.function](rows.values, *scalars), present)

    def _over_time(self, node: Call) -> Dense:
        """Block by block: a window has many samples for each value that comes of it."""
        ranged = _ranged(node)
        scalars = [self.scalar(each) for each in node.arguments if each is not ranged]
        parameter = scalars[0] if scalars else np.nan
        selection = self.selected(ranged.selector)
        results = [apply(node.function, self.span(ranged, block, parameter)) for block in selection.blocks]
        values = np.concatenate([np.zeros(0), *(values for values, _ in results)])
        present = np.concatenate([np.zeros(0, np.bool_), *(present for _, present in results)])
        dense = Dense(selection.labels, values, present)
        return dense if node.function in KEEPS_NAME else self.distinct(dense.nameless())

    def selected(self, node: Selector) -> Selection:
        """The series of a selector."""
        selection: Selection = self.source.select(node.name, node.matchers)
        return selection

    def span(self, node: Range, selection: Selection, parameter: Operand = np.nan) -> Span:
        """The samples that a range holds of some of its series."""
        end_ms = self._moment(node.selector)
        start_ms = end_ms - node.range_ms
        window = self.source.window(selection, start_ms, end_ms)
        return Span(window, start_ms, end_ms, self.at_ms, spread(self.source, parameter, selection.labels))


def _ranged(node: Call) -> Range:
    """The range among the arguments; the parser has seen to it that there is one."""
    return next(each for each in node.arguments if isinstance(each, Range))


def _time(run: Evaluation, _node: Call) -> float:
    return run.at_ms / 1000


def _timestamp(run: Evaluation, node: Call) -> Dense:
    (argument,) = node.arguments
    if isinstance(argument, Selector):
        rows, times = run.select(argument)
        return run.renamed(rows, times)
    rows = run.vector(argument)
    return run.renamed(rows, np.full(len(rows.values), run.at_ms / 1000))


def _vector(run: Evaluation, node: Call) -> Dense:
    return run.from_scalar(run.scalar(node.arguments[0]))


def _scalar(run: Evaluation, node: Call) -> Floats:
    """The value of each client's only row, NaN for a client that has none or several."""
    rows = run.vector(node.arguments[0])
    places = client_index(run.source, rows.labels)[rows.present]
    size = len(run.source.clients)
    counts = np.bincount(places, minlength=size)
    return np.where(counts == 1, np.bincount(places, rows.values[rows.present], minlength=size), np.nan)


def _absent(run: Evaluation, node: Call) -> Dense:
    (argument,) = node.arguments
    rows = run.vector(argument)
    return _missing(run, rows.labels, rows.present, argument)


def _absent_over_time(run: Evaluation, node: Call) -> Dense:
    ranged = _ranged(node)
    selection = run.selected(ranged.selector)
    return _missing(run, selection.labels, run.span(ranged, selection).at_least(1), ranged.selector)


def _missing(run: Evaluation, labels: Labels, present: Bools, asked: Node) -> Dense:
    """1 for each client that has none of the rows."""
    has_none = np.ones(len(run.source.clients), np.bool_)
    has_none[client_index(run.source, labels)[present]] = False
    return Dense(row_per_client(run.source, _pinned(asked)), np.ones(len(has_none)), has_none)


def _pinned(asked: Node) -> tuple[tuple[str, str], ...]:
    """The labels that a selector's equality matchers pin down; not those that are asked twice."""
    pairs: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in asked.matchers if isinstance(asked, Selector) else ():
        if matcher.kind is MatchKind.EQUAL and matcher.name not in seen:
            pairs[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            pairs.pop(matcher.name, None)
    return tuple(pairs.items())


def _label_replace(run: Evaluation, node: Call) -> Dense:
    rows = run.vector(node.arguments[0])
    words = [each.value for each in node.arguments[1:] if isinstance(each, Text)]
    return run.distinct(Dense(label_replace(rows.labels, *words), rows.values, rows.present))


_SPECIAL: Final[dict[str, Callable[[Evaluation, Call], Value]]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "label_replace": _label_replace,
    "scalar": _scalar,
    "time": _time,
    "timestamp": _timestamp,
    "vector": _vector,
}

FUNCTIONS: Final = ELEMENTWISE.keys() | OVER_TIME.keys() | _SPECIAL.keys()
"""What `parse` lets in."""
