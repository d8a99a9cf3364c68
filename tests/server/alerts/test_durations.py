"""Durations are read and written as Prometheus does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.durations import parse_duration
from tocsin_server.promql.spelling import duration


@pytest.mark.parametrize(
    ("text", "length_ms"),
    [
        ("0", 0),  # the only one that needs no unit
        ("0s", 0),
        ("5m", 300_000),
        ("500ms", 500),
        ("1h30m", 5_400_000),
        ("1d", 86_400_000),
        ("1w", 604_800_000),
        ("1y", 31_536_000_000),
        ("2m59s999ms", 179_999),
    ],
)
def test_durations_that_prometheus_takes(text, length_ms):
    assert length_ms == parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "m", "30m1h", "1.5h", "-5m", "5 m", "5min", "५m", "300y"])
def test_durations_that_prometheus_refuses_are_refused_with_their_text(text):
    with pytest.raises(ValueError, match=r"is not a duration such as 5m|longer than 292 years") as refusal:
        parse_duration(text)

    assert repr(text) in str(refusal.value)


@given(st.integers(0, 9_000_000_000_000_000_000 // 1_000_000))
def test_what_is_written_is_read_back(length_ms):
    assert length_ms == parse_duration(duration(length_ms))
