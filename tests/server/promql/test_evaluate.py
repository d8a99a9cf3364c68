"""What operators, matching and aggregations give, and whose mistake costs whom what."""

import math

import pytest
from tests.server.promql.worlds import (
    ACME,
    ATLAS,
    NOW,
    OTHER,
    STEP,
    ask,
    failures,
    flat,
    only_value,
    sampled,
    world,
)

from tocsin_server.promql import Row, evaluate, evaluate_range, parse
from tocsin_server.series.arrays import stale

DISKS = (
    flat("size", 100, device="sda"),
    flat("size", 200, device="sdb"),
    flat("free", 5, device="sda"),
    flat("free", 150, device="sdb"),
)


def test_a_row_says_whose_it_is() -> None:
    vector = evaluate(parse("free < 10"), world(*DISKS), NOW)

    (row,) = vector.rows()
    assert len(vector) == 1
    assert row == Row(ACME, ATLAS, {"__name__": "free", "device": "sda"}, 5.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A filter keeps value and name of the left side, arithmetic and bool drop the name.
        ("free < 10", {(1, ("__name__", "free"), ("device", "sda")): 5}),
        ("10 > free", {(1, ("__name__", "free"), ("device", "sda")): 5}),
        ("free < bool 10", {(1, ("device", "sda")): 1, (1, ("device", "sdb")): 0}),
        ("free / size < 0.1", {(1, ("device", "sda")): 0.05}),
        ("free < on (device) size", {(1, ("device", "sda")): 5, (1, ("device", "sdb")): 150}),
        ("free + on () group_left () count(size)", {(1, ("device", "sda")): 7, (1, ("device", "sdb")): 152}),
        (
            "count(size) < on () group_right () free",
            {(1, ("__name__", "free"), ("device", x)): 2 for x in ("sda", "sdb")},
        ),
        ("-free", {(1, ("device", "sda")): -5, (1, ("device", "sdb")): -150}),
        ("free and size > 150", {(1, ("__name__", "free"), ("device", "sdb")): 150}),
        ("free unless size > 150", {(1, ("__name__", "free"), ("device", "sda")): 5}),
        (
            "free > 100 or size",
            {
                (1, ("__name__", "free"), ("device", "sdb")): 150,
                (1, ("__name__", "size"), ("device", "sda")): 100,
            },
        ),
        ("sum(free)", {(1,): 155}),
        ("max by (device) (free)", {(1, ("device", "sda")): 5, (1, ("device", "sdb")): 150}),
        ("topk(1, free)", {(1, ("__name__", "free"), ("device", "sdb")): 150}),
        ("bottomk(1, free)", {(1, ("__name__", "free"), ("device", "sda")): 5}),
        ("quantile(0.5, size)", {(1,): 150}),
        ("scalar(sum(free)) + 1", {(1,): 156}),
        ("scalar(free)", {(1,): math.nan}),
        ("size * scalar(count(size))", {(1, ("device", "sda")): 200, (1, ("device", "sdb")): 400}),
        ("time() - timestamp(free)", {(1, ("device", "sda")): 0, (1, ("device", "sdb")): 0}),
        ("clamp(free, 10, 100)", {(1, ("device", "sda")): 10, (1, ("device", "sdb")): 100}),
        ("clamp(free, 100, 10)", {}),
        ("round(free / 2, 2)", {(1, ("device", "sda")): 2, (1, ("device", "sdb")): 76}),
        ("sgn(free - 5)", {(1, ("device", "sda")): 0, (1, ("device", "sdb")): 1}),
        ("-7 % 4 + vector(0)", {(1,): -3}),
        ("vector(1) / 0", {(1,): math.inf}),
        (
            'label_replace(free{device="sda"}, "disk", "$1-${2}$$", "device", "(..)(.)")',
            {(1, ("__name__", "free"), ("device", "sda"), ("disk", "sd-a$")): 5},
        ),
        (
            'label_replace(free{device="sda"}, "device", "$1$none$7", "device", "(?:x)(.*)")',
            {(1, ("__name__", "free"), ("device", "sda")): 5},
        ),
        (
            'label_replace(free{device="sda"}, "device", "$none$7$d", "device", "s(?P<d>.).*")',
            {(1, ("__name__", "free"), ("device", "d")): 5},
        ),
        ("timestamp(-free) - time()", {(1, ("device", "sda")): 0, (1, ("device", "sdb")): 0}),
        ('absent(free{device="sda"})', {}),
        ('absent(free{device="sdc", x=~".+"})', {(1, ("device", "sdc")): 1}),
        ("absent(free > 1000)", {(1,): 1}),
        ('absent_over_time(free{device="sdc"}[5m])', {(1, ("device", "sdc")): 1}),
    ],
)
def test_an_expression_gives(text: str, expected: dict) -> None:
    assert ask(world(*DISKS), text) == pytest.approx(expected, nan_ok=True)


