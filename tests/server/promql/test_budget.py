"""No expression takes more than it may."""

from itertools import count

import pytest
from tests.server.promql.worlds import NOW, sampled, world

from tocsin_server.promql import evaluate, evaluate_range, parse
from tocsin_server.promql.budget import Budget, TooCostly

MANY = world(*(sampled("a", range(30), x=str(number)) for number in range(10)))


@pytest.mark.parametrize("text", ["rate(a[5m])", "sum(a) + a + a + a + a + a", "max_over_time(sum(a)[5m:1s])"])
def test_what_looks_at_too_many_samples_is_ended(text):
    with pytest.raises(TooCostly, match="more than 50 samples"):
        evaluate(parse(text), MANY, NOW, budget=Budget(samples=50))


def test_what_takes_too_long_is_ended():
    ticking = count()

    with pytest.raises(TooCostly, match="more than 20 s"):
        evaluate(
            parse("max_over_time(a[5m:10s])"), MANY, NOW, budget=Budget(seconds=20, monotonic=ticking.__next__)
        )


def test_the_steps_of_a_range_share_one_budget():
    with pytest.raises(TooCostly):
        evaluate_range(
            parse("a"), MANY, start_ms=NOW - 100_000, end_ms=NOW, step_ms=10_000, budget=Budget(samples=50)
        )


def test_what_stays_within_it_is_answered():
    assert len(evaluate(parse("rate(a[5m])"), MANY, NOW, budget=Budget(samples=301))) == 10
