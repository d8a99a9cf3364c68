"""Functions over ranges: the extrapolation by hand, and all of them against plain loops."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.promql.worlds import NOW, STEP, ask, only_value, sampled, world


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        # Samples at -50 … 0 s, the range begins at -60 s: 10 s to its start, less than 1.1 × 10 s, are added.
        ("increase(c[1m])", [100, 110, 120, 130, 140, 150], 60.0),
        ("rate(c[1m])", [100, 110, 120, 130, 140, 150], 1.0),
        # The range is open on the left: the sample at exactly -50 s does not count.
        ("increase(c[50s])", [100, 110, 120, 130, 140, 150], 50.0),
        # Far from the start of the range: half a distance (5 s) is added, not 250 s.
        ("increase(c[5m])", [100, 110, 120, 130, 140, 150], 55.0),
        # The counter would have been zero 2 s before its first sample: no more than that is added.
        ("increase(c[5m])", [2, 12, 22, 32, 42, 52], 52.0),
        # A counter that begins at zero is not stretched to the left at all.
        ("increase(c[5m])", [0, 10, 20, 30], 30.0),
        # A restart: 30 were counted before it, then 5 and 5 more; 30 s sampled, 5 s added on the left.
        ("increase(c[5m])", [10, 40, 5, 10], (10 - 10 + 40) * 35 / 30),
        # A gauge has no zero and no restarts.
        ("delta(c[5m])", [2, 12, 22, 32, 42, 52], 55.0),
        ("delta(c[1m])", [50, 40, 30, 20, 10, 0], -60.0),
        ("irate(c[5m])", [0, 10, 50], 4.0),
        ("irate(c[5m])", [0, 10, 5], 0.5),
        ("idelta(c[5m])", [0, 10, 5], -5.0),
        ("changes(c[5m])", [1, 1, 2, math.nan, math.nan, 2], 3.0),
        ("resets(c[5m])", [3, 2, 2, 5, 1], 2.0),
        ("deriv(c[5m])", [10, 20, 30], 1.0),
        ("deriv(c[5m])", [7, 7, 7], 0.0),
        ("predict_linear(c[5m], 60)", [10, 20, 30], 90.0),
        ("quantile_over_time(0.5, c[5m])", [1, 2, 10], 2.0),
        ("quantile_over_time(0.25, c[5m])", [0, math.nan, 4, 8], math.nan),
        ("quantile_over_time(-1, c[5m])", [1], -math.inf),
        ("quantile_over_time(2, c[5m])", [1], math.inf),
        ("min_over_time(c[5m])", [math.nan, 3, 1], 1.0),
        ("max_over_time(c[5m])", [3, math.nan, 1], 3.0),
        ("max_over_time(c[5m])", [math.nan, math.nan], math.nan),
        ("avg_over_time(c[5m])", [1e308, 1e308, 1e308], 1e308),
        ("stddev_over_time(c[5m])", [0.1, 0.1, 0.1], 0.0),
        ("last_over_time(c[5m])", [1, 2], 2.0),
        ("present_over_time(c[5m])", [math.nan], 1.0),
        ("count_over_time(c[5m])", [1, math.nan], 2.0),
    ],
)
def test_a_function_over_a_range_gives(text: str, values: list[float], expected: float) -> None:
    assert only_value(world(sampled("c", values)), text) == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("function", ["rate", "increase", "delta", "irate", "idelta", "deriv"])
def test_one_sample_is_too_few_for(function: str) -> None:
    assert ask(world(sampled("c", [5])), f"{function}(c[5m])") == {}


def test_an_offset_moves_the_range_and_at_fixes_it() -> None:
    source = world(sampled("c", range(60)))

    assert only_value(source, "last_over_time(c[1m] offset 2m)") == 47
    assert only_value(source, "last_over_time(c[1m] @ 500)") == 49
    assert only_value(source, "last_over_time(c[1m] @ end() offset -1m)", NOW - 120_000) == 53


def test_predict_linear_looks_ahead_from_the_instant_and_not_from_the_last_sample() -> None:
    source = world(sampled("c", [10, 20, 30], until=NOW - 20_000))

    assert only_value(source, "predict_linear(c[5m], 60)") == pytest.approx(110)


def test_only_last_over_time_keeps_the_name() -> None:
    source = world(sampled("c", [1, 2]))

    assert ask(source, "last_over_time(c[1m])") == {(1, ("__name__", "c")): 2}
    assert ask(source, "max_over_time(c[1m])") == {(1,): 2}


FLOATS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
PLAIN = {
    "sum_over_time": sum,
    "avg_over_time": statistics.fmean,
    "min_over_time": min,
    "max_over_time": max,
    "count_over_time": len,
    "last_over_time": lambda values: values[-1],
    "stdvar_over_time": statistics.pvariance,
    "stddev_over_time": statistics.pstdev,
    "changes": lambda values: sum(map(float.__ne__, values, values[1:])),
    "resets": lambda values: sum(map(float.__gt__, values, values[1:])),
    "deriv": lambda values: (
        np.polyfit(np.arange(len(values)) * STEP / 1000, values, 1)[0] if len(values) > 1 else None
    ),
}


@settings(max_examples=share(60))
@given(
    st.lists(st.lists(FLOATS, min_size=1, max_size=12), min_size=1, max_size=5), st.sampled_from(sorted(PLAIN))
)
def test_rows_of_any_length_give_what_a_plain_loop_gives(rows: list[list[float]], function: str) -> None:
    source = world(*[sampled("c", values, row=str(index)) for index, values in enumerate(rows)])

    results = ask(source, f"{function}(c[5m])")

    for index, values in enumerate(rows):
        expected = PLAIN[function](values)
        (actual,) = [value for key, value in results.items() if ("row", str(index)) in key] or [None]
        assert actual == (expected if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-6))


@settings(max_examples=share(60))
@given(st.lists(st.integers(0, 50), min_size=2, max_size=20))
def test_an_increase_never_falls_short_of_what_was_counted_between_the_samples(values: list[int]) -> None:
    counted = sum(after - before if after >= before else after for before, after in itertools.pairwise(values))

    assert only_value(world(sampled("c", values)), "increase(c[10m])") >= counted * (1 - 1e-12)