def test_nan_is_the_least_of_values_but_only_where_there_is_another() -> None:
    source = world(flat("a", math.nan, x="1"), flat("a", 3, x="2"), flat("b", math.nan))

    assert only_value(source, "max(a)") == 3
    assert only_value(source, "min(a)") == 3
    assert math.isnan(only_value(source, "max(b)"))
    assert math.isnan(only_value(source, "sum(a)"))
    assert ask(source, "a != 3").keys() == {(1, ("__name__", "a"), ("x", "1"))}


def test_an_average_of_large_values_does_not_overflow() -> None:
    assert only_value(world(flat("a", 1e308, x="1"), flat("a", 1e308, x="2")), "avg(a)") == 1e308


def test_equal_values_have_no_deviation() -> None:
    source = world(*[flat("a", 0.1, x=str(x)) for x in range(3)])

    assert only_value(source, "stddev(a)") == 0


def test_a_stale_marker_ends_a_series_and_a_sample_ages() -> None:
    source = world(sampled("a", [1, 2, float(stale(1)[0])]), sampled("b", [1]))

    assert ask(source, "a") == {}
    assert ask(source, "a offset 10s").values() != {}
    assert only_value(source, "count_over_time(a[1m])") == 2
    assert only_value(source, "b", NOW + 299_999) == 1
    assert ask(source, "b", NOW + 300_000) == {}


MANY_TO_MANY = (
    'found duplicate series for the match group {{x="1"}} on the {} hand-side of the operation: '
    "many-to-many matching not allowed: matching labels must be unique on one side"
)
MANY_TO_ONE = (
    'multiple matches for labels {x="1"}: many-to-one matching must be explicit (group_left/group_right)'
)
CROWD = (flat("a", 1, x="1"), flat("b", 1, x="1", y="1"), flat("b", 2, x="1", y="2"))
OTHERS = (flat("a", 7, x="1", client=OTHER), flat("b", 1, x="1", client=OTHER))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a + on (x) b",
            MANY_TO_MANY.format("right"),
        ),
        (
            "b > on (x) a",
            MANY_TO_ONE,
        ),
        # The rows that a filter drops are counted too.
        (
            "b > on (x) (a + 100)",
            MANY_TO_ONE,
        ),
        (
            "b * on (x) group_left (y) a",
            "multiple matches for labels: grouping labels must ensure unique matches",
        ),
        (
            "b + on (x) group_right () a",
            MANY_TO_MANY.format("left"),
        ),
        (
            'label_replace(b, "y", "", "", "")',
            'vector cannot contain metrics with the same labelset {__name__="b", x="1"}',
        ),
        ('-{__name__=~"a|b", y=~"1?"}', 'vector cannot contain metrics with the same labelset {x="1"}'),
        ("topk(0 / 0 * scalar(a), b)", "the parameter value is NaN"),
    ],
)
def test_a_client_s_mistake_is_named_and_costs_nobody_else_a_row(text: str, message: str) -> None:
    if text.startswith("-"):
        crowd = (*CROWD, flat("b", 3, x="1"))
    else:
        crowd = CROWD
    alone = ask(world(*OTHERS), text) if not text.startswith(("-", "topk")) else None

    source = world(*crowd, *OTHERS)
    vector = evaluate(parse(text), source, NOW)

    assert vector.failures[ACME] == message
    assert {row.client_id for row in vector.rows()} <= {OTHER}
    if alone is not None:
        assert alone == {(row.client_id, *sorted(row.labels.items())): row.value for row in vector.rows()}


