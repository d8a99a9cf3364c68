"""Values read as a technician says them."""

import math
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import scene

from tocsin_tui import format as said
from tocsin_tui.format import Tone


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-3), "<1m"),  # clocks differ
        (timedelta(seconds=59), "<1m"),
        (timedelta(minutes=5, seconds=59), "5m"),
        (timedelta(hours=3, minutes=7), "3h07"),
        (timedelta(hours=23, minutes=59), "23h59"),
        (timedelta(days=41), "41d"),
    ],
)
def test_a_duration_fits_five_cells(span: timedelta, words: str) -> None:
    assert words == said.duration(span)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.0231, "0.0231"),
        (41.666, "41.67"),
        (9412.0, "9 412"),
        (91_234.5, "91 234"),
        (-3.0, "-3"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_number_has_the_digits_that_count(value: float | None, words: str) -> None:
    assert words == said.number(value)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0231, "ratio", "2.3 %"),
        (0.977, "ratio", "98 %"),
        (0.0, "ratio", "0 %"),
        (4_812_009_472.0, "bytes", "4.5 GiB"),
        (311.0, "bytes", "311 B"),
        (1_310_000.0, "bytes/s", "1.2 MiB/s"),
        (41.0, "s", "41 s"),
        (3.0, "", "3"),
        (None, "bytes", "–"),
    ],
)
def test_a_quantity_is_said_in_its_unit(value: float | None, unit: str, words: str) -> None:
    assert words == said.quantity(value, unit)


def test_a_moment_of_another_day_says_its_day() -> None:
    assert said.clock(scene.ago(7), scene.NOW) == "12:38"
    assert said.clock(scene.ago(24 * 60), scene.NOW) == "24 Nov 12:45"


@given(st.floats(allow_nan=False) | st.none(), st.integers(0, 80))
def test_a_gauge_is_as_wide_as_asked(ratio: float | None, width: int) -> None:
    assert width == len(said.bar(ratio, width))


@given(st.lists(st.tuples(st.text(max_size=3), st.sampled_from([Tone.DIM, Tone.BAD])), max_size=8))
def test_joining_neighbours_of_one_tone_loses_no_text(spans) -> None:
    runs = said.joined(spans)

    assert "".join(text for text, _ in spans) == "".join(text for text, _ in runs)
    assert all(before[1] is not after[1] for before, after in pairwise(runs))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "–"),
        (0.0, "0 bit/s"),
        (999.4, "999 bit/s"),
        (999_600.0, "1 Mbit/s"),
        (12_400_000.0, "12.4 Mbit/s"),
        (1e10, "10 Gbit/s"),
    ],
)
def test_bits_go_by_thousands(amount: float | None, words: str) -> None:
    assert words == said.bits(amount, per="/s")
