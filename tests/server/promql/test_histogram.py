"""Classic histograms: quantiles and fractions of many at once, as one by one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.promql.worlds import ask, failures, flat, world

BOUNDS = (-1.0, 0.0, 0.5, 2.0, 10.0)
COUNTS = st.lists(st.integers(0, 9), min_size=6, max_size=6)


def buckets(name, steps, **labels):
    total = 0
    for bound, step in zip((*BOUNDS, math.inf), steps, strict=True):
        total += step
        le = "+Inf" if bound == math.inf else f"{bound:g}"
        yield flat(f"{name}_bucket", float(total), le=le, **labels)


def observed(steps):
    """Where observations are, if they lie evenly in their buckets, as (from, to, how many)."""
    lows = (-math.inf, *BOUNDS)
    return [(low, high, step) for low, high, step in zip(lows, (*BOUNDS, math.inf), steps, strict=True) if step]


def the_quantile(q, steps):
    total, below = sum(steps), 0
    for low, high, step in observed(steps):
        if below + step >= q * total:
            if high == math.inf:
                return BOUNDS[-1]
            return BOUNDS[0] if low == -math.inf else low + (high - low) * (q * total - below) / step
        below += step
    return math.nan


@given(st.lists(COUNTS, min_size=1, max_size=4), st.floats(0.01, 1))
def test_each_of_many_histograms_has_its_own_quantile(all_steps, q):
    series = [one for place, steps in enumerate(all_steps) for one in buckets("a", steps, x=str(place))]

    found = ask(world(*series), f"histogram_quantile({q!r}, a_bucket)")

    for place, steps in enumerate(all_steps):
        assert found[1, ("x", str(place))] == pytest.approx(the_quantile(q, steps), nan_ok=True)


@given(COUNTS, st.floats(-3, 12), st.floats(0, 9))
def test_fractions_side_by_side_add_up(steps, lower, width):
    source = world(*buckets("a", steps))
    middle, upper = lower + width / 2, lower + width

    def share(low, high):
        (value,) = ask(source, f"histogram_fraction({low!r}, {high!r}, a_bucket)").values()
        return value

    assert share(lower, middle) + share(middle, upper) == pytest.approx(
        share(lower, upper), nan_ok=True, abs=1e-9
    )


def test_a_bucket_spelled_twice_counts_once_and_one_without_a_bound_not_at_all():
    source = world(
        flat("a_bucket", 1, le="1"),
        flat("a_bucket", 2, le="1.0"),
        flat("a_bucket", 9, le="many"),
        flat("a_bucket", 4, le="+Inf"),
    )

    assert ask(source, "histogram_quantile(0.75, a_bucket)") == {(1,): 1.0}


def test_without_a_last_bucket_there_is_no_answer():
    source = world(flat("a_bucket", 1, le="1"), flat("a_bucket", 2, le="2"))

    assert math.isnan(ask(source, "histogram_quantile(0.5, a_bucket)")[(1,)])


def test_histograms_of_two_names_that_lose_their_names_are_a_mistake():
    source = world(*buckets("a", [1] * 6), *buckets("b", [1] * 6))

    assert "same labelset" in failures(source, 'histogram_quantile(0.5, {__name__=~".*_bucket"})')[1]


def test_each_of_several_quantiles_carries_its_own_label():
    source = world(flat("a_bucket", 4, le="1"), flat("a_bucket", 4, le="+Inf"))

    found = ask(source, 'histogram_quantiles(a_bucket, "q", 0.5, 1)')

    assert found == {(1, ("q", "0.5")): 0.5, (1, ("q", "1.0")): 1.0}