def test_duplicates_that_are_not_there_are_no_mistake() -> None:
    gone = (ACME, ATLAS, {"__name__": "b", "x": "1", "y": "2"}, [NOW - STEP, NOW], [2, float(stale(1)[0])])
    source = world(flat("a", 1, x="1"), flat("b", 5, x="1", y="1"), gone)

    assert ask(source, "a + on (x) b") == {(1, ("x", "1")): 6}
    assert ask(source, "b + on (x) a") == {(1, ("x", "1")): 6}
    assert ask(source, "a + on (x) group_left (y) b") == {(1, ("x", "1"), ("y", "1")): 6}
    assert failures(source, "a + on (x) last_over_time(b[1m])").keys() == {ACME}


def test_duplicates_are_no_mistake_where_nothing_could_match() -> None:
    assert failures(world(*CROWD), "nothing + on (x) b") == {}


def test_constants_and_absent_speak_for_each_client() -> None:
    source = world(flat("a", 1), clients=[ACME, OTHER])

    assert ask(source, "1 + 1") == {(ACME,): 2, (OTHER,): 2}
    assert ask(source, "absent(a)") == {(OTHER,): 1}
    assert ask(source, "a or vector(0)") == {(ACME, ("__name__", "a")): 1, (OTHER,): 0}
    assert ask(source, "vector(scalar(a))") == pytest.approx({(ACME,): 1, (OTHER,): math.nan}, nan_ok=True)


def test_a_group_has_a_host_where_all_its_rows_are_of_one() -> None:
    rows = [flat("a", 1, host=1, x="1", y="1"), flat("a", 1, host=1, x="1", y="2"), flat("a", 1, host=2, x="2")]

    hosts = {
        row.labels.get("x"): row.host_id for row in evaluate(parse("sum by (x) (a)"), world(*rows), NOW).rows()
    }

    assert hosts == {"1": 1, "2": 2}
    assert next(evaluate(parse("sum(a)"), world(*rows), NOW).rows()).host_id is None


def test_nothing_at_all_can_be_asked_anything() -> None:
    for text in (
        "a + b",
        "sum(a)",
        "rate(a[5m])",
        "a and b",
        "a or b",
        "topk(1, a)",
        "quantile(0.5, a)",
        "a * on () group_left (x) b",
    ):
        assert ask(world(), text) == {}


def test_a_line_is_nan_where_its_row_is_absent() -> None:
    source = world(sampled("a", [1, 2, 3], x="1"))

    (line,) = evaluate_range(parse("a != 2"), source, start_ms=NOW - 3 * STEP, end_ms=NOW, step_ms=STEP)

    assert (line.client_id, line.host_id, line.labels) == (ACME, ATLAS, {"__name__": "a", "x": "1"})
    assert line.values.tolist() == pytest.approx([math.nan, 1, math.nan, 3], nan_ok=True)


def test_start_and_end_of_a_range_are_those_of_the_whole() -> None:
    source = world(sampled("a", [1, 2, 3]))

    (line,) = evaluate_range(
        parse("a @ end() - a @ start()"), source, start_ms=NOW - STEP, end_ms=NOW, step_ms=STEP
    )

    assert line.values.tolist() == [1, 1]
