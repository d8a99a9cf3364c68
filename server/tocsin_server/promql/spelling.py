"""A tree written as PromQL again: for parts of an expression, which have no text of their own.

Reading what is written here gives the same tree; brackets stand wherever a reader could doubt.
"""

import math
from collections.abc import Iterable

import numpy as np

from tocsin_server.promql.syntax import (
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
)

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"})


def spell(node: Node) -> str:
    """The node as text."""
    match node:
        case Number(value=value) | Text(value=value):
            return number(value) if isinstance(value, float) else quoted(value)
        case Selector():
            return _named(node) + _moved(node)
        case Range(selector=selector, range_ms=range_ms):
            return f"{_named(selector)}[{duration(range_ms)}]{_moved(selector)}"
        case Subquery():
            return _subquery(node)
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(spell(argument) for argument in arguments)})"
        case Negation(expression=inner):
            return f"-({spell(inner)})"
        case Aggregate():
            return _aggregate(node)
        case Binary():
            return _binary(node)


def _subquery(node: Subquery) -> str:
    step = f"{duration(node.range_ms)}:{duration(node.step_ms)}"
    return f"{_operand(node.expression)}[{step}]{_moved(node)}"


def _aggregate(node: Aggregate) -> str:
    inner = spell(node.expression)
    if node.parameter is not None:
        inner = f"{spell(node.parameter)}, {inner}"
    if not node.grouping.labels and not node.grouping.without:
        return f"{node.operator}({inner})"
    word = "without" if node.grouping.without else "by"
    return f"{node.operator} {word} ({', '.join(_label(name) for name in node.grouping.labels)}) ({inner})"


def _binary(node: Binary) -> str:
    words = [node.operator, *(["bool"] if node.as_bool else []), *_matching(node.matching)]
    return f"{_operand(node.left)} {' '.join(words)} {_operand(node.right)}"


def _operand(node: Node) -> str:
    written = spell(node)
    is_simple = not isinstance(node, Binary) and not written.startswith("-")
    return written if is_simple else f"({written})"


def _matching(matching: Matching) -> Iterable[str]:
    if matching == ONE_TO_ONE:
        return
    yield f"{'on' if matching.on else 'ignoring'} ({', '.join(_label(name) for name in matching.labels)})"
    if matching.group:
        yield f"group_{matching.group} ({', '.join(_label(name) for name in matching.include)})"
    for side, filling in (("left", matching.fill_left), ("right", matching.fill_right)):
        if filling is not None:
            yield f"fill_{side} ({number(filling)})"


def _named(selector: Selector) -> str:
    name = selector.name or ""
    matchers = [f"{_label(each.name)}{each.kind.value}{quoted(each.value)}" for each in selector.matchers]
    if not name or _is_plain(name.replace(":", "_")):
        return f"{name}{{{', '.join(matchers)}}}" if matchers else name
    return f"{{{', '.join([quoted(name), *matchers])}}}"


def _moved(selector: Selector | Subquery) -> str:
    written = ""
    if selector.at is not None:
        written += f" @ {selector.at / 1000:.3f}" if isinstance(selector.at, int) else f" @ {selector.at}()"
    if selector.offset_ms:
        sign = "-" if selector.offset_ms < 0 else ""
        written += f" offset {sign}{duration(abs(selector.offset_ms))}"
    return written


def _is_plain(name: str) -> bool:
    return name.isidentifier() and name.isascii()


def _label(name: str) -> str:
    return name if _is_plain(name) else quoted(name)


def quoted(value: str) -> str:
    """A string in double quotes."""
    return f'"{value.translate(_ESCAPES)}"'


def number(value: float) -> str:
    """A number as PromQL reads it, without a fraction where it has none."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    whole = value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole and str(value) != "-0.0" else repr(value)


def decimal(value: float) -> str:
    """A number with all its digits and no exponent, as Prometheus labels and prints it."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")


def duration(milliseconds: int) -> str:
    """A duration as Prometheus writes it: `1h30m`, without weeks and years."""
    written = ""
    for size, unit in _UNITS:
        count, milliseconds = divmod(milliseconds, size)
        written += f"{count}{unit}" if count else ""
    return written or "0s"
