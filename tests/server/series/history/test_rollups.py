"""Five minutes in four numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from tests.examples import share
from tests.server.series.history.arrays import HOUR_MS, bits, entry, matrices, stretch

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.history.rollups import BUCKET_MS, Facet, pack_rollup, unpack_rollup
from tocsin_server.series.history.stretches import Stretch

ALL = np.arange(1)
TIMES = [HOUR_MS + 10, HOUR_MS + BUCKET_MS - 1, HOUR_MS + BUCKET_MS, HOUR_MS + 3 * BUCKET_MS]


def read(of: Stretch, facet: Facet) -> tuple[list[int], list]:
    times, values = unpack_rollup(pack_rollup(of)[1], of.series, ALL, facet)
    return times.tolist(), bits(values)[0]


@pytest.mark.parametrize(
    ("facet", "told"),
    [
        (Facet.LOWEST, [2.0, 9.0, STALE_NAN]),
        (Facet.HIGHEST, [5.0, 9.0, STALE_NAN]),
        (Facet.MEAN, [3.5, 9.0, STALE_NAN]),
        (Facet.TYPICAL, [3.5, 9.0, STALE_NAN]),
        (Facet.COUNT, [2.0, 1.0, 0.0]),
    ],
)
def test_a_bucket_is_told_at_its_end(facet, told):
    times, values = read(stretch(TIMES, a=[5, 2, 9, None]), facet)

    assert times == [HOUR_MS + BUCKET_MS, HOUR_MS + 2 * BUCKET_MS, HOUR_MS + 4 * BUCKET_MS]
    assert values == bits(np.array(told))


def test_of_a_counter_the_highest_is_typical():
    counter = Stretch((entry("a", SeriesKind.COUNTER),), np.array(TIMES), np.array([[5.0, 7.0, 8.0, 9.0]]))

    assert read(counter, Facet.TYPICAL)[1] == bits(np.array([7.0, 8.0, 9.0]))
    assert read(counter, Facet.MEAN)[1] == bits(np.array([6.0, 8.0, 9.0]))
    assert read(counter, Facet.COUNT)[1] == bits(np.array([2.0, 1.0, 1.0]))


def test_what_is_no_number_counts_for_nothing():
    assert read(stretch(TIMES, a=[float("nan"), 2, 9, 1]), Facet.MEAN)[1] == bits(np.array([2.0, 9.0, 1.0]))


@given(matrices())
@settings(max_examples=share(60), deadline=None)
def test_lowest_and_highest_are_among_the_samples_and_bound_them_all(drawn):
    times, values = drawn
    series = tuple(entry(f"m{row}") for row in range(len(values)))
    buckets, chunk = pack_rollup(Stretch(series, times, values))
    every = np.arange(len(series))

    ends, low = unpack_rollup(chunk, series, every, Facet.LOWEST)
    _, high = unpack_rollup(chunk, series, every, Facet.HIGHEST)
    _, count = unpack_rollup(chunk, series, every, Facet.COUNT)

    assert len(ends) == buckets
    for place, end in enumerate(ends.tolist()):
        inside = values[:, (times >= end - BUCKET_MS) & (times < end)]
        for row, samples in enumerate(inside):
            numbers = samples[~np.isnan(samples)].tolist()
            assert count[row, place] == len(numbers)
            if numbers:
                assert (low[row, place], high[row, place]) == (min(numbers), max(numbers))
            else:
                assert bits(low[row, place : place + 1]) == bits(np.array([STALE_NAN]))
