"""What frames and late frames make of an hour."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.series.history.arrays import HOUR_MS, bits, entry, stretch

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.history import stretches
from tocsin_server.series.history.stretches import Stretch, by_hour, hours_of, united
from tocsin_server.series.schema import Schema


class Sent(NamedTuple):
    schema: Schema
    times_ms: list[int]
    matrix: np.ndarray


def sent(names: str, times_ms: list[int], *rows: list[float]) -> Sent:
    schema = Schema(hash(names), "", tuple(entry(name) for name in names))
    return Sent(schema, times_ms, np.array(rows, np.float64))


def only_hour(*frames: Sent) -> Stretch:
    (found,) = hours_of(frames).values()
    return found


def held(found: Stretch) -> dict[str, list]:
    return {one.name: row for one, row in zip(found.series, bits(found.values), strict=True)}


def as_bits(*row: float) -> list:
    return bits(np.array(row, np.float64))


def test_frames_of_one_schema_become_a_row_a_series():
    found = only_hour(sent("ab", [1, 2], [10, 20], [11, 21]), sent("ab", [3], [12, 22]))

    assert found.times.tolist() == [1, 2, 3]
    assert held(found) == {"a": as_bits(10, 11, 12), "b": as_bits(20, 21, 22)}


def test_a_series_that_a_schema_does_not_have_is_stale_there():
    found = only_hour(sent("ab", [1], [10, 20]), sent("bc", [2], [21, 31]))

    assert held(found) == {
        "a": as_bits(10, STALE_NAN),
        "b": as_bits(20, 21),
        "c": as_bits(STALE_NAN, 31),
    }


def test_frames_in_any_order_are_sorted_and_the_first_of_an_instant_counts():
    found = only_hour(sent("a", [3], [3]), sent("a", [1], [1]), sent("a", [3, 3], [8], [9]))

    assert found.times.tolist() == [1, 3]
    assert held(found) == {"a": as_bits(1, 3)}


def test_no_frames_are_no_hours():
    assert hours_of([]) == {}


def test_what_was_there_is_kept_on_equal_times_where_it_is_a_sample():
    kept, late = stretch([1, 3], a=[1, None], b=[5, 6]), stretch([1, 2, 3], a=[7, 2, 3], c=[9, 9, 9])

    found = united([kept, late])

    assert found.times.tolist() == [1, 2, 3]
    assert held(found) == {
        "a": as_bits(1, 2, 3),
        "b": as_bits(5, STALE_NAN, 6),
        "c": as_bits(9, 9, 9),
    }


def test_a_kind_that_is_told_otherwise_later_makes_no_second_series():
    counter = Stretch((entry("a", SeriesKind.COUNTER),), np.array([2]), np.array([[2.0]]))

    found = united([stretch([1], a=[1]), counter])

    assert [one.kind for one in found.series] == [SeriesKind.GAUGE]
    assert held(found) == {"a": as_bits(1, 2)}


cells = st.none() | st.integers(0, 3)


@st.composite
def small(draw):
    times = sorted(draw(st.sets(st.integers(0, 6), min_size=1)))
    names = sorted(draw(st.sets(st.sampled_from("abc"), min_size=1)))
    row = st.lists(cells, min_size=len(times), max_size=len(times))
    return stretch(times, **{name: draw(row) for name in names})


@given(small(), small())
@settings(max_examples=share(60), deadline=None)
def test_what_is_merged_twice_is_merged_once(kept, late):
    once = united([kept, late])
    twice = united([once, late])

    assert twice.times.tolist() == once.times.tolist()
    assert held(twice) == held(once)


@given(small(), small())
@settings(max_examples=share(60), deadline=None)
def test_every_sample_of_either_is_there_and_that_which_was_first_there_wins(kept, late):
    def samples(of: Stretch) -> dict[tuple[str, int], int]:
        stale = as_bits(STALE_NAN)[0]
        return {
            (name, time): value
            for name, row in held(of).items()
            for time, value in zip(of.times.tolist(), row, strict=True)
            if value != stale
        }

    assert samples(united([kept, late])) == {**samples(late), **samples(kept)}


def test_a_stretch_is_cut_at_full_hours():
    found = dict(by_hour(stretch([HOUR_MS - 1, HOUR_MS, HOUR_MS + 3_599_999], a=[1, 2, 3])))

    assert {hour: part.times.tolist() for hour, part in found.items()} == {
        HOUR_MS - 3_600_000: [HOUR_MS - 1],
        HOUR_MS: [HOUR_MS, HOUR_MS + 3_599_999],
    }
    assert held(found[HOUR_MS]) == {"a": as_bits(2, 3)}


def test_frames_of_many_hours_are_put_together_hour_by_hour(monkeypatch):
    monkeypatch.setattr(stretches, "MAX_CELLS", 4)
    frames = [sent("ab", [hour * 3_600_000, hour * 3_600_000 + 1], [1, 2], [3, 4]) for hour in range(5)]

    found = hours_of(frames)

    assert list(found) == [hour * 3_600_000 for hour in range(5)]
    assert all(held(hour) == {"a": as_bits(1, 3), "b": as_bits(2, 4)} for hour in found.values())


def test_series_for_which_there_is_no_room_are_left_out_and_counted(monkeypatch):
    monkeypatch.setattr(stretches, "MAX_CELLS", 5)

    found = only_hour(sent("abc", [1], [1, 2, 3]), sent("abd", [2], [4, 5, 6]))

    assert held(found) == {"a": as_bits(1, 4), "b": as_bits(2, 5)}
    assert found.left_out == 2


def test_instants_that_come_too_fast_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(stretches, "MAX_INSTANTS", 4)

    found = united([stretch(range(0, 10, 2), a=[0, 2, 4, 6, 8]), stretch(range(1, 9, 2), a=[1, 3, 5, 7])])

    assert found.times.tolist() == [0, 3, 6]
    assert held(found) == {"a": as_bits(0, 3, 6)}


def test_instants_that_stand_there_twice_are_no_stretch():
    with pytest.raises(ValueError, match="each there once"):
        stretch([1, 1], a=[1, 2])


def test_numbers_of_another_type_are_no_stretch():
    with pytest.raises(ValueError, match="values float64"):
        Stretch((entry("a"),), np.array([1]), np.array([[1]]))
