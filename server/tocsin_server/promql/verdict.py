"""Whether an alert's condition is true, false or unknown, asked when its row has gone.

A row vanishes because its condition has become false or because its data has stopped, and only the first is
good news. So the expression is asked again for that one identity, in three values:

1. a comparison in its `bool` form: 1 is true, 0 is false, and where there is no row its operands are asked;
2. `and`, `or` by three-valued logic; `a unless b` is false where `b` is there;
3. an aggregation over nothing asks what it aggregates: rows that a condition keeps out make it false, and no
   rows at all unknown; a sample that is missing is unknown;
4. `absent` is true or false, and a constant is true.

The identity is the labels of the result. On the way down it loses the labels that matching and grouping do not
carry, so that it may name several rows below: one that is true is enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin_server.promql.aggregation import SELECTING
from tocsin_server.promql.dense import Dense
from tocsin_server.promql.evaluate import evaluate
from tocsin_server.promql.evaluation import Evaluation
from tocsin_server.promql.expression import Expression
from tocsin_server.promql.syntax import (
    COMPARISONS,
    Aggregate,
    Binary,
    Call,
    Matching,
    Negation,
    Node,
    Number,
    Range,
    Selector,
    Text,
    is_scalar,
)
from tocsin_server.series.arrays import Bools, Floats
from tocsin_server.series.labels import NAME, Labels, where_equal
from tocsin_server.series.source import Source

_TWO_VALUED = frozenset({"absent", "absent_over_time", "vector"})


class Verdict(StrEnum):
    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


def verdict(
    expression: Expression, source: Source, at_ms: int, *, client_id: int, labels: Mapping[str, str]
) -> Verdict:
    """The verdict on one identity; who asks for many of one expression keeps an `Inquiry`."""
    return Inquiry(expression, source, at_ms).verdict(client_id=client_id, labels=labels)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Rows of a client: labels as wanted, all but the ignored ones, or of those only what `only` has."""

    client_id: int
    wanted: Mapping[str, str]
    ignored: frozenset[str] = frozenset({NAME})
    only: frozenset[str] | None = None

    def less(self, names: Iterable[str]) -> "_Identity":
        return replace(self, ignored=self.ignored.union(names))

    def within(self, names: Iterable[str]) -> "_Identity":
        kept = frozenset(names)
        return replace(self, only=kept if self.only is None else self.only & kept)

    def rows(self, labels: Labels) -> Bools:
        names = ({*labels.columns, *self.wanted} if self.only is None else self.only) - self.ignored
        return where_equal(labels, self.client_id, self.wanted, names)


