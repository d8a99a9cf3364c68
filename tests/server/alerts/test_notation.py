"""Series and values as promtool's unit tests write them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.wire import STALE_BYTES
from tocsin_server.alerts.notation import MAX_VALUES, parse_series, parse_values


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("up", {"__name__": "up"}),
        ("job:up:sum{}", {"__name__": "job:up:sum"}),
        ('up{job="node", instance="atlas:9100",}', {"__name__": "up", "job": "node", "instance": "atlas:9100"}),
        ('{job="node"}', {"job": "node"}),
        ("{}", {}),
        ('{"with.dot", job="node"}', {"__name__": "with.dot", "job": "node"}),
        ("up{a='it\\'s \"quoted\"'}", {"__name__": "up", "a": 'it\'s "quoted"'}),
        ("up{a=`\\n`}", {"__name__": "up", "a": "\\n"}),
        ('up{a="}{,\\n"}', {"__name__": "up", "a": "}{,\n"}),
        ('up{a=""}', {"__name__": "up"}),  # an empty label is none
    ],
)
def test_series(text, labels):
    assert labels == parse_series(text)


@pytest.mark.parametrize(
    "text", ["", "up{", 'up{a="b"', 'up{a="b"} x', "up{a=b}", "up down", 'up{a="b" c="d"}', "1up"]
)
def test_what_is_no_series_is_refused(text):
    with pytest.raises(ValueError, match="is not a series such as"):
        parse_series(text)


def test_a_value_with_half_a_letter_is_refused():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        parse_series('up{a="\\ud800"}')


@given(st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), st.text(min_size=1)))
@settings(max_examples=share(30))
def test_labels_that_are_written_are_read_back(labels):
    quoted = {
        name: '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        for name, value in labels.items()
    }
    written = "up{" + ", ".join(f"{name}={value}" for name, value in quoted.items()) + "}"

    assert {"__name__": "up", **labels} == parse_series(written)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("1 -2.5 1e3 .5", [1, -2.5, 1000, 0.5]),
        ("_ _x2 1", [None, None, None, 1]),
        ("1x3", [1, 1, 1, 1]),  # one more than it says
        ("0x59", [0] * 60),  # sixty zeros, and no hexadecimal number
        ("0+10x3", [0, 10, 20, 30]),
        ("5-2x2", [5, 3, 1]),
        ("-1+0.5x2", [-1, -0.5, 0]),
        ("0+0.1x3", [0, 0.1, 0.2, 0.1 + 0.1 + 0.1]),  # added step by step
        ("Inf -Inf", [math.inf, -math.inf]),
    ],
)
def test_values(text, values):
    assert values == parse_values(text)


def test_a_stale_marker_keeps_its_bits():
    import struct

    assert [struct.pack("<d", value) for value in parse_values("stale")] == [STALE_BYTES]
    assert [struct.pack("<d", value) == STALE_BYTES for value in parse_values("NaN")] == [False]


@pytest.mark.parametrize("text", ["x", "1x", "1+x3", "1x-3", "_x", "stalex2", "1+1", "0x1F"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(ValueError, match="is not a value such as"):
        parse_values(text)


def test_native_histograms_are_refused_by_name():
    with pytest.raises(ValueError, match="native histograms are not offered"):
        parse_values("{{sum:3}}x2")


@pytest.mark.parametrize("text", ["1x9999999999999", "_x9999999999999", f"1x{MAX_VALUES} 1"])
def test_a_slip_of_the_finger_does_not_ask_for_all_the_memory(text):
    with pytest.raises(ValueError, match="more than"):
        parse_values(text)


@pytest.mark.timeout(5)
def test_very_many_digits_are_read_in_linear_time():
    with pytest.raises(ValueError, match="is not a value such as"):
        parse_values("9" * 200_000 + "y")
