"""Whether alerts' conditions are true, false or unknown, asked when their rows have gone.

A row vanishes because its condition has become false or because its data has stopped, and only the first is
good news. So the expression is asked again for the identities of such rows, in three values:

1. a comparison in its `bool` form: 1 is true, 0 is false, and where there is no row its operands are asked;
2. `and`, `or` by three-valued logic; `a unless b` without a row is false where `b` is there;
3. an aggregation over nothing asks what it aggregates: rows that a condition keeps out make it false, and no
   rows at all unknown; a sample that is missing is unknown;
4. `absent` is true or false, and a constant is true.

An identity is the labels of the result. On the way down it loses the labels that matching and grouping do not
carry, so that it may name several rows below: one that is true is enough. All identities are asked at once, and
where the rows of each are is worked out once for as long as neither they nor the series change.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tocsin_server.promql.aggregation import SELECTING
from tocsin_server.promql.budget import Budget
from tocsin_server.promql.dense import Dense
from tocsin_server.promql.evaluate import evaluate
from tocsin_server.promql.evaluation import Evaluation
from tocsin_server.promql.expression import Expression
from tocsin_server.promql.histogram import LE
from tocsin_server.promql.matching import met
from tocsin_server.promql.syntax import (
    COMPARISONS,
    ONE_TO_ONE,
    Aggregate,
    Binary,
    Call,
    Matching,
    Negation,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
    is_scalar,
)
from tocsin_server.series.arrays import Bools
from tocsin_server.series.labels import Labels, labels_of
from tocsin_server.series.source import Source
from tocsin_server.series.symbols import Symbols

_LABELLING = frozenset({"label_join", "label_replace"})
_TWO_VALUED = frozenset({"absent", "absent_over_time", "vector"})


class Verdict(StrEnum):
    FALSE = "false"
    UNKNOWN = "unknown"
    TRUE = "true"


_VERDICTS = (Verdict.FALSE, Verdict.UNKNOWN, Verdict.TRUE)
_FALSE, _UNKNOWN, _TRUE = np.arange(3, dtype=np.int8)
"""In this order three-valued `and` is the least, and `or` the greatest."""

_Answers = NDArray[np.int8]
"""One an identity."""


def verdict(
    expression: Expression, source: Source, at_ms: int, *, client_id: int, labels: Mapping[str, str]
) -> Verdict:
    """The verdict on one identity; who asks for many of one expression keeps an `Inquiry`."""
    return Inquiry(expression, source, at_ms).verdict(client_id=client_id, labels=labels)


@dataclass(frozen=True, slots=True)
class _Identities:
    """Rows of a result, and which of their labels are those of the rows below: `on` these or all but these."""

    labels: Labels
    carried: Matching = ONE_TO_ONE

    def less(self, names: Iterable[str]) -> "_Identities":
        known = self.carried.labels
        kept = {*known}.difference(names) if self.carried.on else {*known}.union(names)
        return replace(self, carried=replace(self.carried, labels=tuple(sorted(kept))))

    def within(self, names: Iterable[str]) -> "_Identities":
        kept = self.carried.names(names) if not self.carried.on else {*self.carried.labels}.intersection(names)
        return replace(self, carried=replace(self.carried, on=True, labels=tuple(sorted(kept))))

    def found(self, rows: Dense) -> Bools:
        """Which have a row among these."""
        return met(self.labels, rows, self.carried)

    def all(self, answer: np.int8) -> _Answers:
        return np.full(len(self.labels), answer)


class Inquiry:
    """One expression at one instant: its rows, and verdicts on others; each part is evaluated once at most.

    Whose part of the whole cannot be evaluated gets no verdict. What the parts say of that is not heard: a
    comparison in its `bool` form loses the name, and rows that differ in nothing else are no mistake here.
    """

    def __init__(
        self, expression: Expression, source: Source, at_ms: int, *, budget: Budget | None = None
    ) -> None:
        self.vector = evaluate(expression, source, at_ms, budget=budget)
        self._root = expression.root
        self._parts = Evaluation(source, at_ms, budget=budget)
        self._results: dict[int, Dense] = {}

    @property
    def symbols(self) -> Symbols:
        """The words of all labels at that instant."""
        return self._parts.source.symbols

    def verdict(self, *, client_id: int, labels: Mapping[str, str]) -> Verdict:
        """The verdict on the row of these labels."""
        return self.verdicts(labels_of(self.symbols, [(client_id, None, labels)]))[0]

    def verdicts(self, rows: Labels) -> list[Verdict]:
        """The verdict on each of these rows, whose labels are of the same symbols."""
        answers = self._judge(self._root, _Identities(rows))
        answers[np.isin(rows.clients, list(self.vector.failures))] = _UNKNOWN
        return [_VERDICTS[answer] for answer in answers.tolist()]

    def _judge(self, node: Node, asked: _Identities) -> _Answers:
        match node:
            case Number() | Text():
                return asked.all(_TRUE)
            case Selector() | Range() | Subquery():
                return self._presence(node, asked)
            case Negation(expression=inner):
                return self._judge(inner, asked)
            case Call():
                return self._judge_call(node, asked)
            case Aggregate():
                return self._judge_aggregate(node, asked)
            case Binary():
                return self._judge_binary(node, asked)

    def _rows(self, node: Node) -> Dense:
        """A node's rows; a comparison's in `bool` form."""
        key = id(node)
        if key not in self._results:
            wanted = replace(node, as_bool=True) if isinstance(node, Binary) and _is_filter(node) else node
            self._results[key] = self._parts.rows(wanted)
        return self._results[key]

    def _presence(self, node: Node, asked: _Identities) -> _Answers:
        """True where there is a row; one that is missing is unknown."""
        return np.where(asked.found(self._rows(node)), _TRUE, _UNKNOWN)

    def _compared(self, node: Binary, asked: _Identities) -> _Answers:
        """What a comparison's own rows say."""
        rows = self._rows(node)
        holds = Dense(rows.labels, rows.values, rows.present & (rows.values != 0))
        return np.where(asked.found(holds), _TRUE, np.where(asked.found(rows), _FALSE, _UNKNOWN))

    def _judge_call(self, node: Call, asked: _Identities) -> _Answers:
        if is_scalar(node):
            return asked.all(_TRUE)
        found = self._presence(node, asked)
        if node.function in _TWO_VALUED:
            return np.where(found == _TRUE, _TRUE, _FALSE)
        arguments = [each.expression if isinstance(each, Subquery) else each for each in node.arguments]
        below = asked.less(_made_by(node))
        inner = [each for each in arguments if not is_scalar(each) and not isinstance(each, Range | Text)]
        return _or_else(found, lambda: self._all(inner, below)) if inner else found

    def _judge_aggregate(self, node: Aggregate, asked: _Identities) -> _Answers:
        counted = [node.parameter.value] if isinstance(node.parameter, Text) else []
        grouping, members = node.grouping, asked.less(counted)
        if node.operator not in SELECTING:
            members = members.less(grouping.ignored) if grouping.without else members.within(grouping.labels)

        def left_out() -> _Answers:
            below = self._judge(node.expression, members)
            return np.where(below == _UNKNOWN, _UNKNOWN, _FALSE)

        return _or_else(self._presence(node, asked), left_out)

    def _judge_binary(self, node: Binary, asked: _Identities) -> _Answers:
        if is_scalar(node):
            return asked.all(_TRUE)
        left, right = _sides(node, asked)

        def both() -> _Answers:
            return np.minimum(self._judge(node.left, left), self._judge(node.right, right))

        if node.operator == "and":
            return both()
        if node.operator == "or":
            return np.maximum(self._judge(node.left, asked), self._judge(node.right, asked))
        if node.operator == "unless":
            return _or_else(self._presence(node, asked), lambda: self._without(node, left, right))
        if _is_filter(node):
            # Operands that are there, but not for each other: a comparison that nobody can know.
            return _or_else(self._compared(node, asked), lambda: np.minimum(both(), _UNKNOWN))
        if node.matching.fill_left is not None or node.matching.fill_right is not None:
            return _or_else(self._presence(node, asked), both)
        return np.minimum(both(), self._presence(node, asked))

    def _without(self, node: Binary, left: _Identities, right: _Identities) -> _Answers:
        """What an `unless` says where it has no row."""
        is_there = self._judge(node.right, right) == _TRUE
        return np.where(is_there, _FALSE, self._judge(node.left, left))

    def _all(self, nodes: Iterable[Node], asked: _Identities) -> _Answers:
        return reduce(np.minimum, (self._judge(node, asked) for node in nodes))


