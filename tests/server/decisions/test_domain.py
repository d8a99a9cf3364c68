"""Types of columns: what they take, how a value is written, and what is refused with its remedy."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.decisions.domain import BadCell, Numbers, Text, Truth, Words, parse_domain, spelled


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("string", Text()),
        ("bool", Truth()),
        ("enum(critical|warning|info)", Words(("critical", "warning", "info"))),
        ("enum( P1 | P2 )", Words(("P1", "P2"))),
        ("number", Numbers()),
        ("integer", Numbers(whole=True)),
        ("integer(1..4)", Numbers(1, 4, whole=True)),
        ("number(-0.5 .. 0.5)", Numbers(-0.5, 0.5)),
    ],
)
def test_a_type_is_read(text: str, domain: object) -> None:
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    "text", ["string", "bool", "enum(a|b)", "number", "integer", "integer(1..4)", "number(0..0.5)"]
)
def test_a_type_is_spelled_as_it_is_read(text: str) -> None:
    assert str(parse_domain(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("strings", "is no type: there are string, bool"),
        ("String", "is no type"),
        ("", "is no type"),
        ("string(5)", "takes no brackets"),
        ("enum", "'' is no word of an enum"),
        ("enum()", "'' is no word of an enum"),
        ("enum(a|)", "'' is no word of an enum"),
        ("enum(a|-)", "'-' is no word"),
        ("enum(a b)", "'a b' is no word"),
        ("enum(a|b|a)", "stands twice"),
        ("integer(1-4)", "are no bounds: write integer(1..4)"),
        ("integer(1.5..4)", "1.5 is not of integer"),
        ("integer(4..1)", "the lower one comes first"),
        ("number(a..b)", "'a' is not a number"),
    ],
)
def test_what_is_no_type_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadCell) as refused:
        parse_domain(text)

    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("domain", "text", "value"),
    [
        (Text(), "disk full, or nearly", "disk full, or nearly"),
        (Text(), '""', ""),
        (Text(), '"-"', "-"),
        (Text(), r'"say \"yes\" to C:\\"', r'say "yes" to C:\ '.strip()),
        (Truth(), "true", True),
        (Truth(), "FALSE", False),
        (Words(("a", "b")), "b", "b"),
        (Words(("a", "b")), '"b"', "b"),
        (Numbers(), "15", 15),
        (Numbers(), "-0.25", -0.25),
        (Numbers(1, 4, whole=True), "4", 4),
    ],
)
def test_a_value_is_read(domain: Text | Truth | Words | Numbers, text: str, value: object) -> None:
    read = domain.literal(text)

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("domain", "text", "why"),
    [
        (Text(), "", "is no text"),
        (Text(), "-", "is no text"),
        (Text(), '"open', "does not end where its quotes do"),
        (Text(), r'"\n"', "does not end where its quotes do"),
        (Truth(), "yes", "neither true nor false"),
        (Truth(), "1", "neither true nor false"),
        (Words(("critical", "info")), "critcal", "did you mean 'critical'"),
        (Words(("critical", "info")), "zzz", "there are critical, info"),
        (Words(("critical", "info")), "Critical", "did you mean 'critical'"),
        (Numbers(), "1e3", "not a number"),
        (Numbers(), "0x10", "not a number"),
        (Numbers(), "+1", "not a number"),
        (Numbers(), "١", "not a number"),
        (Numbers(), "1,5", "not a number"),
        (Numbers(), "inf", "not a number"),
        (Numbers(), "1234567890.123456", "more than 15 digits"),
        (Numbers(1, 4, whole=True), "5", "5 is not of integer(1..4)"),
        (Numbers(1, 4, whole=True), "2.5", "2.5 is not of integer(1..4)"),
    ],
)
def test_what_is_no_value_is_refused(domain: Text | Truth | Words | Numbers, text: str, why: str) -> None:
    with pytest.raises(BadCell) as refused:
        domain.literal(text)

    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("domain", "taken", "refused"),
    [
        (Text(), ["", "x"], [1, True, None, ["x"]]),
        (Truth(), [True, False], [0, 1, "true", None]),
        (Words(("a", "1")), ["a", "1"], ["b", 1, None, ["a"]]),
        (Numbers(), [0, -1.5, 10**30, math.inf], [math.nan, True, "1", None]),
        (Numbers(1, 4, whole=True), [1, 4, 2.0], [0, 5, 2.5, True, math.inf, math.nan]),
    ],
)
def test_a_type_takes_its_values_and_no_others(
    domain: Text | Truth | Words | Numbers, taken: list[object], refused: list[object]
) -> None:
    assert all(domain.takes(value) for value in taken)
    assert not any(domain.takes(value) for value in refused)


@settings(max_examples=share(40))
@given(st.integers(-(10**15) + 1, 10**15 - 1) | st.decimals("-999", "999", places=4).map(float))
def test_a_number_is_read_as_it_is_spelled(number: float) -> None:
    assert Numbers().literal(spelled(number)) == number
