"""An expression's tree, in our own words: plain values, so it can be walked, compared and printed.

It holds only what the evaluator knows; everything else is refused when the text is read (`parse`). Brackets are
gone and arithmetic on constants is done.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tocsin_server.series.labels import NAME
from tocsin_server.series.matchers import Matcher, matches_all


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """`name{matchers} offset … @ …`; `at` is milliseconds, "start", "end", or None for the instant asked."""

    name: str | None
    matchers: tuple[Matcher, ...]
    offset_ms: int
    at: int | str | None

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of these labels, the name among them, is asked for."""
        is_named = self.name is None or labels.get(NAME) == self.name
        return is_named and matches_all(self.matchers, labels)


@dataclass(frozen=True, slots=True)
class Range:
    """`selector[range]`."""

    selector: Selector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """`expression[range:step] offset … @ …`; without a step it is the global one."""

    expression: "Node"
    range_ms: int
    step_ms: int
    offset_ms: int
    at: int | str | None


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by` these labels, or `without` them."""

    labels: tuple[str, ...]
    without: bool

    @property
    def ignored(self) -> frozenset[str]:
        """What `without` leaves out: the metric's name always."""
        return frozenset((*self.labels, NAME))


@dataclass(frozen=True, slots=True)
class Aggregate:
    operator: str
    expression: "Node"
    parameter: "Node | None"
    grouping: Grouping


@dataclass(frozen=True, slots=True)
class Matching:
    """How rows of two vectors find each other.

    `group` is "left" or "right" for the side that may have many, "" for one to one; `include` names the labels
    that come from the other side. `fill_left` and `fill_right` are the values of rows that one side lacks.
    """

    on: bool
    labels: tuple[str, ...]
    group: str
    include: tuple[str, ...]
    fill_left: float | None = None
    fill_right: float | None = None

    def names(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Which of these columns decide whether two rows match."""
        if self.on:
            return self.labels
        return tuple(sorted({*columns} - {*self.labels, NAME}))


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Node"
    right: "Node"
    matching: Matching
    as_bool: bool


@dataclass(frozen=True, slots=True)
class Negation:
    expression: "Node"


Node = Number | Text | Selector | Range | Subquery | Call | Aggregate | Binary | Negation

ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^", "atan2"})
COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SET_OPERATORS = frozenset({"and", "or", "unless"})
SCALAR_FUNCTIONS = frozenset({"end", "max_of", "min_of", "pi", "range", "scalar", "start", "step", "time"})
SUBQUERY_STEP_MS = 60_000
"""Prometheus's global evaluation interval where none is configured."""
ONE_TO_ONE = Matching(on=False, labels=(), group="", include=())


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Range(selector=selector):
            return (selector,)
        case Negation(expression=inner) | Subquery(expression=inner):
            return (inner,)
        case Call(arguments=arguments):
            return arguments
        case Aggregate(expression=inner, parameter=parameter):
            return (inner,) if parameter is None else (parameter, inner)
        case Binary(left=left, right=right):
            return (left, right)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def ranged(call: Call) -> Range | Subquery:
    """The range among the arguments; the parser has seen to it that there is one."""
    return next(each for each in call.arguments if isinstance(each, Range | Subquery))


def is_scalar(node: Node) -> bool:
    """Whether it gives one number and not a vector."""
    match node:
        case Number():
            return True
        case Call(function=function):
            return function in SCALAR_FUNCTIONS
        case Negation(expression=inner):
            return is_scalar(inner)
        case Binary(left=left, right=right):
            return is_scalar(left) and is_scalar(right)
        case _:
            return False
