"""Prometheus's own `.test` files, run over a `FixedSource`: `python -m tests.conformance.promqltest FILE…`

Values, labels, order, and whether an expression fails are compared; warnings and the words of failures are not.
An eval is *refused* where tocsin refuses its expression by name, *unread* where promql-parser does not take it,
and *native* where it fails for want of what tocsin does not have: native histograms, start timestamps,
`info`, `limitk`, `limit_ratio`, and the labels `__type__` and `__unit__`.
"""

import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import promql_parser as rust

from tocsin_server.promql import BadExpression, Expression, evaluate, evaluate_range
from tocsin_server.promql.evaluation import Evaluation, Query
from tocsin_server.promql.parse import read
from tocsin_server.promql.syntax import Range, Selector, Subquery, Text, walk
from tocsin_server.series.arrays import stale
from tocsin_server.series.fixed import FixedSource
from tocsin_server.series.labels import NAME

Key = tuple[tuple[str, str], ...]
"""A set of labels, sorted, the metric's name among them."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    UNREAD = "unread"
    NATIVE = "native"


_EVAL = re.compile(r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)", re.IGNORECASE)
_RANGE = re.compile(
    r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)", re.IGNORECASE
)
_EXPECT_RANGE = re.compile(r"expect range vector from\s+(\S+)\s+to\s+\S+\s+step\s+(\S+)")
_LOAD = re.compile(r"load(_with_nhcb)?\s+(\S+)", re.IGNORECASE)
_NUMBER = r"[+-]?(?:inf|nan|[\d.]+(?:e[+-]?\d+)?)"
_POINT = re.compile(rf"(_|stale|{_NUMBER}?)([+-]{_NUMBER})?(?:x(\d+))?", re.IGNORECASE)
_UNITS_MS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
_FOREIGN = re.compile(r"\b(?:info|limitk|limit_ratio)\s*(?:\(|by|without)|__type__|__unit__")


def milliseconds(text: str) -> int:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", text)
    if not parts:
        return round(float(text) * 1000)
    sign = -1 if text.startswith("-") else 1
    return sign * round(sum(float(size) * _UNITS_MS[unit] for size, unit in parts))


def series(line: str) -> tuple[Key, str]:
    """Labels and what stands behind them; a number alone has none."""
    if _POINT.fullmatch(line.split(maxsplit=1)[0]):
        return (), line
    end = _end_of_labels(line)
    described, rest = line[:end].strip(), line[end:].strip()
    if described == "{}":
        return (), rest
    read = rust.parse(described)
    labels = {matcher.name: matcher.value for matcher in read.matchers.matchers}
    labels |= {NAME: read.name} if read.name else {}
    return tuple(sorted((name, value) for name, value in labels.items() if value)), rest


def _end_of_labels(line: str) -> int:
    quote = ""
    is_escaped = is_braced = False
    for place, character in enumerate(line):
        if quote:
            is_over = character == quote and not is_escaped
            is_escaped = character == "\\" and not is_escaped and quote != "`"
            quote = "" if is_over else quote
        elif character in "\"'`":
            quote = character
        elif character == "{":
            is_braced = True
        elif character == "}":
            return place + 1
        elif character.isspace() and not is_braced and not re.match(r"\s+\{[^{]", line[place:]):
            return place
    return len(line)


def points(text: str) -> Iterator[float | None]:
    """The values of a series' notation; None for a gap."""
    for word in text.split():
        value, step, times = _POINT.fullmatch(word).groups()
        count = int(times or 0)
        if value == "_":
            yield from [None] * max(count, 1)
        elif value == "stale":
            yield from [float(stale(1)[0])] * (count + 1)
        else:
            current = number(value)
            for _ in range(count + 1):
                yield current
                current += number(step or "0")


def number(text: str) -> float:
    return float(int(text, 16)) if "0x" in text.lower() else float(text)


@dataclass
class Eval:
    """One question and its answer: points by labels, or a failure."""

    line: int
    text: str
    start_ms: int
    end_ms: int
    step_ms: int
    must_fail: bool
    is_ordered: bool = False
    is_foreign: bool = False
    string: str | None = None
    first_ms: int | None = None
    apart_ms: int = 0
    """Where the samples of a range are expected to stand, where they are asked for."""
    expected: dict[Key, list[float | None]] = field(default_factory=dict)