def _made_by(node: Call) -> list[str]:
    """The labels that the rows below do not have as the result has them."""
    made = [each.value for each in node.arguments[1:2] if isinstance(each, Text)]
    if node.function.startswith("histogram_"):
        return [*made, LE]
    return made if node.function in _LABELLING else []


def _or_else(found: _Answers, ask: Callable[[], _Answers]) -> _Answers:
    """What is found, and where that is unknown what `ask` says."""
    is_open = found == _UNKNOWN
    return np.where(is_open, ask(), found) if is_open.any() else found


def _is_filter(node: Binary) -> bool:
    return node.operator in COMPARISONS and not node.as_bool and not is_scalar(node)


def _sides(node: Binary, asked: _Identities) -> tuple[_Identities, _Identities]:
    """The identities as each side of an operator knows them."""
    if is_scalar(node.left) or is_scalar(node.right):
        return asked, asked
    matching = node.matching
    met = _meeting(asked, matching)
    if node.operator in ("and", "unless"):
        return asked, met
    if matching.group == "left":
        return asked.less(matching.include), met
    if matching.group == "right":
        return met, asked.less(matching.include)
    return met, met


def _meeting(asked: _Identities, matching: Matching) -> _Identities:
    return asked.within(matching.labels) if matching.on else asked.less(matching.labels)
