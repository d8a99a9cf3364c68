"""`up` is drawn from when a host has sent something."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.series.up import up_from

INTERVAL_MS = 10_000


@given(st.lists(st.integers(0, 10**6), unique=True).map(sorted), st.integers(10**6, 2 * 10**6))
def test_up_is_one_whenever_it_was_heard_and_zero_only_when_it_was_not(heard: list[int], end_ms: int) -> None:
    times, values = up_from(np.array(heard, np.int64), end_ms=end_ms, interval_ms=INTERVAL_MS)

    assert times.tolist() == sorted(times.tolist())
    assert [time for time, value in zip(times.tolist(), values.tolist(), strict=True) if value == 1] == heard
    for time in times[values == 0].tolist():
        before = max((each for each in heard if each <= time), default=None)
        assert before is not None
        assert time - before >= 4 * INTERVAL_MS
