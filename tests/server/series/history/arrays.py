"""Values such as hosts send, drawn by Hypothesis; and comparison to the bit."""

import sqlite3

import numpy as np
from hypothesis import strategies as st

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_BITS, STALE_NAN
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry

_ODD = (STALE_BITS, 0x7FF8000000000001, 0x7FF8000000000000, -1, 1 << 63, 0x7FF0000000000000, 1, 0)
HOUR_MS = 1_699_999_200_000


def bits(values) -> list:
    return np.ascontiguousarray(values).view(np.int64).tolist()


def _rows(count: int):
    """One series: what never changes, whole numbers, hundredths, any bits; some with gaps."""

    def of(numbers):
        return st.lists(numbers, min_size=count, max_size=count)

    any_bits = st.integers(0, (1 << 64) - 1)
    as_bits = np.dtype(np.uint64)
    whole = of(st.integers(-(2**54), 2**54)).map(lambda row: np.array(row, np.float64))
    small = of(st.integers(0, 300)).map(lambda row: np.cumsum(row).astype(np.float64))
    hundredths = of(st.integers(-(10**6), 10**6)).map(lambda row: np.array(row) / 100)
    anything = of(any_bits | st.sampled_from(_ODD).map(lambda bits: bits & (1 << 64) - 1))
    raw = anything.map(lambda row: np.array(row, as_bits).view(np.float64))
    same = st.floats(width=64).map(lambda value: np.full(count, value))
    rows = whole | small | hundredths | raw | same
    return st.tuples(rows, of(st.integers(0, 7))).map(lambda drawn: _holed(*drawn))


def _holed(row, dice):
    patterns = row.view(np.int64).copy()
    if dice[0] > 3:
        patterns[np.array(dice) == 1] = STALE_BITS
    return patterns.view(np.float64)


@st.composite
def matrices(draw, *, most_series: int = 6, most_instants: int = 20):
    """Instants and `[series, instants]`."""
    series, instants = draw(st.integers(1, most_series)), draw(st.integers(1, most_instants))
    steps = draw(st.lists(st.integers(1, 20_000), min_size=instants, max_size=instants))
    times = HOUR_MS + np.cumsum(steps).astype(np.int64)
    return times, np.stack([draw(_rows(instants)) for _ in range(series)])


def entry(name: str, kind: SeriesKind = SeriesKind.GAUGE, /, **labels: str) -> SeriesEntry:
    return SeriesEntry(name, kind, tuple(sorted(labels.items())))


def stretch(times, /, **rows) -> Stretch:
    """A stretch of gauges by name; `None` is no sample."""
    values = [[STALE_NAN if value is None else value for value in row] for row in rows.values()]
    return Stretch(
        tuple(entry(name) for name in rows),
        np.array(times, np.int64),
        np.array(values, np.float64).reshape(len(rows), len(times)),
    )


def execute(path, *statements: str) -> list:
    """What SQLite answers to the last of these."""
    with sqlite3.connect(path) as connection:
        found = [connection.execute(statement).fetchall() for statement in statements]
    connection.close()
    return found[-1]
