"""Prometheus's own `.test` files, read into loads and evals and run over a `FixedSource`.

Native histograms, strings and annotations are not for us: what touches a series that has histogram samples is
left out, what needs a function that is refused by name is left out, and warnings are not looked at.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tocsin_server.promql import BadExpression, Expression, evaluate, evaluate_range, parse
from tocsin_server.series.arrays import stale
from tocsin_server.series.fixed import FixedSource

Key = tuple[tuple[str, str], ...]
"""A set of labels, sorted, the metric's name among them."""

_EVAL = re.compile(r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+at\s+(\S+)\s+(.+)", re.IGNORECASE)
_RANGE = re.compile(
    r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)", re.IGNORECASE
)
_SERIES = re.compile(r'([A-Za-z_:][\w:]*)?(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s*(.*)')
_LABEL = re.compile(r'([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_NUMBER = r"[+-]?(?:inf|nan|[\d.]+(?:e[+-]?\d+)?)"
_POINT = re.compile(rf"(_|stale|{_NUMBER})([+-]{_NUMBER})?(?:x(\d+))?", re.IGNORECASE)
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(text: str) -> int:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if not parts:
        return round(float(text) * 1000)
    sign = -1 if text.startswith("-") else 1
    return sign * round(sum(float(size) * _UNITS_MS[unit] for size, unit in parts))


def series(line: str) -> tuple[Key, str]:
    """Labels and what stands behind them; a number alone has none."""
    if _POINT.fullmatch(line):
        return (), line
    name, braces, rest = _SERIES.fullmatch(line).groups()
    labels = dict(_LABEL.findall(braces or ""))
    return tuple(sorted((labels | ({"__name__": name} if name else {})).items())), rest.strip()


def points(text: str) -> Iterator[float | None]:
    """The values of a series' notation; None for a gap."""
    for word in text.split():
        value, step, times = _POINT.fullmatch(word).groups()
        count = int(times or 0)
        if value == "_":
            yield from [None] * max(count, 1)
        elif value == "stale":
            yield float(stale(1)[0])
        else:
            current = float(value)
            for _ in range(count + 1):
                yield current
                current += float(step or 0)


@dataclass
class Eval:
    """One question and its answer: points by labels, or a scalar, or a failure."""

    file: str
    line: int
    text: str
    start_ms: int
    end_ms: int
    step_ms: int
    must_fail: bool
    is_foreign: bool = False
    expected: dict[Key, list[float | None]] = field(default_factory=dict)


@dataclass
class Loaded:
    """The samples that are there, and the names of metrics that have histograms among them."""

    samples: dict[Key, dict[int, float]] = field(default_factory=dict)
    native: set[str] = field(default_factory=set)

    def load(self, step_ms: int, lines: list[str]) -> None:
        for line in lines:
            key, rest = series(line)
            if "{{" in rest:
                self.native.add(dict(key)["__name__"])
                continue
            samples = self.samples.setdefault(key, {})
            samples |= {step * step_ms: value for step, value in enumerate(points(rest)) if value is not None}

    def source(self) -> FixedSource:
        rows = []
        for key, samples in self.samples.items():
            times = sorted(samples)
            rows.append((0, None, dict(key), times, np.array([samples[time] for time in times], np.float64)))
        return FixedSource.from_series(rows)

    def touches_native(self, expression: Expression) -> bool:
        asked = expression.windows()
        return bool(self.native & asked.keys()) or bool(self.native and "" in asked)


def _blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Commands with their lines; a blank line or a comment at the margin ends one."""
    block: list[str] = []
    start = 0
    for number, raw in enumerate([*path.read_text().splitlines(), ""], 1):
        line = "" if raw.strip().startswith("#") else raw.strip()
        starts_anew = re.match(r"(load|eval|clear)", line, re.IGNORECASE) is not None
        if block and (not line or starts_anew):
            yield start, block
            block = []
        if line:
            start = start if block else number
            block.append(line)


def _eval(path: Path, number: int, block: list[str]) -> Eval:
    if found := _EVAL.fullmatch(block[0]):
        kind, at, text = found.groups()
        asked = Eval(path.name, number, text, milliseconds(at), milliseconds(at), 0, must_fail=kind == "fail")
    else:
        kind, start, end, step, text = _RANGE.fullmatch(block[0]).groups()
        times = (milliseconds(start), milliseconds(end), milliseconds(step))
        asked = Eval(path.name, number, text, *times, must_fail=kind == "fail")
    for line in block[1:]:
        if line.startswith("expect"):
            asked.must_fail |= line.startswith("expect fail")
            asked.is_foreign |= line.startswith(("expect string", "expect range"))
        elif "{{" in line:
            asked.is_foreign = True
        else:
            key, rest = series(line)
            asked.expected[key] = list(points(rest))
    return asked


def questions(path: Path) -> Iterator[tuple[Eval, Loaded]]:
    """The evals of a file, each with what is loaded when it is asked."""
    loaded = Loaded()
    for number, block in _blocks(path):
        word, *rest = block[0].split()
        if word.lower() == "clear":
            loaded = Loaded()
        elif word.lower().startswith("load"):
            loaded.load(milliseconds(rest[0]), block[1:])
        else:
            yield _eval(path, number, block), loaded


def is_ours(asked: Eval, loaded: Loaded) -> bool:
    """Whether an eval uses only what is supported."""
    if asked.is_foreign or (loaded.native and "native" in asked.text):
        return False
    try:
        return not loaded.touches_native(parse(asked.text))
    except BadExpression as refused:
        return asked.must_fail and "not supported" not in str(refused)


def answer(asked: Eval, source: FixedSource) -> dict[Key, list[float | None]] | None:
    """What we say; None for a failure."""
    try:
        expression = parse(asked.text)
    except BadExpression:
        return None
    if not asked.step_ms:
        vector = evaluate(expression, source, asked.start_ms)
        rows = {tuple(sorted(row.labels.items())): [row.value] for row in vector.rows()}
        return None if vector.failures else rows
    lines = evaluate_range(
        expression, source, start_ms=asked.start_ms, end_ms=asked.end_ms, step_ms=asked.step_ms
    )
    return {tuple(sorted(line.labels.items())): line.values.tolist() for line in lines}


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


def agrees(asked: Eval, said: dict[Key, list[float | None]] | None) -> bool:
    if asked.must_fail or said is None:
        return asked.must_fail and said is None
    steps = (asked.end_ms - asked.start_ms) // asked.step_ms + 1 if asked.step_ms else 1
    if asked.step_ms:  # a line is NaN where it is absent
        gap = math.nan
        padded = {
            key: [gap if value is None else value for value in row] for key, row in asked.expected.items()
        }
        expected = {key: row + [gap] * (steps - len(row)) for key, row in padded.items()}
    else:
        expected = asked.expected
    return expected.keys() == said.keys() and all(
        len(row) == len(said[key]) and all(map(is_near, row, said[key])) for key, row in expected.items()
    )
