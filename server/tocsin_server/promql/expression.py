"""A parsed expression and what is known of it without evaluating: the samples it asks for, its threshold."""

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin_server.promql.operators import TURNED
from tocsin_server.promql.spelling import spell
from tocsin_server.promql.syntax import (
    COMPARISONS,
    Binary,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    children,
    is_scalar,
)
from tocsin_server.series.source import LOOKBACK_MS


@dataclass(frozen=True, slots=True)
class Expression:
    """`text` is what somebody wrote, or for a part of that, the same thing spelled anew."""

    text: str
    root: Node

    def windows(self) -> dict[str, int]:
        """How far back it looks, in milliseconds, by metric name; "" stands for selectors of any name.

        The newest sample alone is 0. A fixed `@` is not counted: it can ask for any time.
        """
        asked: dict[str, int] = {}
        for name, back_ms in _looks_back(self.root):
            asked[name] = max(asked.get(name, 0), back_ms)
        return asked


def _looks_back(node: Node, outer_ms: int = 0) -> Iterator[tuple[str, int]]:
    """Each selector's name and how far before the evaluation its oldest sample may lie."""
    match node:
        case Selector(name=name, offset_ms=offset_ms):
            moved_ms = outer_ms + offset_ms
            yield name or "", moved_ms + LOOKBACK_MS if moved_ms > 0 else 0
        case Range(selector=selector, range_ms=range_ms):
            yield selector.name or "", max(outer_ms + selector.offset_ms + range_ms, 0)
        case Subquery(expression=inner, range_ms=range_ms, offset_ms=offset_ms):
            yield from _looks_back(inner, outer_ms + range_ms + offset_ms)
        case _:
            for child in children(node):
                yield from _looks_back(child, outer_ms)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator threshold`."""

    left: Expression
    operator: str
    threshold: float


def comparison(expression: Expression) -> Comparison | None:
    """The comparison with a constant that decides an expression, if there is one.

    `and` and `unless` give the rows of their left side, so theirs is the left side's. `* group_left (…)` lends
    them labels from a series that is always 1, which changes nothing of that.
    """
    match expression.root:
        case Binary(operator="and" | "unless", left=left):
            return comparison(Expression(spell(left), left))
        case Binary(operator="*", left=left, matching=matching) if matching.group == "left":
            return comparison(Expression(spell(left), left))
        case Binary(operator=operator, left=left, right=Number(value=threshold), as_bool=False):
            pass
        case Binary(operator=operator, left=Number(value=threshold), right=left, as_bool=False):
            operator = TURNED.get(operator, "")
        case _:
            return None
    if operator not in COMPARISONS or is_scalar(left):
        return None
    return Comparison(Expression(spell(left), left), operator, threshold)