class Inquiry:
    """One expression at one instant: its rows, and verdicts on others; each part is evaluated once at most.

    Whose part of the whole cannot be evaluated gets no verdict. What the parts say of that is not heard: a
    comparison in its `bool` form loses the name, and rows that differ in nothing else are no mistake here.
    """

    def __init__(self, expression: Expression, source: Source, at_ms: int) -> None:
        self.vector = evaluate(expression, source, at_ms)
        self._root = expression.root
        self._parts = Evaluation(source, at_ms)
        self._results: dict[int, Dense] = {}

    def verdict(self, *, client_id: int, labels: Mapping[str, str]) -> Verdict:
        """The verdict on the rows of these labels."""
        if client_id in self.vector.failures:
            return Verdict.UNKNOWN
        return self._judge(self._root, _Identity(client_id, labels))

    def _judge(self, node: Node, identity: _Identity) -> Verdict:
        match node:
            case Number() | Text():
                return Verdict.TRUE
            case Selector() | Range():
                return self._presence(node, identity)
            case Negation(expression=inner):
                return self._judge(inner, identity)
            case Call():
                return self._judge_call(node, identity)
            case Aggregate():
                return self._judge_aggregate(node, identity)
            case Binary():
                return self._judge_binary(node, identity)

    def _rows(self, node: Node) -> Dense:
        """A node's rows; a comparison's in `bool` form."""
        key = id(node)
        if key not in self._results:
            asked = replace(node, as_bool=True) if isinstance(node, Binary) and _is_filter(node) else node
            self._results[key] = self._parts.rows(asked)
        return self._results[key]

    def _values(self, node: Node, identity: _Identity) -> Floats:
        """The values of an identity's rows."""
        dense = self._rows(node)
        values: Floats = dense.values[dense.present & identity.rows(dense.labels)]
        return values

    def _presence(self, node: Node, identity: _Identity) -> Verdict:
        """True where there is a row; one that is missing is unknown."""
        return Verdict.TRUE if len(self._values(node, identity)) else Verdict.UNKNOWN

    def _judge_call(self, node: Call, identity: _Identity) -> Verdict:
        if is_scalar(node):
            return Verdict.TRUE
        found = self._presence(node, identity)
        if found is Verdict.TRUE:
            return found
        if node.function in _TWO_VALUED:
            return Verdict.FALSE
        if node.function == "label_replace":
            identity = identity.less([each.value for each in node.arguments[1:2] if isinstance(each, Text)])
        inner = [each for each in node.arguments if not is_scalar(each) and not isinstance(each, Range | Text)]
        return _all(self._judge(each, identity) for each in inner) if inner else found

    def _judge_aggregate(self, node: Aggregate, identity: _Identity) -> Verdict:
        found = self._presence(node, identity)
        if found is Verdict.TRUE:
            return found
        grouping = node.grouping
        if node.operator not in SELECTING:
            identity = identity.less(grouping.ignored) if grouping.without else identity.within(grouping.labels)
        is_left_out = self._judge(node.expression, identity) is not Verdict.UNKNOWN
        return Verdict.FALSE if is_left_out else Verdict.UNKNOWN

    def _judge_binary(self, node: Binary, identity: _Identity) -> Verdict:
        if is_scalar(node):
            return Verdict.TRUE
        left, right = _sides(node, identity)
        if node.operator == "unless":
            return self._judge_unless(node, left, right)
        if node.operator == "or":
            return _any([self._judge(node.left, identity), self._judge(node.right, identity)])
        if _is_filter(node) and len(answers := self._values(node, identity)):
            return Verdict.TRUE if answers.any() else Verdict.FALSE
        below = _all([self._judge(node.left, left), self._judge(node.right, right)])
        if node.operator == "and" or below is not Verdict.TRUE:
            return below
        return self._presence(node, identity)

    def _judge_unless(self, node: Binary, left: _Identity, right: _Identity) -> Verdict:
        if self._judge(node.right, right) is Verdict.TRUE:
            return Verdict.FALSE
        return self._judge(node.left, left)


def _is_filter(node: Binary) -> bool:
    return node.operator in COMPARISONS and not node.as_bool and not is_scalar(node)


def _sides(node: Binary, identity: _Identity) -> tuple[_Identity, _Identity]:
    """The identity as each side of an operator knows it."""
    if is_scalar(node.left) or is_scalar(node.right):
        return identity, identity
    matching = node.matching
    met = _meeting(identity, matching)
    if node.operator in ("and", "unless"):
        return identity, met
    if matching.group == "left":
        return identity.less(matching.include), met
    if matching.group == "right":
        return met, identity.less(matching.include)
    return met, met


def _meeting(identity: _Identity, matching: Matching) -> _Identity:
    return identity.within(matching.labels) if matching.on else identity.less(matching.labels)


def _all(verdicts: Iterable[Verdict]) -> Verdict:
    """Three-valued `and`."""
    found = set(verdicts)
    if Verdict.FALSE in found:
        return Verdict.FALSE
    return Verdict.UNKNOWN if Verdict.UNKNOWN in found else Verdict.TRUE


def _any(verdicts: Iterable[Verdict]) -> Verdict:
    """Three-valued `or`."""
    found = set(verdicts)
    if Verdict.TRUE in found:
        return Verdict.TRUE
    return Verdict.UNKNOWN if Verdict.UNKNOWN in found else Verdict.FALSE
