"""In which order the rows of an instant's result are told, where the expression's outermost call says so."""

import re
from collections.abc import Sequence

import numpy as np

from tocsin_server.promql.dense import Dense
from tocsin_server.promql.syntax import Aggregate, Call, Node, Text
from tocsin_server.series.arrays import Floats, Ints
from tocsin_server.series.labels import Labels

_DIGITS = re.compile(r"(\d+)")


def ordered(root: Node, dense: Dense, rows: Ints) -> Ints:
    """These rows in the order asked for; as they stand where none is."""
    match root:
        case Call(function="sort") | Aggregate(operator="bottomk"):
            return rows[_by_value(dense.values[rows])]
        case Call(function="sort_desc") | Aggregate(operator="topk"):
            return rows[_by_value(-dense.values[rows])]
        case Call(function="sort_by_label" | "sort_by_label_desc" as function, arguments=arguments):
            names = [each.value for each in arguments[1:] if isinstance(each, Text)]
            keys = _label_keys(dense.labels, rows, names)
            order = sorted(range(len(rows)), key=keys.__getitem__, reverse=function.endswith("_desc"))
            return rows[np.array(order, np.int64)]
        case _:
            return rows


def _by_value(values: Floats) -> Ints:
    """Ascending, NaN last; equals as they stand."""
    return np.argsort(values, kind="stable").astype(np.int64)


def _label_keys(labels: Labels, rows: Ints, names: Sequence[str]) -> list[tuple[object, ...]]:
    """What rows are compared by: these labels, then all, numbers within words as numbers."""
    whole = [labels.row(row) for row in rows.tolist()]
    return [(*(_natural(row.get(name, "")) for name in names), *(sorted(row.items()))) for row in whole]


def _natural(word: str) -> tuple[tuple[int, int, str], ...]:
    """`cpu10` behind `cpu9`."""
    parts = _DIGITS.split(word)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts if part)
