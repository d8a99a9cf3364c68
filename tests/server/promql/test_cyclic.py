"""What is worked out in rings is what is worked out of the same samples in order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.promql import evaluate, parse
from tocsin_server.promql.cyclic import CYCLIC
from tocsin_server.series.arrays import stale
from tocsin_server.series.head import Head
from tocsin_server.series.readings import Reading
from tocsin_server.series.schema import Schema, SeriesEntry

NOW_MS = 1_700_000_000_000
STEP_MS = 10_000
SCHEMA = Schema(1, "", tuple(SeriesEntry("m", SeriesKind.GAUGE, (("n", str(n)),)) for n in range(3)))
TEXTS = {name: f"{name}(m[1m])" for name in CYCLIC} | {"predict_linear": "predict_linear(m[1m], 600)"}

samples = st.one_of(
    st.integers(0, 20).map(float),
    st.floats(0, 1e6, allow_subnormal=False),
    st.sampled_from([np.nan, "stale"]),
)
frames = st.lists(
    st.tuples(st.integers(1, 25_000), st.lists(samples, min_size=3, max_size=3)), min_size=1, max_size=30
)


def head_of(hosts, window_ms=60_000):
    """A head in which each host has sent these frames, each so long after the one before."""
    head = Head(interval_s=STEP_MS / 1000)
    head.require({"m": window_ms})
    for number, sent in enumerate(hosts, 1):
        head.enlist(number, client_id=1, target={"instance": f"host{number}", "job": "node", "site": "here"})
        at_ms = NOW_MS
        for later_ms, values in sent:
            at_ms += later_ms
            matrix = np.array([[0.0 if value == "stale" else value for value in values]])
            matrix[0, [value == "stale" for value in values]] = stale(1)
            head.apply(number, SCHEMA, [at_ms], matrix)
    return head


def rows(text, head, at_ms):
    return {
        row.labels["instance"] + row.labels["n"]: row.value for row in evaluate(parse(text), head, at_ms).rows()
    }


@pytest.mark.parametrize("name", sorted(CYCLIC))
@settings(max_examples=share(60), deadline=None)
@given(hosts=st.lists(frames, min_size=1, max_size=3), after_ms=st.integers(0, 400_000))
def test_a_function_gives_the_same_of_rings_and_of_samples_in_order(name, hosts, after_ms):
    head, at_ms = head_of(hosts), NOW_MS + after_ms

    in_rings = rows(TEXTS[name], head, at_ms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reading, "cycle", lambda *_: None)
        in_order = rows(TEXTS[name], head, at_ms)

    assert in_rings == pytest.approx(in_order, rel=1e-9, abs=1e-6, nan_ok=True)


def test_equal_samples_neither_rise_nor_fall():
    head = head_of([[(STEP_MS, [1e10 + 0.1, 3.3, 0.0])] * 9])

    assert {*rows("deriv(m[1m])", head, NOW_MS + 9 * STEP_MS).values()} == {0.0}


def test_a_counter_that_began_anew_within_the_range_loses_nothing():
    counts = [10.0, 20.0, 30.0, 5.0, 15.0, 25.0, 35.0]
    head = head_of([[(STEP_MS, [count, 2 * count, 1.0]) for count in counts]])

    increases = rows("increase(m[1m])", head, NOW_MS + 7 * STEP_MS)

    assert [round(value) for value in increases.values()] == [54, 108, 0]


def test_a_short_range_of_a_deep_ring_is_read_in_order():
    head = head_of([[(STEP_MS, [float(n), 0.0, 0.0]) for n in range(200)]], window_ms=3_600_000)
    reading = head.select("m", ()).readings[0]
    end_ms = NOW_MS + 200 * STEP_MS

    assert reading.cycle(end_ms - 60_000, end_ms) is None
    assert reading.cycle(end_ms - 3_600_000, end_ms) is not None
    assert rows("increase(m[1m])", head, end_ms)["host10"] == pytest.approx(6)
