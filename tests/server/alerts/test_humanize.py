"""Prometheus's words for values, by values from its documentation and its source's corner cases."""

import math

import pytest

from tocsin_server.alerts.gofmt import BadFormat
from tocsin_server.alerts.humanize import (
    humanize,
    humanize_1024,
    humanize_duration,
    humanize_percentage,
    humanize_timestamp,
    number,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (1234567.0, "1.235M"),
        (-1234.0, "-1.234k"),
        (0.00001235, "12.35u"),
        (1e30, "1e+06Y"),
        (1e-30, "1e-06y"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
    ],
)
def test_humanize(value, text):
    assert text == humanize(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (1.0, "1"), (1024.0, "1ki"), (1234567.0, "1.177Mi"), (-2048.0, "-2ki"), (math.inf, "+Inf")],
)
def test_humanize_1024(value, text):
    assert text == humanize_1024(value)


@pytest.mark.parametrize(("value", "text"), [(0.9712345, "97.12%"), (0.0, "0%"), (1.5, "150%")])
def test_humanize_percentage(value, text):
    assert text == humanize_percentage(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0s"),
        (0.0125, "12.5ms"),
        (1.5, "1.5s"),
        (59.0, "59s"),
        (300.0, "5m 0s"),
        (-60.0, "-1m 0s"),
        (3661.0, "1h 1m 1s"),
        (93784.0, "1d 2h 3m 4s"),
        (1e20, "1e+20s"),
        (math.nan, "NaN"),
    ],
)
def test_humanize_duration(value, text):
    assert text == humanize_duration(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "1970-01-01 00:00:00 +0000 UTC"),
        (1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        (-0.5, "1969-12-31 23:59:59.5 +0000 UTC"),
        (math.inf, "+Inf"),
    ],
)
def test_humanize_timestamp(value, text):
    assert text == humanize_timestamp(value)


def test_a_timestamp_beyond_64_bits_of_nanoseconds_is_refused():
    with pytest.raises(BadFormat, match="nanoseconds"):
        humanize_timestamp(1e12)


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), ("-2e3", -2000.0), ("+Inf", math.inf), (2.0, 2.0)])
def test_a_string_that_is_a_number_is_one(text, value):
    assert value == number(text)


@pytest.mark.parametrize("text", ["", "atlas", "1_000", " 1", "0x10", "१", {"a": "1"}])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(BadFormat, match="is not a number"):
        number(text)


@pytest.mark.timeout(5)
def test_a_label_of_very_many_digits_is_read_in_linear_time():
    """A host may send it; read in quadratic time it would hold up the judge for minutes."""
    with pytest.raises(BadFormat, match="is not a number"):
        number("9" * 200_000 + "x")