@dataclass
class Loaded:
    """The samples that are there, and the series that have histograms or start timestamps among them."""

    samples: dict[Key, dict[int, float]] = field(default_factory=dict)
    native: set[Key] = field(default_factory=set)

    def load(self, step_ms: int, lines: list[str], *, with_native: bool) -> None:
        for line in lines:
            if re.match(r"\S+@st\b", line):
                self.native.add(series(line.replace("@st", "", 1))[0])
                continue
            key, rest = series(line)
            if "{{" in rest:
                self.native.add(key)
                continue
            if with_native and dict(key)[NAME].endswith("_bucket"):
                base = dict(key) | {NAME: dict(key)[NAME].removesuffix("_bucket")}
                self.native.add(tuple(sorted((name, value) for name, value in base.items() if name != "le")))
            if {"__type__", "__unit__"} & dict(key).keys():
                self.native.add(key)
            found = self.samples.setdefault(key, {})
            found |= {step * step_ms: value for step, value in enumerate(points(rest)) if value is not None}

    def source(self) -> FixedSource:
        rows = []
        for key, found in self.samples.items():
            times = sorted(found)
            rows.append((0, None, dict(key), times, np.array([found[time] for time in times], np.float64)))
        return FixedSource.from_series(rows)

    def touches_native(self, expression: Expression) -> bool:
        selectors = [node for node in walk(expression.root) if isinstance(node, Selector)]
        return any(selector.selects(dict(key)) for selector in selectors for key in self.native)


