"""Values in annotations look as Go's fmt would write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.gofmt import BadFormat, check_format, sprintf, written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.0, "0"),
        (-0.0, "-0"),
        (100.0, "100"),
        (0.1, "0.1"),
        (123456.0, "123456"),
        (999999.0, "999999"),
        (1000000.0, "1e+06"),  # the exponent begins at a million
        (123456789.0, "1.23456789e+08"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1e21, "1e+21"),
        (5.960464477539063e-08, "5.960464477539063e-08"),  # these digits, not the nearest of their number
        (1 / 3, "0.3333333333333333"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        ("atlas", "atlas"),
        ({"job": "node", "instance": "atlas"}, "map[instance:atlas job:node]"),
        ({}, "map[]"),
    ],
)
def test_values_are_written_as_go_writes_them(value, text):
    assert text == written(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_is_the_same_float(value):
    assert value == float(written(value))


@pytest.mark.parametrize(
    ("form", "values", "text"),
    [
        ("%.2f%%", (97.126,), "97.13%"),
        ("%.0f", (2.5,), "2"),
        ("%5.1f|", (1.25,), "  1.2|"),
        ("%-6.1f|", (1.5,), "1.5   |"),
        ("%06.2f", (1.5,), "001.50"),
        ("%e", (1500.0,), "1.500000e+03"),
        ("%g", (1500000.0,), "1.5e+06"),
        ("%.3g", (1234.5,), "1.23e+03"),
        ("%.2f", (math.inf,), "+Inf"),
        ("%v of %s", (0.5, "atlas"), "0.5 of atlas"),
        ("%q", ('a "name"',), '"a \\"name\\""'),
        ("%.3s", ("atlas",), "atl"),
        ("%8s|", ("atlas",), "   atlas|"),
        ("%s", ({"a": "b"},), "map[a:b]"),
        ("%d", (5.0,), "%!d(float64=5)"),  # the slip that many rules have: Go tells it in the text
        ("%s", (5.0,), "%!s(float64=5)"),
        ("%.1f", ("atlas",), "%!f(string=atlas)"),
        ("%f", ({"a": "b"},), "%!f(map[string]string=map[a:b])"),
    ],
)
def test_printf_writes_as_go_does(form, values, text):
    check_format(form, len(values))

    assert text == sprintf(form, values)


@pytest.mark.parametrize(
    ("form", "arguments", "why"),
    [
        ("%f", 0, "wants 1 arguments, got 0"),
        ("plain", 1, "wants 0 arguments, got 1"),
        ("%x", 1, "does not offer '%x'"),
        ("100%", 0, "does not offer '%'"),
        ("%999999999d", 1, "wider than 100"),
        ("%.101f", 1, "wider than 100"),
    ],
)
def test_a_format_that_cannot_be_written_is_refused_before_it_is_used(form, arguments, why):
    with pytest.raises(BadFormat, match=why):
        check_format(form, arguments)
