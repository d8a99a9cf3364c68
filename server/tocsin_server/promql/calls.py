"""Calls that are neither element by element nor over the samples of a range: each has a way of its own."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from tocsin_server.promql import histogram
from tocsin_server.promql import matching as matches
from tocsin_server.promql.dates import DATES, part
from tocsin_server.promql.dense import Dense, Value, client_index, row_per_client, spread
from tocsin_server.promql.operators import Operand
from tocsin_server.promql.relabel import label_join, label_replace, matching_rows
from tocsin_server.promql.spelling import decimal
from tocsin_server.promql.syntax import Call, Node, Selector, Subquery, Text, ranged
from tocsin_server.series.arrays import Bools, Codes, Floats
from tocsin_server.series.labels import NAME, Labels
from tocsin_server.series.matchers import MatchKind

if TYPE_CHECKING:
    from tocsin_server.promql.evaluation import Evaluation


def _number(make: Callable[["Evaluation"], float]) -> Callable[["Evaluation", Call], float]:
    return lambda run, _node: make(run)


def _chosen(choose: Callable[[Operand, Operand], Operand]) -> Callable[["Evaluation", Call], Operand]:
    return lambda run, node: choose(*(run.scalar(each) for each in node.arguments))


def _date(run: "Evaluation", node: Call) -> Dense:
    rows = run.vector(node.arguments[0]) if node.arguments else run.from_scalar(run.at_ms / 1000)
    return run.renamed(rows, part(node.function, rows.values))


def _as_it_is(run: "Evaluation", node: Call) -> Dense:
    """Sorted at the end, where alone it can be seen."""
    return run.vector(node.arguments[0])


def _histograms(run: "Evaluation", node: Node) -> histogram.Histograms:
    return histogram.gathered(run.vector(node))


def _of_histograms(run: "Evaluation", found: histogram.Histograms, values: Floats) -> Dense:
    return run.renamed(Dense(found.labels, values, found.present), values)


def _histogram_quantile(run: "Evaluation", node: Call) -> Dense:
    q, found = run.scalar(node.arguments[0]), _histograms(run, node.arguments[1])
    return _of_histograms(run, found, histogram.quantile(spread(run.source, q, found.labels), found))


def _histogram_quantiles(run: "Evaluation", node: Call) -> Dense:
    """Each quantile under a label that says which it is."""
    found = _histograms(run, node.arguments[0])
    label = node.arguments[1]
    parts = []
    for q in (run.scalar(each) for each in node.arguments[2:]):
        codes = _quantile_codes(run, q, found.labels)
        name = label.value if isinstance(label, Text) else ""
        labels = found.labels.replaced({**found.labels.columns, name: codes})
        values = histogram.quantile(spread(run.source, q, found.labels), found)
        parts.append(Dense(labels, values, found.present))
    whole = reduce(matches.upon, parts)
    return run.renamed(whole, whole.values)


def _quantile_codes(run: "Evaluation", q: Operand, labels: Labels) -> Codes:
    code = labels.symbols.code
    if isinstance(q, np.ndarray):
        codes = np.array([code(quantile_text(each)) for each in q.tolist()], np.int32)
        return codes[client_index(run.source, labels)]
    return np.full(len(labels), code(quantile_text(float(q))), np.int32)


def quantile_text(value: float) -> str:
    """A number as OpenMetrics writes it: never without a point."""
    text = decimal(value)
    return text if "." in text or not text.lstrip("-").isdigit() else f"{text}.0"


def _histogram_fraction(run: "Evaluation", node: Call) -> Dense:
    lower, upper = (run.scalar(each) for each in node.arguments[:2])
    found = _histograms(run, node.arguments[2])
    low, high = (spread(run.source, each, found.labels) for each in (lower, upper))
    return _of_histograms(run, found, histogram.fraction(low, high, found))


def _timestamp(run: "Evaluation", node: Call) -> Dense:
    (argument,) = node.arguments
    if isinstance(argument, Selector):
        rows, times = run.select(argument)
        return run.renamed(rows, times)
    rows = run.vector(argument)
    return run.renamed(rows, np.full(len(rows.values), run.at_ms / 1000))


def _vector(run: "Evaluation", node: Call) -> Dense:
    return run.from_scalar(run.scalar(node.arguments[0]))


def _scalar(run: "Evaluation", node: Call) -> Floats:
    """The value of each client's only row, NaN for a client that has none or several."""
    rows = run.vector(node.arguments[0])
    places = client_index(run.source, rows.labels)[rows.present]
    size = len(run.source.clients)
    counts = np.bincount(places, minlength=size)
    return np.where(counts == 1, np.bincount(places, rows.values[rows.present], minlength=size), np.nan)


def _absent(run: "Evaluation", node: Call) -> Dense:
    (argument,) = node.arguments
    rows = run.vector(argument)
    return _missing(run, rows.labels, rows.present, argument)


def _absent_over_time(run: "Evaluation", node: Call) -> Dense:
    given = ranged(node)
    if isinstance(given, Subquery):
        rows, _ = run.subquery(given)
        return _missing(run, rows.labels, rows.present, given)
    selection = run.selected(given.selector)
    return _missing(run, selection.labels, run.span(given, selection).at_least(1), given.selector)


def _missing(run: "Evaluation", labels: Labels, present: Bools, asked: Node) -> Dense:
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


def _label_replace(run: "Evaluation", node: Call) -> Dense:
    rows = run.vector(node.arguments[0])
    words = [each.value for each in node.arguments[1:] if isinstance(each, Text)]
    destination, _, source, pattern = words
    unnamed = rows.unnamed
    if unnamed is not None and destination == NAME:
        unnamed = unnamed & ~matching_rows(rows.labels, source, pattern)
    return run.distinct(replace(rows, labels=label_replace(rows.labels, *words), unnamed=unnamed))


def _label_join(run: "Evaluation", node: Call) -> Dense:
    rows = run.vector(node.arguments[0])
    words = [each.value for each in node.arguments[1:] if isinstance(each, Text)]
    unnamed = None if words[0] == NAME else rows.unnamed
    return run.distinct(replace(rows, labels=label_join(rows.labels, *words), unnamed=unnamed))


SPECIAL: dict[str, Callable[["Evaluation", Call], Value]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "end": _number(lambda run: run.query.end_ms / 1000),
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "max_of": _chosen(np.maximum),
    "min_of": _chosen(np.minimum),
    "pi": _number(lambda _run: np.pi),
    "range": _number(lambda run: (run.query.end_ms - run.query.start_ms) / 1000),
    "scalar": _scalar,
    "sort": _as_it_is,
    "sort_by_label": _as_it_is,
    "sort_by_label_desc": _as_it_is,
    "sort_desc": _as_it_is,
    "start": _number(lambda run: run.query.start_ms / 1000),
    "step": _number(lambda run: run.query.step_ms / 1000),
    "time": _number(lambda run: run.at_ms / 1000),
    "timestamp": _timestamp,
    "vector": _vector,
    **dict.fromkeys(DATES, _date),
}
