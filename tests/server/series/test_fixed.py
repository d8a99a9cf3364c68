"""The source of plain series: lookback, staleness, windows."""

import numpy as np
import pytest

from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.fixed import ANONYMOUS, FixedSource
from tocsin_server.series.matchers import Matcher, MatchKind

ACME, BOLT = 1, 2
LOAD = {"__name__": "load"}


@pytest.fixture
def source() -> FixedSource:
    """A series with a gap that a stale marker makes, and a shorter one."""
    return FixedSource.from_series(
        [
            (ACME, 10, {**LOAD, "instance": "atlas"}, [0, 10, 20, 30], [1.0, 2.0, STALE_NAN, float("nan")]),
            (BOLT, None, {**LOAD, "instance": "boreas"}, [20], [5.0]),
            (ACME, 10, {"__name__": "disk"}, [], []),
        ],
        clients=[7],
    )


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (-1, {}),
        (0, {"atlas": 1.0}),
        (19, {"atlas": 2.0}),
        (20, {"boreas": 5.0}),  # atlas is stale
        (300_019, {"atlas": float("nan"), "boreas": 5.0}),
        (300_020, {"atlas": float("nan")}),
        (300_030, {}),
    ],
)
def test_an_instant_is_the_newest_sample_within_the_lookback_unless_it_is_stale(
    source, at_ms, expected
) -> None:
    selection = source.select("load", ())
    found = source.instant(selection, at_ms)

    there = np.flatnonzero(found.present)
    values = {selection.labels.row(row)["instance"]: found.values[row] for row in there}
    assert values == pytest.approx(expected, nan_ok=True)


def test_a_window_is_open_at_its_left_and_leaves_stale_markers_out(source) -> None:
    found = source.window(source.select("load", ()), 0, 30)

    assert found.count.tolist() == [2, 1]
    assert found.times[0, :2].tolist() == [10, 30]
    assert found.values[1, :1].tolist() == [5.0]


def test_a_selection_is_the_same_for_the_same_question(source) -> None:
    matchers = [Matcher("instance", MatchKind.EQUAL, "atlas")]

    assert source.select("load", matchers) is source.select("load", tuple(matchers))
    assert len(source.select(None, matchers).labels) == 1


def test_clients_are_those_of_the_series_and_those_that_were_named(source) -> None:
    assert source.clients.tolist() == [ACME, BOLT, 7]
    assert FixedSource.from_series([]).clients.tolist() == [ANONYMOUS]


def test_a_source_without_samples_can_be_asked() -> None:
    source = FixedSource.from_series([(ACME, None, LOAD, [], [])])
    selection = source.select("load", ())

    assert source.instant(selection, 0).present.tolist() == [False]
    assert source.window(selection, 0, 10).count.tolist() == [0]
