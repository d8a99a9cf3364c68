"""Small tables at random, beside an oracle that looks at each of their cases, row by row."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.decisions.explanation import explained
from tocsin_server.decisions.sheet import DecisionFileErrors
from tocsin_server.decisions.tablefile import read_table

VALUES: Mapping[str, Sequence[Any]] = {
    "enum(a|b|c)": ("a", "b", "c"),
    "bool": (False, True),
    "integer(1..4)": (1, 2, 3, 4),
    "integer": (-1, 0, 1, 2, 3, 4),
    "number": (-1, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4),
    "string": ("x", "y", "z", "anything else"),
}
"""Of each type all that the cells below can tell apart."""
NAMED = {"enum(a|b|c)": "abc", "string": "xyz", "bool": (False, True), "integer(1..4)": (1, 2, 3, 4)}
NUMBERS = (0, 1, 2, 3)
COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda value, end: value < end,
    "<=": lambda value, end: value <= end,
    ">": lambda value, end: value > end,
    ">=": lambda value, end: value >= end,
}
SINGLE = ("U", "F", "A")
AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {"C+": sum, "C<": min, "C>": max}
FALLBACK = -1
FALLBACK_ANSWER = 99


@dataclass(frozen=True)
class Drawn:
    """A cell: its text and the values of its column that pass."""

    text: str
    passing: frozenset[Any]


@dataclass(frozen=True)
class Sketch:
    """A table: a cell for each row and input, and a number that each row answers."""

    policy: str
    kinds: Sequence[str]
    rows: Sequence[tuple[Sequence[Drawn], int]]
    has_fallback: bool

    @property
    def file(self) -> bytes:
        header = [self.policy, *(f"i{n}:{kind}" for n, kind in enumerate(self.kinds)), "=> out:number"]
        rows = [
            [f"r{n}", *(f'"{cell.text}"' for cell in cells), str(answer)]
            for n, (cells, answer) in enumerate(self.rows)
        ]
        fallback = [["fallback", *("-" for _ in self.kinds), str(FALLBACK_ANSWER)]] if self.has_fallback else []
        return "\n".join(",".join(line) for line in (header, *rows, *fallback)).encode()

    def cases(self) -> list[tuple[Any, ...]]:
        return list(product(*(VALUES[kind] for kind in self.kinds)))

    def applying(self, case: Sequence[Any]) -> list[int]:
        """The rows but for the fallback."""
        return [
            n
            for n, (cells, _) in enumerate(self.rows)
            if all(value in cell.passing for value, cell in zip(case, cells, strict=True))
        ]

    def deciding(self, case: Sequence[Any]) -> list[int]:
        rows = self.applying(case) or [FALLBACK] * self.has_fallback
        return rows[:1] if self.policy in SINGLE else rows

    def answer(self, row: int) -> int:
        return FALLBACK_ANSWER if row == FALLBACK else self.rows[row][1]

    def contradictions(self) -> set[frozenset[str]]:
        """Pairs of rows that the policy forbids."""
        if self.policy not in {"U", "A"}:
            return set()
        return {
            frozenset((name(one), name(other)))
            for case in self.cases()
            for one, other in combinations(self.applying(case), 2)
            if self.policy == "U" or self.answer(one) != self.answer(other)
        }

    def dead(self) -> set[str]:
        """Rows that decide in no case; where all that apply are as good, that apply in none."""
        pick = self.deciding if self.policy == "F" else lambda case: self.applying(case) or self.deciding(case)
        alive = {row for case in self.cases() for row in pick(case)}
        everyone = {*range(len(self.rows)), *([FALLBACK] if self.has_fallback else [])}
        return set(map(name, everyone - alive))


def name(row: int) -> str:
    return "fallback" if row == FALLBACK else f"r{row}"


def word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@st.composite
def single_tests(draw: st.DrawFn, kind: str) -> Drawn:
    """One test of a cell."""
    if kind in {"number", "integer", "integer(1..4)"}:
        ends = st.sampled_from(NAMED.get(kind, NUMBERS))
        shape = draw(st.sampled_from(["literal", "comparison", "interval"]))
        if shape == "comparison":
            sign, end = draw(st.sampled_from(sorted(COMPARED))), draw(ends)
            return Drawn(f"{sign} {end}", frozenset(v for v in VALUES[kind] if COMPARED[sign](v, end)))
        if shape == "interval":
            low, high = sorted(draw(st.lists(ends, min_size=2, max_size=2, unique=True)))
            left, right = draw(st.sampled_from("[(]")), draw(st.sampled_from("])["))
            inside = (
                v
                for v in VALUES[kind]
                if (low <= v if left == "[" else low < v) and (v <= high if right == "]" else v < high)
            )
            return Drawn(f"{left}{low}..{high}{right}", frozenset(inside))
    value = draw(st.sampled_from(NAMED.get(kind, NUMBERS)))
    return Drawn(word(value), frozenset([value]))


@st.composite
def cells(draw: st.DrawFn, kind: str) -> Drawn:
    if draw(st.integers(0, 9)) < 4:
        return Drawn("-", frozenset(VALUES[kind]))
    listed = draw(st.lists(single_tests(kind), min_size=1, max_size=2))
    text, passing = ", ".join(each.text for each in listed), frozenset().union(*(t.passing for t in listed))
    if draw(st.integers(0, 9)) < 3:
        return Drawn(f"not({text})", frozenset(VALUES[kind]) - passing)
    return Drawn(text, passing)


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3))
    rows = st.tuples(st.tuples(*map(cells, kinds)), st.integers(1, 2))
    policy = draw(st.sampled_from([*SINGLE, "F", "C", *AGGREGATES]))
    return Sketch(policy, kinds, draw(st.lists(rows, min_size=1, max_size=5)), draw(st.integers(0, 3)) > 0)


def complaints(sketch: Sketch) -> list[str]:
    """The reasons that are told, if the table is refused."""
    try:
        read_table("drawn.csv", sketch.file)
    except DecisionFileErrors as refused:
        return [error.reason for error in refused.errors]
    return []


def told_case(sketch: Sketch, reason: str) -> tuple[Any, ...]:
    """The example of a message; an input that it does not name may have any value."""
    named = dict(re.findall(r"i(\d)=([^,:]+)", reason))
    return tuple(
        next(value for value in VALUES[kind] if named.get(str(n), word(value)) == word(value))
        for n, kind in enumerate(sketch.kinds)
    )


@settings(max_examples=share(40))
@given(sketches())
def test_what_is_found_is_what_looking_at_every_case_finds(sketch: Sketch) -> None:
    reasons = complaints(sketch)

    gaps = [reason for reason in reasons if reason.startswith("no row applies")]
    pairs = [pair.groups() for reason in reasons if (pair := re.match(r"'(\w+)' and '(\w+)' \(line", reason))]
    dead = [row[1] for reason in reasons if (row := re.match(r"'(\w+)' never", reason))]
    assert len(gaps) == any(not sketch.deciding(case) for case in sketch.cases())
    assert not any(sketch.deciding(told_case(sketch, reason)) for reason in gaps)
    assert set(map(frozenset, pairs)) == sketch.contradictions()
    assert set(dead) == sketch.dead()
    assert len(reasons) == len(gaps) + len(pairs) + len(dead)


@settings(max_examples=share(40))
@given(sketches(), st.data())
def test_decider_and_explanation_agree_with_looking_at_the_rows(sketch: Sketch, data: st.DataObject) -> None:
    try:
        decider = read_table("drawn.csv", sketch.file)
    except DecisionFileErrors:
        return
    combine = AGGREGATES.get(sketch.policy)

    for case in data.draw(st.lists(st.sampled_from(sketch.cases()), min_size=1, max_size=9)):
        explanation = explained(decider, {f"i{n}": value for n, value in enumerate(case)})

        rows = sketch.deciding(case)
        answers = [sketch.answer(row) for row in rows]
        decision, verdicts = explanation.decision, explanation.verdicts
        assert decision.rows == tuple(map(name, rows))
        assert [each["out"] for each in decision.answers] == (
            answers if combine is None else [combine(answers)]
        )
        assert decision.rows == tuple(each.row.id for each in verdicts if each.decides)
        applying = {*map(name, sketch.applying(case)), *(["fallback"] if sketch.has_fallback else [])}
        assert {each.row.id for each in verdicts if each.applies} == applying