def _blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Commands with their lines; a blank line or a comment ends one."""
    block: list[str] = []
    start = 0
    for at, raw in enumerate([*path.read_text().splitlines(), ""], 1):
        line = "" if raw.strip().startswith("#") else raw.strip()
        starts_anew = re.match(r"(load|eval|clear)", line, re.IGNORECASE) is not None
        if block and (not line or starts_anew):
            yield start, block
            block = []
        if line:
            start = start if block else at
            block.append(line)


def _eval(at: int, block: list[str]) -> Eval:
    if found := _RANGE.fullmatch(block[0]):
        kind, start, end, step, text = found.groups()
        times = (milliseconds(start), milliseconds(end), milliseconds(step))
        asked = Eval(at, text, *times, must_fail=kind == "fail")
    else:
        kind, moment, text = _EVAL.fullmatch(block[0]).groups()
        moment_ms = milliseconds(moment or "0")
        asked = Eval(at, text, moment_ms, moment_ms, 0, must_fail=kind == "fail", is_ordered=kind == "ordered")
    for line in block[1:]:
        if line.startswith("expect"):
            asked.must_fail |= line.startswith("expect fail")
            asked.is_ordered |= line.startswith("expect ordered")
            if found := _EXPECT_RANGE.match(line):
                asked.first_ms, asked.apart_ms = (milliseconds(word) for word in found.groups())
            elif line.startswith("expect string"):
                asked.string = rust.parse(line.removeprefix("expect string").strip()).val
        elif "{{" in line:
            asked.is_foreign = True
        elif not line.startswith("expected_fail"):
            key, rest = series(line)
            asked.expected[key] = list(points(rest))
    return asked


def questions(path: Path) -> Iterator[tuple[Eval, Loaded]]:
    """The evals of a file, each with what is loaded when it is asked."""
    loaded = Loaded()
    for at, block in _blocks(path):
        if block[0].lower().startswith("clear"):
            loaded = Loaded()
        elif found := _LOAD.match(block[0]):
            with_native, step = found.groups()
            loaded.load(milliseconds(step), block[1:], with_native=bool(with_native))
        else:
            yield _eval(at, block), loaded


Answer = dict[Key, list[float | None]]


def judge(asked: Eval, loaded: Loaded) -> Outcome:
    """How tocsin does."""
    if asked.is_foreign or _FOREIGN.search(asked.text):
        return Outcome.NATIVE
    try:
        expression = read(asked.text)
    except BadExpression as refused:
        if asked.must_fail:
            return Outcome.PASSED
        return Outcome.UNREAD if "cannot be read" in str(refused) else Outcome.REFUSED
    if _agrees(asked, _answer(asked, expression, loaded.source())):
        return Outcome.PASSED
    return Outcome.NATIVE if loaded.touches_native(expression) else Outcome.FAILED


def _answer(asked: Eval, expression: Expression, source: FixedSource) -> Answer | None:
    """What we say; None for a failure."""
    if isinstance(expression.root, Text):
        return {((NAME, expression.root.value),): []}
    query = Query(asked.start_ms, asked.end_ms, asked.step_ms, delays_names=True)
    if isinstance(expression.root, Range | Subquery):
        return _samples(asked, expression.root, Evaluation(source, asked.start_ms, query=query))
    if not asked.step_ms:
        vector = evaluate(expression, source, asked.start_ms, query=query)
        rows = {tuple(sorted(row.labels.items())): [row.value] for row in vector.rows()}
        return None if vector.failures else rows
    times = {"start_ms": asked.start_ms, "end_ms": asked.end_ms, "step_ms": asked.step_ms}
    moments = range(asked.start_ms, asked.end_ms + 1, asked.step_ms)
    if any(evaluate(expression, source, at_ms, query=query).failures for at_ms in moments):
        return None
    lines = evaluate_range(expression, source, **times, query=query)
    return {tuple(sorted(line.labels.items())): line.values.tolist() for line in lines}


def _samples(asked: Eval, root: Range | Subquery, evaluation: Evaluation) -> Answer:
    """What a range holds."""
    if isinstance(root, Subquery):
        rows, window = evaluation.subquery(root)
        labels = rows.labels
    else:
        selection = evaluation.selected(root.selector)
        labels, window = selection.labels, evaluation.span(root, selection).window
    return {
        tuple(sorted(labels.row(row).items())): _stood(
            asked, window.times[row, :count].tolist(), window.values[row, :count].tolist()
        )
        for row, count in enumerate(window.count.tolist())
        if count
    }


def _stood(asked: Eval, times_ms: list[int], found: list[float]) -> list[float | None]:
    times = ((time - (asked.first_ms or 0)) // (asked.apart_ms or 1) for time in times_ms)
    values: list[float | None] = []
    for place, value in zip(times, found, strict=True):
        values += [None] * (place - len(values))
        values.append(value)
    return values


def is_near(expected: float | None, actual: float | None) -> bool:
    if expected is None or actual is None:
        return expected is actual
    if math.isnan(expected) or math.isnan(actual):
        return math.isnan(expected) and math.isnan(actual)
    if expected == actual:
        return True
    if 0 in (expected, actual) or math.isinf(expected) or math.isinf(actual):
        return False
    return abs(expected - actual) / (abs(expected) + abs(actual)) < 1e-6


def _agrees(asked: Eval, said: Answer | None) -> bool:
    if asked.must_fail or said is None:
        return asked.must_fail and said is None
    if asked.string is not None:
        return list(said) == [((NAME, asked.string),)]
    expected = _by_step(asked) if asked.step_ms else asked.expected
    if asked.is_ordered and list(expected) != list(said):
        return False
    return expected.keys() == said.keys() and all(
        len(row) == len(said[key]) and all(map(is_near, row, said[key])) for key, row in expected.items()
    )


def _by_step(asked: Eval) -> Answer:
    """Of a range every step, NaN where there is nothing as in our lines; what is NaN throughout is left out."""
    steps = (asked.end_ms - asked.start_ms) // asked.step_ms + 1
    padded = {key: [*row, *[None] * (steps - len(row))] for key, row in asked.expected.items()}
    filled = {key: [math.nan if value is None else value for value in row] for key, row in padded.items()}
    return {key: row for key, row in filled.items() if not all(map(math.isnan, row))}


def tally(path: Path) -> tuple[Counter[Outcome], list[Eval]]:
    """How many evals of a file ended how, and those that failed."""
    counts: Counter[Outcome] = Counter()
    failed = []
    for asked, loaded in questions(path):
        outcome = judge(asked, loaded)
        counts[outcome] += 1
        if outcome is Outcome.FAILED:
            failed.append(asked)
    return counts, failed


def main(paths: Sequence[str]) -> int:
    """Print the table; 1 where anything has failed."""
    names = list(Outcome)
    print(f"{'file':28}" + "".join(f"{name:>9}" for name in names))
    whole: Counter[Outcome] = Counter()
    for path in map(Path, paths):
        counts, failed = tally(path)
        whole += counts
        print(f"{path.name:28}" + "".join(f"{counts[name]:9}" for name in names))
        for asked in failed:
            print(f"    {path}:{asked.line}: {asked.text}")
    print(f"{'total':28}" + "".join(f"{whole[name]:9}" for name in names))
    return 1 if whole[Outcome.FAILED] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
