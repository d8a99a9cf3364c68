"""Sums lose nothing to rounding on the way, whoever is added up with whom."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.promql.sums import Tournament, is_whole, row_sums

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(st.lists(NUMBERS, min_size=7, max_size=7), min_size=1, max_size=4))
def test_a_row_adds_up_to_what_exact_arithmetic_rounds_to(rows):
    sums = row_sums(np.array(rows))

    for row, total in zip(rows, sums.tolist(), strict=True):
        scale = math.fsum(map(abs, row))
        assert total == pytest.approx(math.fsum(row), rel=1e-15, abs=scale * 1e-30)


@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS), min_size=1, max_size=30))
def test_so_does_a_group_however_its_members_are_spread(members):
    groups = np.array([group for group, _ in members])
    values = np.array([value for _, value in members])
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))

    sums = Tournament.of(order, starts).sums(values)

    for group, total in zip(np.unique(groups).tolist(), sums.tolist(), strict=True):
        own = values[groups == group].tolist()
        assert total == pytest.approx(math.fsum(own), rel=1e-15, abs=math.fsum(map(abs, own)) * 1e-30)


def test_what_cancels_leaves_the_small_ones():
    assert row_sums(np.array([[1.0, 1e100, 1.0, -1e100]])).tolist() == [2.0]


def test_what_is_infinite_or_no_number_stays_so():
    with np.errstate(all="ignore"):
        sums = row_sums(np.array([[math.inf, 0.1], [math.inf, -math.inf], [math.nan, 1.5]]))

    assert sums[0] == math.inf
    assert np.isnan(sums[1:]).all()


def test_integers_are_whole_as_far_as_doubles_count():
    assert is_whole(np.array([1.0, 2.0, -7.0]))
    assert not is_whole(np.array([1.0, 2.5]))
    assert not is_whole(np.array([2.0**53, 1.0]))
