"""What an expression looks at, selector by selector, and when: from its tree alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin_server.promql import Expression
from tocsin_server.promql.spelling import spell
from tocsin_server.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Node,
    Range,
    Selector,
    Subquery,
    Text,
    children,
    is_scalar,
)
from tocsin_server.series.labels import NAME
from tocsin_server.series.source import LOOKBACK_MS

INSTANCE = "instance"
_OF_ALL = frozenset({"absent", "absent_over_time", "scalar"})
_LABELLING = frozenset({"label_join", "label_replace"})

Span = tuple[int, int]
"""Milliseconds, the first not included."""


@dataclass(frozen=True, slots=True)
class Look:
    """One selector. An evaluation sees its samples of `range_ms` until `offset_ms` before itself, or before the
    moment that is pinned; without a range the newest sample alone.
    """

    text: str
    selector: Selector
    range_ms: int = 0
    offset_ms: int = 0
    pinned_ms: int | None = None

    @property
    def back_ms(self) -> int:
        return max(0, self.range_ms + self.offset_ms)

    def span(self, start_ms: int, end_ms: int) -> Span:
        """The samples that evaluations of this time look at."""
        if self.pinned_ms is not None:
            until_ms = self.pinned_ms - self.offset_ms
            return until_ms - (self.range_ms or LOOKBACK_MS), until_ms
        return start_ms - self.offset_ms - self.range_ms, end_ms - self.offset_ms


def looks(expression: Expression) -> list[Look]:
    """The selectors in the order in which they stand, each once."""
    return list(dict.fromkeys(_looks(expression.root, Look("", Selector(None, (), 0, None)))))


def _looks(node: Node, around: Look) -> Iterator[Look]:
    match node:
        case Selector():
            yield _look(node, node, 0, around)
        case Range(selector=selector, range_ms=range_ms):
            yield _look(node, selector, range_ms, around)
        case Subquery(range_ms=range_ms, offset_ms=offset_ms, at=at):
            outer = around if not isinstance(at, int) else Look("", around.selector, pinned_ms=at)
            moved = (outer.range_ms + range_ms, outer.offset_ms + offset_ms, outer.pinned_ms)
            yield from _looks(node.expression, Look("", around.selector, *moved))
        case _:
            for child in children(node):
                yield from _looks(child, around)


def _look(node: Node, selector: Selector, range_ms: int, around: Look) -> Look:
    if isinstance(selector.at, int):
        return Look(spell(node), selector, range_ms, selector.offset_ms, selector.at)
    moved = (around.range_ms + range_ms, around.offset_ms + selector.offset_ms, around.pinned_ms)
    return Look(spell(node), selector, *moved)


def keeps_to_instance(node: Node) -> bool:
    """Whether each row of the result is made of series of its own `instance` and no other."""
    match node:
        case Aggregate(grouping=grouping):
            is_kept = (INSTANCE in grouping.labels) != grouping.without
        case Binary(left=left, right=right, matching=matching) if not is_scalar(left) and not is_scalar(right):
            is_kept = (INSTANCE in matching.labels) == matching.on
        case Call(function=function, arguments=arguments):
            makes = function in _LABELLING and Text(INSTANCE) in arguments[1:2]
            is_kept = function not in _OF_ALL and not makes
        case _:
            is_kept = True
    return is_kept and all(map(keeps_to_instance, children(node)))


def agree(labels: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Whether all labels that both have are the same; the metric's name is none of them."""
    return all(others.get(name, value) == value for name, value in labels.items() if name != NAME)
