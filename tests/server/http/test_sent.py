"""What a host has sent is one series, wherever it lies: in the journal, in history, or in both."""

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.http.rig import ATLAS, INTERVAL_MS, NOW, TARGET, FakeJournal, frame_of

from tocsin_server.http.sent import HOUR_FRAMES, Sent
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.promql import evaluate, parse
from tocsin_server.series.fixed import FixedSeries, FixedSource
from tocsin_server.series.history.days import Closing, Days, Keep, Retention
from tocsin_server.series.history.reader import Archive
from tocsin_server.series.history.stretches import hours_of

LOAD = ("node_load1", ())
HOUR = 3_600_000
BEGAN = NOW - NOW % HOUR


def sent(folder: Path, frames: Sequence[HostFrame], *, written_ms: int = 0) -> Sent:
    """What was sent before that moment is in history, too; from its hour on it is owed."""
    closings = [
        Closing(1, 1, stretch)
        for hour_ms, stretch in hours_of(sorted(frames, key=lambda frame: frame.times_ms[0])).items()
        if hour_ms < written_ms
    ]
    Days(folder / "history").write(closings)
    return Sent(FakeJournal(list(frames), written_ms), Archive(folder / "history"), INTERVAL_MS)


def source_of(folder: Path, frames: Sequence[HostFrame], names: Collection[str]) -> FixedSource:
    series = sent(folder, frames).series(ATLAS, names, [(0, NOW)])
    return FixedSource.from_series(series, clients=[1])


def plainly(series: Sequence[FixedSeries]) -> list[tuple[object, ...]]:
    return sorted(
        (client, host, sorted(labels.items()), np.asarray(times).tolist(), np.asarray(values).tolist())
        for client, host, labels, times, values in series
    )


@settings(max_examples=share(40))
@given(
    st.dictionaries(
        st.integers(0, 4 * 360 - 1) | st.sampled_from([360, 720]), st.booleans(), min_size=1, max_size=30
    ),
    st.integers(0, 5),
    st.tuples(st.integers(0, 4 * HOUR), st.integers(1, 4 * HOUR)),
)
def test_it_is_the_same_wherever_it_lies(pushes: dict[int, bool], written: int, span: tuple[int, int]) -> None:
    frames = [
        frame_of(1, {LOAD: float(at)} | ({("node_load5", ()): 1.0} if both else {}), BEGAN + at * INTERVAL_MS)
        for at, both in sorted(pushes.items())
    ]
    spans = [(BEGAN + span[0], BEGAN + span[0] + span[1])]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        journalled = sent(Path(one), frames).series(ATLAS, ["node_load1", "up"], spans)
        apart = sent(Path(other), frames, written_ms=BEGAN + written * HOUR).series(
            ATLAS, ["node_load1", "up"], spans
        )

    assert plainly([each for each in apart if len(each[3])]) == plainly(
        [each for each in journalled if len(each[3])]
    )


def test_a_series_under_two_schemas_is_one_line_without_repeated_moments(tmp_path: Path) -> None:
    other = ("node_load5", ())
    frames = [
        frame_of(1, {LOAD: 1.0}, NOW - 20_000),
        frame_of(1, {other: 9.0, LOAD: 2.0}, NOW - 10_000),
        frame_of(1, {LOAD: 2.5}, NOW - 10_000),
        frame_of(1, {LOAD: 0.5}, NOW - 30_000),  # the backlog comes later
    ]

    source = source_of(tmp_path, frames, {"node_load1"})

    rows = list(evaluate(parse("count_over_time(node_load1[1m])"), source, NOW).rows())
    assert [(row.labels, row.value, row.host_id) for row in rows] == [(TARGET, 3, 1)]
    assert [row.value for row in evaluate(parse("node_load1"), source, NOW).rows()] == [2]


def test_a_label_that_is_the_servers_to_set_stands_aside(tmp_path: Path) -> None:
    frames = [frame_of(1, {("node_load1", (("client", "globex"), ("instance", "borea"))): 1.0}, NOW)]

    source = source_of(tmp_path, frames, {""})

    (row,) = evaluate(parse("node_load1"), source, NOW).rows()
    assert row.client_id == 1
    assert row.labels == TARGET | {
        "__name__": "node_load1",
        "exported_client": "globex",
        "exported_instance": "borea",
    }


def test_up_is_drawn_where_only_roll_ups_are_left(tmp_path: Path) -> None:
    frames = [frame_of(1, {LOAD: 1.0}, BEGAN + at * INTERVAL_MS) for at in (*range(120), *range(300, 360))]
    both = sent(tmp_path, frames, written_ms=BEGAN + HOUR)
    both.journal.frames.clear()
    Days(tmp_path / "history").sweep(BEGAN + 30 * 24 * HOUR, Retention(Keep(5, 400)))

    ((*_, times, values),) = both.series(ATLAS, ["up"], [(BEGAN, BEGAN + HOUR)])

    assert times[values == 1].tolist() == [BEGAN + minute * 60_000 for minute in (5, 10, 15, 20, 55, 60)]
    assert times[values == 0].tolist() == [BEGAN + minute * 60_000 for minute in (40, 45, 50)]


def test_a_long_chart_is_drawn_from_roll_ups(tmp_path: Path) -> None:
    frames = [frame_of(1, {LOAD: float(at % 30)}, BEGAN + at * INTERVAL_MS) for at in range(360)]
    both = sent(tmp_path, frames, written_ms=BEGAN + HOUR)
    both.journal.frames.clear()

    ((*_, times, values),) = both.series(ATLAS, ["node_load1"], [(BEGAN, BEGAN + HOUR)], step_ms=HOUR)

    assert len(times) == 12
    assert set(values) == {14.5}


@pytest.mark.parametrize(("written", "frames"), [(0, 3601), (10, 301)])
def test_what_has_to_be_read_is_counted_before_it_is_read(tmp_path: Path, written: int, frames: int) -> None:
    both = sent(tmp_path, [], written_ms=BEGAN + written * HOUR)

    assert both.frames(ATLAS, BEGAN, BEGAN + 10 * HOUR) == frames
    assert HOUR_FRAMES == 30
