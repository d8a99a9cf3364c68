"""Whatever is written in whatever order and pieces, what is read is what a dictionary would have kept."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.series.history.arrays import HOUR_MS, bits, stretch

from tocsin_protocol.wire import STALE_BITS
from tocsin_server.series.history.dayfile import DAY_MS
from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.stretches import Stretch

MIDNIGHT = HOUR_MS // DAY_MS * DAY_MS
HALF_HOURS = st.integers(-3, 3).map(lambda half: MIDNIGHT + half * 1_800_000)
HOSTS = [Watched(host, {"instance": str(host)}) for host in (7, 8)]


@st.composite
def closings(draw) -> Closing:
    times = sorted(draw(st.sets(HALF_HOURS, min_size=1)))
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
    row = st.lists(
        st.none() | st.sampled_from([0.1, 1.0, 2.5, float("inf")]), min_size=len(times), max_size=len(times)
    )
    client, host = draw(st.sampled_from([1, 2])), draw(st.sampled_from([7, 8]))
    return Closing(client, host, stretch(times, **{name: draw(row) for name in names}))


def samples_of(host: int, part: Stretch) -> dict[tuple[int, str, int], int]:
    return {
        (host, entry.name, time): value
        for entry, row in zip(part.series, bits(part.values), strict=True)
        for time, value in zip(part.times.tolist(), row, strict=True)
        if value != STALE_BITS
    }


@given(st.lists(st.lists(closings(), max_size=3), max_size=4), HALF_HOURS, HALF_HOURS)
@settings(max_examples=share(40), deadline=None)
def test_what_is_read_is_what_was_written_first(calls, start_ms, end_ms):
    kept: dict[tuple[int, str, int], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for call in calls:
            Days(Path(folder)).write(call)
            for client, host, part in call:
                if client == 1:
                    kept = {**samples_of(host, part), **kept}

        found = Archive(Path(folder)).series(Question(1, HOSTS, [Wanted("a"), Wanted("b")], start_ms, end_ms))

    read = {
        (host, labels["__name__"], time): value
        for _, host, labels, times, values in found
        for time, value in zip(times.tolist(), bits(values), strict=True)
        if value != STALE_BITS
    }
    assert read == {
        key: value for key, value in kept.items() if key[1] in "ab" and start_ms <= key[2] <= end_ms
    }
