"""The tape answers as any source does, and takes what rules yield."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.wire import STALE_NAN
from tocsin_server.alerts.tape import Tape
from tocsin_server.series.fixed import ANONYMOUS, FixedSource
from tocsin_server.series.labels import NAME
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_server.series.source import LOOKBACK_MS

SAMPLES = st.dictionaries(
    st.integers(0, 1_200_000), st.sampled_from([0.0, 1.0, float("nan"), STALE_NAN]), max_size=8
).map(lambda samples: sorted(samples.items()))


def answers(source, at_ms, start_ms):
    """An instant and a window as plain values, by label."""
    selection = source.select("up", [Matcher("job", MatchKind.NOT_EQUAL, "other")])
    instant, window = source.instant(selection, at_ms), source.window(selection, start_ms, at_ms)
    for row in range(len(selection.labels)):
        count = window.count[row]
        yield (
            selection.labels.row(row),
            bool(instant.present[row]),
            repr((instant.times[row], instant.values[row])) if instant.present[row] else "",
            window.times[row, :count].tolist(),
            repr(window.values[row, :count].tolist()),
        )


@given(st.lists(SAMPLES, max_size=4), st.integers(0, 1_300_000), st.integers(0, 600_000))
@settings(max_examples=share(30))
def test_a_tape_answers_as_a_fixed_source_does(series, at_ms, range_ms):
    tape, given_series = Tape(), []
    for number, samples in enumerate(series):
        labels = {NAME: "up", "instance": str(number)} | ({"job": "other"} if number % 3 == 2 else {})
        times, values = [at for at, _ in samples], [value for _, value in samples]
        tape.load(labels, times, values)
        given_series.append((ANONYMOUS, None, labels, times, values))
    fixed = FixedSource.from_series(given_series)

    assert list(answers(fixed, at_ms, at_ms - range_ms)) == list(answers(tape, at_ms, at_ms - range_ms))


def newest(tape, at_ms):
    selection = tape.select("hot", [])
    instant = tape.instant(selection, at_ms)
    return {
        selection.labels.row(row)["room"]: instant.values[row]
        for row in np.flatnonzero(instant.present).tolist()
    }


def test_what_is_no_longer_recorded_turns_stale():
    tape = Tape()
    tape.record("rule", "hot", ANONYMOUS, [{"room": "a"}, {"room": "b"}], np.array([1.0, 2.0]), 0)
    tape.record("rule", "hot", ANONYMOUS, [{"room": "b"}], np.array([3.0]), 1000)
    tape.record("other", "hot", ANONYMOUS, [], np.empty(0), 1000)

    assert newest(tape, 999) == {"a": 1.0, "b": 2.0}
    assert newest(tape, 1000) == {"b": 3.0}
    assert newest(tape, 1000 + LOOKBACK_MS) == {}


def test_a_selection_stays_the_same_as_long_as_no_series_comes():
    tape = Tape()
    tape.record("rule", "hot", ANONYMOUS, [{"room": "a"}], np.array([1.0]), 0)
    before = tape.select("hot", [])
    tape.record("rule", "hot", ANONYMOUS, [{"room": "a"}], np.array([1.0]), 1)

    assert tape.select("hot", []) is before

    tape.record("rule", "hot", ANONYMOUS, [{"room": "b"}], np.array([1.0]), 2)

    assert tape.select("hot", []) is not before
