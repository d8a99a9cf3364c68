"""A chart drawn in characters: one braille line, the threshold it crosses, and marks below.

A cell of braille is two dots wide and four high, so a chart of 60 cells shows 120 columns. Each column shows
the range from the least to the greatest of its samples: a spike of one sample is seen whatever the width.
Dots beyond the threshold are in another tone *and* on the other side of a drawn line. Where there was no
sample there is no dot.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TypeGuard

import msgspec

from tocsin_protocol.query import Chart
from tocsin_tui.format import Line, Span, Tone, clip, clock, joined, line, one_line, quantity

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of the dot in a braille cell, by row from the top and by column."""

GREATEST = 1e100
"""Beyond it no scale is drawn."""
LEAST_STEPS = 30
"""As many steps a chart shows at least."""

AXIS = 9
"""Cells left of the chart for the scale."""

MARKS: dict[str, Span] = {
    "active": ("◆", Tone.WARN),
    "fired": ("▲", Tone.BAD),
    "resolved": ("✓", Tone.GOOD),
}

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to rows of dots; row 0 is the top."""

    low: float
    high: float
    rows: int

    def row(self, value: float) -> int:
        share = (value - self.low) / (self.high - self.low)
        return max(0, min(self.rows - 1, round((1 - share) * (self.rows - 1))))


def plot(chart: Chart, *, width: int, height: int, now: datetime, is_titled: bool = True) -> list[Line]:
    """The chart in `height` lines of at most `width` cells: what it is, curve, time axis, legend."""
    chart = _begun(chart)
    title = _title(chart, is_titled=is_titled)
    columns, rows = max(8, width - AXIS - 1), max(2, height - 3)
    values = [value for value in chart.values if _is_drawn(value)]
    if not values:
        return [title, line(("no samples in this time", Tone.DIM))]
    scale = _scale(values, chart, rows * 4)
    body = _body(chart, scale, columns, rows)
    return [title, *body, *_time_axis(chart, columns, now)]


def _begun(chart: Chart) -> Chart:
    """The chart from its first sample on: of a host that has just come, most of the time asked for is empty."""
    first = next((at for at, value in enumerate(chart.values) if value is not None), 0)
    skipped = max(0, min(first, len(chart.values) - LEAST_STEPS))
    start = chart.start + timedelta(seconds=skipped * chart.step_s)
    return msgspec.structs.replace(chart, start=start, values=chart.values[skipped:])


def _title(chart: Chart, *, is_titled: bool) -> Line:
    latest = next((value for value in reversed(chart.values) if value is not None), None)
    parts: list[Span] = [("now ", Tone.DIM), (quantity(latest, chart.unit), Tone.STRONG)]
    if chart.threshold is not None:
        rule = f"{chart.operator or ''} {quantity(chart.threshold, chart.unit)}"
        parts += [("  rule ", Tone.DIM), (rule, Tone.WARN)]
    if is_titled:
        parts.append((f"  {one_line(chart.title)}", Tone.DIM))
    return Line(tuple(parts), wraps=False)


def _scale(values: Sequence[float], chart: Chart, rows: int) -> Scale:
    low, high = min(values), max(values)
    if _is_drawn(chart.threshold):
        low, high = min(low, chart.threshold), max(high, chart.threshold)
    if low > 0 and low < high * 0.5:
        low = 0.0  # a scale that begins at nothing is read without thinking
    margin = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    is_whole = chart.unit == "ratio" and low >= 0 and high <= 1  # nothing is fuller than full
    return Scale(
        low if low == 0 else low - margin, min(1.0, high + margin) if is_whole else high + margin, rows
    )


def _body(chart: Chart, scale: Scale, columns: int, rows: int) -> list[Line]:
    cells = _dots(chart.values, scale, columns, rows)
    bad = _beyond(chart, columns)
    threshold_row = scale.row(chart.threshold) // 4 if _is_drawn(chart.threshold) else None
    lines = []
    for row in range(rows):
        label, label_tone = _label(chart, scale, row, rows, threshold_row)
        spans: list[Span] = [(label, label_tone)]
        for column in range(columns):
            bits = cells[row][column]
            if bits:
                spans.append((chr(0x2800 + bits), Tone.BAD if bad[column] else Tone.GOOD))
            else:
                spans.append(("┈", Tone.WARN) if row == threshold_row else (" ", Tone.PLAIN))
        lines.append(Line(joined(spans)))
    return lines


def _dots(values: Sequence[float | None], scale: Scale, columns: int, rows: int) -> list[list[int]]:
    cells = [[0] * columns for _ in range(rows)]
    before: tuple[int, int] | None = None
    for column in range(columns * 2):
        found = _range(values, column, columns * 2)
        if found is None:
            before = None
            continue
        top, bottom = scale.row(found[1]), scale.row(found[0])
        if before is not None:  # join to the column before, so that a step is a line and not two dots
            top, bottom = min(top, before[1]), max(bottom, before[0])
        for dot in range(top, bottom + 1):
            cells[dot // 4][column // 2] |= _DOTS[dot % 4][column % 2]
        before = (scale.row(found[1]), scale.row(found[0]))
    return cells


def _is_drawn(value: float | None) -> TypeGuard[float]:
    """Whether there is a value, and one that a scale can hold."""
    return value is not None and abs(value) < GREATEST


def _range(values: Sequence[float | None], column: int, columns: int) -> tuple[float, float] | None:
    """The least and the greatest value of a column; with more columns than values, the value before."""
    start = column * len(values) // columns
    end = max(start + 1, (column + 1) * len(values) // columns)
    present = [value for value in values[start:end] if _is_drawn(value)]
    return (min(present), max(present)) if present else None


def _beyond(chart: Chart, columns: int) -> list[bool]:
    """For each cell, whether any of its values is what the rule asks for."""
    compare = _COMPARISONS.get(chart.operator or "")
    if compare is None or chart.threshold is None:
        return [False] * columns
    ranges = (_range(chart.values, column, columns) for column in range(columns))
    return [found is not None and any(compare(value, chart.threshold) for value in found) for found in ranges]


def _label(chart: Chart, scale: Scale, row: int, rows: int, threshold_row: int | None) -> Span:
    if row == threshold_row and chart.threshold is not None:
        return (f"{clip(quantity(chart.threshold, chart.unit), AXIS - 1):>{AXIS - 1}}┤", Tone.WARN)
    if row == 0:
        return (f"{clip(quantity(scale.high, chart.unit), AXIS - 1):>{AXIS - 1}}┤", Tone.DIM)
    if row == rows - 1:
        return (f"{clip(quantity(scale.low, chart.unit), AXIS - 1):>{AXIS - 1}}┤", Tone.DIM)
    return (" " * (AXIS - 1) + "│", Tone.DIM)


def _time_axis(chart: Chart, columns: int, now: datetime) -> list[Line]:
    """The line with the marks, and the line with the times and what the marks mean."""
    length = timedelta(seconds=chart.step_s * max(1, len(chart.values) - 1))
    axis: list[Span] = [(" " * (AXIS - 1) + "└", Tone.DIM), *([("─", Tone.DIM)] * columns)]
    legend: list[str | Span] = []
    for name, moment in _marks(chart):
        glyph, tone = MARKS.get(name, ("+", Tone.PLAIN))
        at = (moment - chart.start) / length
        if 0 <= at <= 1:
            axis[1 + min(columns - 1, int(at * columns))] = (glyph, tone)
        legend += [(f"  {glyph}", tone), f" {name} {clock(moment, now)}"]
    start, end = clock(chart.start, now), clock(chart.start + length, now)
    times = line((" " * AXIS + start, Tone.DIM), *legend, ("  ", Tone.PLAIN), (end, Tone.DIM))
    gap = AXIS + columns - len(times.text)
    if gap > 0:
        times = Line((*times.spans[:-2], (" " * (gap + 2), Tone.PLAIN), times.spans[-1]))
    return [Line(joined(axis)), replace(times, wraps=False)]


def _marks(chart: Chart) -> list[tuple[str, datetime]]:
    """The marks in their order; a rule without `for` is active when it fires, which needs no second mark."""
    fired = chart.marks.get("fired")
    marks = [mark for mark in chart.marks.items() if mark[0] != "active" or mark[1] != fired]
    return sorted(marks, key=itemgetter(1))
