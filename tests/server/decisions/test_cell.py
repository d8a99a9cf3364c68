"""Cells: what they hold, that they are read as they are written, and what hostile ones come to."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.decisions.cell import Range, parse_cell
from tocsin_server.decisions.domain import BadCell, Domain, Numbers, Text, Truth, Words

SEVERITY = Words(("critical", "warning", "info"))
NUMBER = Numbers()
PRIORITY = Numbers(1, 4, whole=True)


@pytest.mark.parametrize(
    ("domain", "text", "held", "not_held"),
    [
        (SEVERITY, "-", ["critical", "warning", "info"], []),
        (SEVERITY, "critical", ["critical"], ["warning", "info"]),
        (SEVERITY, "critical,info", ["critical", "info"], ["warning"]),
        (SEVERITY, "not(critical)", ["warning", "info"], ["critical"]),
        (SEVERITY, "not ( critical , info )", ["warning"], ["critical", "info"]),
        (SEVERITY, '"critical", "info"', ["critical", "info"], ["warning"]),
        (Text(), "disk full, cpu", ["disk full", "cpu"], ["disk", "full", "", "Cpu"]),
        (Text(), '"a, b", c', ["a, b", "c"], ["a", "b"]),
        (Text(), r'"say \"hm\""', ['say "hm"'], ["say"]),
        (Text(), '"not(x)"', ["not(x)"], ["x"]),
        (Text(), '"-"', ["-"], ["x"]),
        (Text(), '""', [""], ["x"]),
        (Text(), "not", ["not"], ["x"]),
        (Text(), 'not("")', ["x"], [""]),
        (Text(), "été", ["été"], ["ete"]),
        (Truth(), "true", [True], [False]),
        (Truth(), "not(true)", [False], [True]),
        (NUMBER, "5", [5, 5.0], [4.9]),
        (NUMBER, "-5", [-5], [5]),
        (NUMBER, "< 5", [4.999, -1e9], [5, 6]),
        (NUMBER, "<=5", [5, 4], [5.001]),
        (NUMBER, ">= 5", [5, 6], [4.999]),
        (NUMBER, "> 5", [5.001], [5]),
        (NUMBER, "[1..3]", [1, 2, 3], [0.9, 3.1]),
        (NUMBER, "(1..3)", [1.1, 2.9], [1, 3]),
        (NUMBER, "]1..3[", [1.1, 2.9], [1, 3]),
        (NUMBER, "[1 .. 3)", [1, 2.9], [3]),
        (NUMBER, "]1..3]", [1.1, 3], [1]),
        (NUMBER, "[-1.5..-0.5]", [-1.5, -1, -0.5], [0, -2]),
        (NUMBER, "[2..2]", [2], [1, 3]),
        (NUMBER, "1, [3..4], > 9", [1, 3, 3.5, 10], [2, 9]),
        (NUMBER, "not(1, [3..4], > 9)", [2, 9], [1, 3.5, 10]),
        (PRIORITY, "[1..2]", [1, 2], [3, 4]),
    ],
)
def test_a_cell_holds_what_it_says(
    domain: Domain, text: str, held: Sequence[object], not_held: Sequence[object]
) -> None:
    cell = parse_cell(text, domain)

    assert [value for value in (*held, *not_held) if cell.holds(value)] == list(held)  # type: ignore[arg-type]
    assert cell.text == text


@pytest.mark.parametrize(
    ("domain", "text", "why"),
    [
        (SEVERITY, "", "the cell is empty: write -"),
        (SEVERITY, "critcal", "did you mean 'critical'"),
        (SEVERITY, "critical,", "lists 'nothing', which is no value"),
        (SEVERITY, ",critical", "lists 'nothing'"),
        (SEVERITY, "critical,-", "lists '-'"),
        (SEVERITY, "critical info", "is not of enum"),
        (SEVERITY, "not critical", "is not of enum"),
        (SEVERITY, "not()", "lists 'nothing'"),
        (SEVERITY, "not(-)", "lists '-'"),
        (SEVERITY, "not(not(info))", "is no value and no not(...)"),
        (SEVERITY, "not(info", "is no value and no not(...)"),
        (SEVERITY, "Not(info)", "is no value and no not(...)"),
        (SEVERITY, "= critical", "is no value and no not(...): the column is enum"),
        (SEVERITY, "!= critical", "is no value"),
        (SEVERITY, "< critical", "is no value"),
        (Text(), "contains(x)", "write it in double quotes"),
        (Text(), '"open', "cannot be read"),
        (Text(), '"a" b', "cannot be read"),
        (Text(), 'a "b"', "cannot be read"),
        (Truth(), "yes", "neither true nor false"),
        (Truth(), "null", "neither true nor false"),
        (NUMBER, "five", "not a number"),
        (NUMBER, "<", "not a number"),
        (NUMBER, "< < 5", "not a number"),
        (NUMBER, "= 5", "not a number"),
        (NUMBER, "1..5", "not a number"),
        (NUMBER, "[1..5", "not a number"),
        (NUMBER, "[5..1]", "no number lies in [5..1]"),
        (NUMBER, "(5..5]", "no number lies in (5..5]"),
        (NUMBER, '"5"', "not a number"),
        (PRIORITY, "5", "5 is not of integer(1..4)"),
        (PRIORITY, "[1..5]", "5 is not of integer(1..4)"),
        (PRIORITY, "< 1.5", "1.5 is not of integer(1..4)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(domain: Domain, text: str, why: str) -> None:
    with pytest.raises(BadCell) as refused:
        parse_cell(text, domain)

    assert why in str(refused.value)


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), max_size=8)
numbers = st.integers(-99, 99) | st.integers(-990, 990).map(lambda tenths: tenths / 10)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@settings(max_examples=share(40))
@given(st.sets(texts, min_size=1, max_size=4), texts)
def test_quoted_strings_are_read_as_they_were_written(values: set[str], other: str) -> None:
    listed = " , ".join(map(quoted, values))

    cell, negation = parse_cell(listed, Text()), parse_cell(f"not({listed})", Text())

    assert cell.values == negation.values == values
    assert cell.holds(other) == (other in values)
    assert negation.holds(other) == (other not in values)


@settings(max_examples=share(40))
@given(st.lists(st.tuples(numbers, numbers, st.booleans(), st.booleans()), min_size=1, max_size=3))
def test_intervals_are_read_as_they_were_written(spans: list[tuple[float, float, bool, bool]]) -> None:
    ranges = [Range(low, high, low_in, high_in) for low, high, low_in, high_in in spans if low < high] or [
        Range(0, 1)
    ]
    listed = ",".join(
        f"{'[' if low_in else ']'}{low}..{high}{']' if high_in else ')'}"
        for low, high, low_in, high_in in ranges
    )

    assert parse_cell(listed, NUMBER).ranges == tuple(ranges)


@settings(max_examples=share(40))
@given(
    st.text(st.sampled_from('not(),-[]<>=."\\ 0159ae\u202e'), max_size=40),
    st.sampled_from([SEVERITY, Text(), Truth(), NUMBER, PRIORITY]),
)
def test_whatever_stands_in_a_cell_is_read_or_refused(text: str, domain: Domain) -> None:
    try:
        cell = parse_cell(text, domain)
    except BadCell:
        return
    assert parse_cell(cell.text, domain) == cell
