"""Text to tree: promql-parser's tree, read behind the guard and turned into ours.

What tocsin does not know is refused here, by name: a rule that loads is a rule that is evaluated.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import promql_parser as rust

from tocsin_server.promql.aggregation import AGGREGATIONS
from tocsin_server.promql.errors import BadExpression
from tocsin_server.promql.evaluation import FUNCTIONS
from tocsin_server.promql.expression import Expression
from tocsin_server.promql.guard import admit, on_deep_stack
from tocsin_server.promql.operators import ARITHMETIC, calculate
from tocsin_server.promql.relabel import check_label_replace
from tocsin_server.promql.syntax import (
    COMPARISONS,
    ONE_TO_ONE,
    SET_OPERATORS,
    SUBQUERY_STEP_MS,
    Aggregate,
    Binary,
    Call,
    Grouping,
    Matching,
    Negation,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
)
from tocsin_server.series.labels import NAME
from tocsin_server.series.matchers import Matcher, MatchKind, anchored

DEEPEST_TREE = 150
"""Nodes below one another: keeps whoever walks a tree far from the interpreter's own limit."""
MOST_STEPS = 11_000
"""Of a subquery, and of a range query, as for Prometheus."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_KINDS: Final = {
    "MatchOp.Equal": MatchKind.EQUAL,
    "MatchOp.NotEqual": MatchKind.NOT_EQUAL,
    "MatchOp.Re": MatchKind.REGEX,
    "MatchOp.NotRe": MatchKind.NOT_REGEX,
}
_GROUPS: Final = {"VectorMatchCardinality.ManyToOne": "left", "VectorMatchCardinality.OneToMany": "right"}
_MOMENTS: Final = {"AtModifierType.Start": "start", "AtModifierType.End": "end"}


def parse(text: str) -> Expression:
    """The expression; raises `BadExpression` for what is no PromQL, or is PromQL that tocsin does not know."""
    root = read(text).root
    if isinstance(root, Text):
        raise BadExpression("the expression is a string, which has no value to judge")
    if isinstance(root, Range | Subquery):
        raise BadExpression(
            "the expression is a range of samples", remedy="wrap it in a function such as rate()"
        )
    return Expression(text, root)


def read(text: str) -> Expression:
    """As `parse`, but it may also be a string or a range of samples, which have no value at an instant."""
    plain = admit(text)
    return Expression(text, on_deep_stack(lambda: _read(plain)))


def _read(text: str) -> Node:
    try:
        return _node(rust.parse(text), 0)
    except BadExpression:
        raise
    except (ValueError, OverflowError) as error:
        if "'holt_winters'" in str(error):
            raise BadExpression(
                "the function 'holt_winters' is not supported",
                remedy="it is called double_exponential_smoothing now",
            ) from error
        raise BadExpression(f"the expression cannot be read: {_one_line(error)}") from error
    except BaseException as error:  # a Rust panic is no Exception
        raise BadExpression("the expression cannot be read") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _node(tree: rust.Expr, depth: int) -> Node:
    if depth > DEEPEST_TREE:
        raise BadExpression(f"the expression is nested more than {DEEPEST_TREE} deep", remedy="split it")
    match tree:
        case rust.NumberLiteral(val=value):
            return Number(value)
        case rust.StringLiteral(val=value):
            return Text(value)
        case rust.VectorSelector():
            return _selector(tree)
        case rust.MatrixSelector():
            return Range(_selector(tree.vector_selector), _milliseconds(tree.range))
        case rust.SubqueryExpr():
            return _subquery(tree, depth + 1)
        case _:
            return _branch(tree, depth + 1)


def _branch(tree: rust.Expr, depth: int) -> Node:
    match tree:
        case rust.ParenExpr(expr=inner):
            return _node(inner, depth)
        case rust.Call():
            return _call(tree, depth)
        case rust.AggregateExpr():
            return _aggregate(tree, depth)
        case rust.BinaryExpr():
            return _binary(tree, depth)
        case rust.UnaryExpr(expr=inner):
            return _negation(_node(inner, depth))
        case _:
            raise BadExpression(f"the expression holds what is not supported: {type(tree).__name__}")


def _subquery(tree: rust.SubqueryExpr, depth: int) -> Subquery:
    step_ms = SUBQUERY_STEP_MS if tree.step is None else _milliseconds(tree.step)
    range_ms = _milliseconds(tree.range)
    if step_ms <= 0 or range_ms // step_ms > MOST_STEPS:
        raise BadExpression(f"a subquery has more than {MOST_STEPS} steps", remedy="give it a longer step")
    return Subquery(_node(tree.expr, depth), range_ms, step_ms, _milliseconds(tree.offset), _moment(tree.at))


def _milliseconds(span: timedelta | None) -> int:
    return 0 if span is None else span // _MILLISECOND


def _selector(tree: rust.VectorSelector) -> Selector:
    if tree.matchers.or_matchers:
        raise BadExpression("'or' between matchers is not supported", remedy="use =~ or two selectors with or")
    name = tree.name
    matchers = []
    for each in tree.matchers.matchers:
        matcher = Matcher(each.name, _KINDS[str(each.op)], each.value)
        _check_regex(matcher)
        if name is None and matcher.name == NAME and matcher.kind is MatchKind.EQUAL:
            name = matcher.value
        else:
            matchers.append(matcher)
    return Selector(name, tuple(matchers), _milliseconds(tree.offset), _moment(tree.at))


def _check_regex(matcher: Matcher) -> None:
    if matcher.kind in (MatchKind.REGEX, MatchKind.NOT_REGEX):
        try:
            anchored(matcher.value)
        except ValueError as error:
            raise BadExpression(str(error)) from error


def _moment(at: rust.AtModifier | None) -> int | str | None:
    if at is None:
        return None
    if at.at is not None:
        return (at.at - _EPOCH) // _MILLISECOND
    return _MOMENTS[str(at.type)]


def _call(tree: rust.Call, depth: int) -> Node:
    name = tree.func.name
    if name not in FUNCTIONS:
        raise BadExpression(f"the function '{name}' is not supported")
    call = Call(name, tuple(_node(argument, depth) for argument in tree.args))
    if name == "label_replace":
        check_label_replace(call)
    if name == "label_join":
        _check_destination(name, call.arguments[1])
    return call


def _aggregate(tree: rust.AggregateExpr, depth: int) -> Aggregate:
    operator = str(tree.op)
    if operator not in AGGREGATIONS:
        raise BadExpression(f"the aggregation '{operator}' is not supported")
    grouping = Grouping((), without=False)
    if tree.modifier is not None:
        labels = tuple(dict.fromkeys(tree.modifier.labels))
        grouping = Grouping(labels, without=tree.modifier.type == rust.AggModifierType.Without)
    parameter = None if tree.param is None else _node(tree.param, depth)
    if operator == "count_values":
        _check_destination(operator, parameter)
    return Aggregate(operator, _node(tree.expr, depth), parameter, grouping)


def _check_destination(name: str, destination: Node | None) -> None:
    if destination == Text(""):
        raise BadExpression(f"{name}: the name of the destination label is empty")


def _negation(inner: Node) -> Node:
    return Number(-inner.value) if isinstance(inner, Number) else Negation(inner)


def _binary(tree: rust.BinaryExpr, depth: int) -> Node:
    operator = str(tree.op)
    if operator not in ARITHMETIC and operator not in COMPARISONS and operator not in SET_OPERATORS:
        raise BadExpression(f"the operator '{operator}' is not supported")
    left, right = _node(tree.lhs, depth), _node(tree.rhs, depth)
    if isinstance(left, Number) and isinstance(right, Number):
        with np.errstate(all="ignore"):
            return Number(float(calculate(operator, left.value, right.value)))
    as_bool = tree.modifier is not None and tree.modifier.return_bool
    return Binary(operator, left, right, _matching(tree.modifier), as_bool)


def _matching(modifier: rust.BinModifier | None) -> Matching:
    if modifier is None:
        return ONE_TO_ONE
    on = False
    labels: tuple[str, ...] = ()
    if modifier.matching is not None:
        on = modifier.matching.type == rust.LabelModifierType.Include
        labels = tuple(dict.fromkeys(modifier.matching.labels))
    group = _GROUPS.get(str(modifier.card), "")
    include = tuple(dict.fromkeys(modifier.group_labels or ()))
    return Matching(on, labels, group, include, modifier.fill_values.lhs, modifier.fill_values.rhs)
