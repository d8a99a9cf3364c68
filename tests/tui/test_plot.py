"""A chart shows every spike, every gap, the threshold and the moments that matter."""

import math
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import scene

from tocsin_protocol.query import Chart
from tocsin_tui.format import Tone
from tocsin_tui.plot import plot

STORY = scene.chart(scene.alert(scene.a_ticket()))


def drawn(chart: Chart, width: int = 80, height: int = 12) -> list[str]:
    return [line.text for line in plot(chart, width=width, height=height, now=scene.NOW)]


def dots(lines: list[str]) -> int:
    return sum("\u2801" <= character <= "\u28ff" for line in lines for character in line)


def test_the_threshold_is_drawn_with_its_value_and_the_moment_it_was_crossed_has_a_mark() -> None:
    lines = drawn(STORY)

    assert any(line.lstrip().startswith("3.0 %┤┈") for line in lines)
    assert "▲" in lines[-2]
    assert "▲ fired 12:38" in lines[-1]
    assert lines[-1].strip().startswith("12:05")
    assert lines[-1].endswith("12:45")


def test_what_breaks_the_rule_has_another_tone() -> None:
    tones = {
        tone
        for line in plot(STORY, width=80, height=12, now=scene.NOW)
        for text, tone in line.spans
        if dots([text])
    }

    assert {Tone.GOOD, Tone.BAD} == tones


def test_a_spike_of_one_sample_is_seen_whatever_the_width() -> None:
    values: list[float | None] = [0.1] * 2000
    values[777] = 0.9
    spiky = msgspec.structs.replace(STORY, values=values, threshold=None, operator=None)

    assert dots(drawn(spiky, width=40)[1:2]) >= 1


def test_a_gap_stays_empty() -> None:
    half = msgspec.structs.replace(STORY, values=[0.5] * 50 + [None] * 50, threshold=None, operator=None)
    rows = drawn(half, width=50)[1:-2]

    assert not dots([row[30:] for row in rows])


def test_time_before_the_first_sample_is_left_out() -> None:
    young = msgspec.structs.replace(STORY, values=[None] * 180 + [0.5] * 60)

    assert drawn(young)[-1].strip().startswith("12:35")


def test_a_rule_without_for_has_one_mark() -> None:
    both = msgspec.structs.replace(STORY, marks={"active": scene.ago(7), "fired": scene.ago(7)})

    assert "active" not in drawn(both)[-1]


def test_nothing_to_draw_is_said() -> None:
    assert drawn(msgspec.structs.replace(STORY, values=[None] * 9))[1] == "no samples in this time"


VALUES = st.lists(st.none() | st.floats(), max_size=60)


@given(VALUES, st.none() | st.floats(), st.integers(20, 130), st.integers(5, 20))
def test_whatever_the_values_it_fits_its_place(values, threshold, width: int, height: int) -> None:
    chart = msgspec.structs.replace(STORY, values=values, threshold=threshold)

    lines = drawn(chart, width, height)

    assert len(lines) <= height
    assert all(len(line) <= width for line in lines[1:-2])


@given(st.timedeltas(timedelta(-400), timedelta(400)))
def test_a_mark_out_of_sight_is_told_but_not_drawn(shift: timedelta) -> None:
    lines = drawn(msgspec.structs.replace(STORY, marks={"fired": scene.NOW + shift}))

    inside = timedelta(minutes=-40) < shift <= timedelta(0)
    assert ("▲" in lines[-2]) is inside or math.isclose(shift.total_seconds(), -2390, abs_tol=30)
