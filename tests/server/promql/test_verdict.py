"""Why a row has gone: its condition is false, or nobody knows."""

import pytest
from hypothesis import given, settings
from tests.examples import share
from tests.server.promql.expressions import CLIENTS, EXPRESSIONS, series
from tests.server.promql.worlds import ACME, NOW, OTHER, flat, world

from tocsin_server.promql import Inquiry, Verdict, evaluate, parse, verdict
from tocsin_server.series.fixed import FixedSource

HEALTHY = (
    flat("up", 1, instance="atlas"),
    flat("free", 50, instance="atlas", device="sda"),
    flat("free", 1, instance="atlas", device="sdb"),
    flat("size", 100, instance="atlas", device="sda"),
    flat("size", 100, instance="atlas", device="sdb"),
    flat("size", 100, instance="atlas", device="gone"),
    flat("readonly", 0, instance="atlas", device="sda"),
    flat("info", 1, instance="atlas", version="2"),
    # Another client's data says nothing about ours.
    flat("quiet", 0, instance="atlas", client=OTHER),
)
ATLAS = {"instance": "atlas"}
SDA = {"instance": "atlas", "device": "sda"}
SDB = {"instance": "atlas", "device": "sdb"}
GONE = {"instance": "atlas", "device": "gone"}

T, F, U = Verdict.TRUE, Verdict.FALSE, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        # A comparison: a row that says no, a row that says yes, no row.
        ("up == 0", ATLAS, F),
        ("up == 1", ATLAS, T),
        ("quiet == 1", ATLAS, U),
        ("free / size < 0.1", SDA, F),
        ("free / size < 0.1", SDB, T),
        ("free / size < 0.1", GONE, U),
        # The name is no part of an alert's identity.
        ("up == 0", {**ATLAS, "__name__": "up"}, F),
        # `and`: false if one side is false, unknown only if nothing is.
        ("free / size < 0.1 and readonly == 0", SDA, F),
        ("free / size < 0.9 and readonly == 0", SDA, T),
        ("free / size < 0.1 and readonly == 0", SDB, U),
        ("free > 10 and readonly == 0", SDB, F),
        ("free > 10 and on (instance) up == 0", SDA, F),
        ("free > 10 and on (instance) quiet == 0", SDA, U),
        # `or`: true if one side is true, false only if both are.
        ("up == 0 or free > 100", ATLAS, U),
        ("free > 100 or size > 100", SDA, F),
        ("free > 100 or size > 10", SDA, T),
        ("free > 100 or quiet > 1", SDA, U),
        # `unless`: what is there on the right makes it false, what is missing there does not matter.
        ("free > 10 unless readonly", SDA, F),
        ("free > 10 unless quiet", SDA, T),
        ("free > 100 unless quiet", SDA, F),
        ("quiet > 1 unless free", ATLAS, U),
        # What is there on the right of some other row takes nothing away.
        ("(vector(1) unless free) + on () group_right () free", SDA, T),
        # `absent` and constants are never unknown.
        ("absent(up)", {}, F),
        ("absent(quiet)", {}, T),
        ("vector(1) > 2", {}, F),
        ("vector(1)", {}, T),
        ("1 > bool 2", {}, T),
        # A plain selector is true while it is there, and unknown after.
        ("up", ATLAS, T),
        ("quiet", ATLAS, U),
        ("rate(quiet[5m])", ATLAS, U),
        ("-quiet + 1", ATLAS, U),
        # A single fresh sample is too few for a rate: unknown.
        ("rate(free[5m]) > 1", SDA, U),
        # An aggregation: rows that a condition keeps out are known, no rows are not.
        ("min without (device) (free) > 10", ATLAS, F),
        ("sum by (instance) (quiet) > 1", ATLAS, U),
        ("count by (instance) (up == 0) > 1", ATLAS, F),
        ("count by (instance) (quiet == 0) > 1", ATLAS, U),
        ("count(up == 0) > 1", {}, F),
        ("topk(1, free) > 10", SDB, F),
        ("topk(1, free)", SDB, F),
        ("topk(1, free)", GONE, U),
        ("sum by (instance) (free > 100)", ATLAS, F),
        # A filter inside arithmetic.
        ("(free > 60) * 2 > 1", SDA, F),
        ("(quiet > 60) * 2 > 1", ATLAS, U),
        ("abs(free > 60) > 1", SDA, F),
        # Labels that come from the other side are not looked for on the own one.
        ("up * on (instance) group_left (version) info == 0", {**ATLAS, "version": "2"}, F),
        ("info * on (instance) group_right (version) up == 0", {**ATLAS, "version": "2"}, F),
        ("(up == 0) * on (instance) group_left (version) info", {**ATLAS, "version": "2"}, F),
        ("free / on (instance, device) size < 0.1", SDA, F),
        ("free < ignoring (x) size - 80", SDA, F),
        ('label_replace(up == 0, "host", "$1", "instance", "(.*)")', {**ATLAS, "host": "atlas"}, F),
        # A comparison in `bool` form always has a value: it is about whether there is one.
        ("up > bool 5", ATLAS, T),
        ("quiet > bool 5", ATLAS, U),
        ("up > up * 2", ATLAS, F),
        # Constants and sums of what is there.
        ("time()", {}, T),
        ("time() > bool 5", {}, T),
        ("-time() + vector(1)", {}, T),
        ("sum(free)", {}, T),
        ("info * on (instance) group_right (version) (up == 0)", {**ATLAS, "version": "2"}, F),
        # Without the name two rows are the same: one that is true is enough, and it is no mistake.
        ('{device="sdb"} > 90', SDB, T),
        ('{device="sdb"} > 900', SDB, F),
        # A mistake in the client's own data.
        ("up + on (instance) free > 1000", ATLAS, U),
    ],
)
def test_the_verdict_on(text: str, labels: dict[str, str], expected: Verdict) -> None:
    asked = verdict(parse(text), world(*HEALTHY, clients=[ACME, OTHER]), NOW, client_id=ACME, labels=labels)

    assert expected is asked


def test_an_inquiry_answers_for_many_and_evaluates_each_part_once() -> None:
    class Counting:
        def __init__(self) -> None:
            self.source = world(*HEALTHY)
            self.instants = 0

        def __getattr__(self, name: str) -> object:
            self.instants += name == "instant"
            return getattr(self.source, name)

    source = Counting()
    inquiry = Inquiry(parse("free / size < 0.1"), source, NOW)

    assert inquiry.verdict(client_id=ACME, labels=SDA) is F
    assert inquiry.verdict(client_id=ACME, labels=SDB) is T
    assert source.instants == 4  # the whole once and, for the bool form, its parts once


@settings(max_examples=share(60))
@given(series(), EXPRESSIONS)
def test_a_row_that_is_there_is_true(rows: list[tuple], text: str) -> None:
    expression, source = parse(text), FixedSource.from_series(rows, clients=CLIENTS)
    inquiry = Inquiry(expression, source, NOW)

    for row in evaluate(expression, source, NOW).rows():
        assert inquiry.verdict(client_id=row.client_id, labels=row.labels) is T
