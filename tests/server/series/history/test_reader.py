"""What is asked of history comes as the evaluator takes it, from samples or roll-ups, and never too much."""

import numpy as np
import pytest
from tests.server.series.history.arrays import HOUR_MS, bits, entry, execute, stretch

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.promql import evaluate_range, parse
from tocsin_server.series.fixed import FixedSource
from tocsin_server.series.history.dayfile import DAY_MS, DayFile, Grain
from tocsin_server.series.history.days import Closing, Days, Retention, day_path
from tocsin_server.series.history.errors import TooManySamples
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.rollups import BUCKET_MS, Facet
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.matchers import Matcher, MatchKind

DAY = HOUR_MS // DAY_MS * DAY_MS
HOUR = 3_600_000
ATLAS = Watched(7, {"instance": "atlas", "job": "node"})
HELIOS = Watched(8, {"instance": "helios", "job": "node"})


@pytest.fixture
def days(tmp_path):
    return Days(tmp_path)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path)


def ask(archive, *names: str | None, hosts=(ATLAS,), matchers=(), start=0, end=1 << 50, **more):
    wanted = [Wanted(name, matchers) for name in names]
    found = archive.series(Question(1, hosts, wanted, start, end, **more))
    return {
        tuple(labels.get(name, "") for name in ("__name__", "instance")): (times.tolist(), values.tolist())
        for _, _, labels, times, values in found
    }


def every(count: int, gap_ms: int, start: int = HOUR_MS) -> list[int]:
    return list(range(start, start + count * gap_ms, gap_ms))


def test_a_series_over_hours_and_days_is_one(days, archive):
    times = every(30, HOUR)
    days.write([Closing(1, 7, stretch(times, a=range(30), b=range(30)))])

    assert ask(archive, "a") == {("a", "atlas"): (times, [float(number) for number in range(30)])}


def test_both_ends_of_the_time_are_in_it_and_nothing_beyond(days, archive):
    days.write([Closing(1, 7, stretch(every(5, 1000), a=range(5)))])

    found = ask(archive, "a", start=HOUR_MS + 1000, end=HOUR_MS + 3000)

    assert found[("a", "atlas")][1] == [1.0, 2.0, 3.0]


def test_series_are_found_by_name_and_matchers_their_target_among_them(days, archive):
    days.write([Closing(1, host, stretch([HOUR_MS], a=[1], b=[2])) for host in (7, 8)])
    both = {"hosts": (ATLAS, HELIOS)}
    helios = (Matcher("instance", MatchKind.REGEX, "hel.*"),)

    assert set(ask(archive, "a", **both)) == {("a", "atlas"), ("a", "helios")}
    assert set(ask(archive, None, matchers=helios, **both)) == {("a", "helios"), ("b", "helios")}
    assert set(ask(archive, "a", "b")) == {("a", "atlas"), ("b", "atlas")}
    assert ask(archive, "c") == {}


def test_another_client_s_host_is_not_found(days, archive):
    days.write([Closing(2, 7, stretch([HOUR_MS], a=[1]))])

    assert ask(archive, "a") == {}


def test_a_label_that_the_server_knows_better_is_moved_aside(days, archive):
    series = (entry("a", instance="liar", client="liar"),)
    days.write([Closing(1, 7, Stretch(series, np.array([HOUR_MS]), np.ones((1, 1))))])

    ((client, host, labels, _, _),) = archive.series(Question(1, [ATLAS], [Wanted("a")], 0, 1 << 50))

    assert (client, host) == (1, 7)
    assert labels == {
        "__name__": "a",
        "exported_instance": "liar",
        "exported_client": "liar",
        **ATLAS.target,
    }


def test_a_series_that_comes_and_goes_with_the_schema_is_one(days, archive):
    days.write(
        [
            Closing(1, 7, stretch([HOUR_MS], a=[1], b=[1])),
            Closing(1, 7, stretch([HOUR_MS + HOUR], b=[2], a=[2])),
        ]
    )

    assert ask(archive, "a")[("a", "atlas")][1] == [1.0, 2.0]


def test_a_series_that_is_not_in_the_host_s_next_hour_is_stale_from_its_beginning(days, archive):
    days.write([Closing(1, 7, stretch([HOUR_MS + 5, HOUR_MS + HOUR + 5], b=[1, 2]))])
    days.write([Closing(1, 7, stretch([HOUR_MS + 5], a=[1])), Closing(1, 8, stretch([HOUR_MS + 5], a=[1]))])

    found = archive.series(Question(1, [ATLAS, HELIOS], [Wanted("a")], 0, 1 << 50))

    atlas, helios = ((times.tolist(), bits(values)) for *_, times, values in found)
    assert atlas == ([HOUR_MS + 5, HOUR_MS + HOUR], bits(np.array([1.0, STALE_NAN])))
    assert helios == ([HOUR_MS + 5], bits(np.array([1.0])))


def test_stale_markers_come_as_they_were_sent(days, archive):
    days.write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 1], a=[1, None]))])

    ((*_, values),) = archive.series(Question(1, [ATLAS], [Wanted("a")], 0, 1 << 50))

    assert bits(values) == bits(np.array([1.0, STALE_NAN]))


def test_steps_of_five_minutes_are_answered_from_roll_ups(days, archive):
    days.write([Closing(1, 7, stretch(every(60, 10_000), a=range(60)))])

    mean = ask(archive, "a", step_ms=BUCKET_MS)
    most = ask(archive, "a", step_ms=BUCKET_MS, facet=Facet.HIGHEST)

    ends = [HOUR_MS + BUCKET_MS, HOUR_MS + 2 * BUCKET_MS]
    assert mean == {("a", "atlas"): (ends, [14.5, 44.5])}
    assert most == {("a", "atlas"): (ends, [29.0, 59.0])}


def test_a_window_that_would_hold_too_few_roll_ups_is_answered_from_samples(days, archive):
    days.write([Closing(1, 7, stretch(every(60, 10_000), a=range(60)))])

    narrow = ask(archive, "a", step_ms=BUCKET_MS, window_ms=BUCKET_MS)
    wide = ask(archive, "a", step_ms=BUCKET_MS, window_ms=HOUR)

    assert len(narrow[("a", "atlas")][0]) == 60
    assert len(wide[("a", "atlas")][0]) == 2


def test_where_samples_have_gone_roll_ups_answer_and_the_two_join(days, archive):
    days.write([Closing(1, 7, stretch(every(48, 30 * 60_000, DAY), a=range(48)))])
    days.write([Closing(1, 7, stretch(every(2, 1000, DAY + DAY_MS), a=[100, 101]))])
    days.sweep(DAY + 16 * DAY_MS, Retention())

    times, values = ask(archive, "a")[("a", "atlas")]

    assert len(times) == 50
    assert times[:2] == [DAY + BUCKET_MS, DAY + BUCKET_MS + 30 * 60_000]
    assert values == [*map(float, range(48)), 100.0, 101.0]


def test_a_roll_up_that_ends_as_samples_begin_is_told_once(days, archive):
    late = DAY + DAY_MS - 1000
    days.write([Closing(1, 7, stretch([late, DAY + DAY_MS], a=[1, 2]))])
    days.sweep(DAY + 16 * DAY_MS, Retention())

    assert ask(archive, "a")[("a", "atlas")] == ([DAY + DAY_MS], [1.0])


def test_more_than_may_be_answered_is_refused_before_it_is_read(days, tmp_path, monkeypatch):
    days.write([Closing(1, 7, stretch(every(60, 1000), a=range(60), b=range(60)))])
    small = Archive(tmp_path, most_samples=60)

    assert len(ask(small, "a")) == 1
    monkeypatch.setattr("tocsin_server.series.history.reader.unpack_chunk", None)
    with pytest.raises(TooManySamples, match="more than 60 samples: ask for fewer"):
        ask(small, None)


def test_what_is_damaged_is_passed_over(days, archive, tmp_path):
    days.write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + HOUR, DAY + DAY_MS], a=[1, 2, 3]))])
    execute(day_path(tmp_path, DAY), "UPDATE chunks SET content = x'01' WHERE hour_ms = 1699999200000")
    day_path(tmp_path, DAY + DAY_MS).write_bytes(b"no database at all" * 100)

    assert ask(archive, "a")[("a", "atlas")][1] == [2.0]


def test_a_chunk_with_more_than_it_was_listed_with_is_passed_over(days, archive, tmp_path):
    days.write([Closing(1, 7, stretch(every(5, 1000), a=range(5)))])
    execute(day_path(tmp_path, DAY), "UPDATE chunks SET instants = 1")

    assert ask(archive, "a") == {}


def test_what_is_written_while_a_day_is_read_is_not_seen_in_part(days, archive, tmp_path, monkeypatch):
    days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])
    get = DayFile.get

    def late(self, key):
        monkeypatch.undo()
        days.write([Closing(1, 7, stretch([HOUR_MS + 1], b=[2], a=[2]))])
        return get(self, key)

    monkeypatch.setattr(DayFile, "get", late)

    assert ask(archive, "a")[("a", "atlas")][1] == [1.0]
    assert ask(archive, "a")[("a", "atlas")][1] == [1.0, 2.0]


def test_hours_whose_names_are_lost_are_passed_over(days, archive, tmp_path):
    days.write(
        [Closing(1, 7, stretch([HOUR_MS], a=[1])), Closing(1, 7, stretch([HOUR_MS + HOUR], a=[1], b=[2]))]
    )
    execute(
        day_path(tmp_path, DAY),
        "UPDATE entries SET content = x'01' WHERE digest = (SELECT max(digest) FROM entries)",
    )

    assert len(ask(archive, "a")[("a", "atlas")][0]) == 1


def test_nothing_is_found_where_there_is_nothing(tmp_path):
    assert ask(Archive(tmp_path / "none"), "a") == {}


def test_when_a_host_was_heard_is_known_while_its_samples_are_kept(days, archive):
    times = every(5, 30 * 60_000)
    days.write([Closing(1, 7, stretch(times, a=range(5)))])

    assert archive.heard(1, ATLAS, HOUR_MS + 1, 1 << 50).moments.tolist() == times[1:]
    assert archive.heard(1, HELIOS, 0, 1 << 50).moments.tolist() == []


def test_an_expression_is_evaluated_over_what_is_read(days, archive):
    counter = Stretch(
        (entry("a_total", SeriesKind.COUNTER),), np.array(every(360, 10_000)), np.arange(0.0, 3600, 10)[None]
    )
    days.write([Closing(1, 7, counter)])

    source = FixedSource.from_series(archive.series(Question(1, [ATLAS], [Wanted("a_total")], 0, 1 << 50)))
    (line,) = evaluate_range(
        parse("rate(a_total[5m])"),
        source,
        start_ms=HOUR_MS + 600_000,
        end_ms=HOUR_MS + 1_200_000,
        step_ms=300_000,
    )

    assert line.values.tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_what_there_is_of_hosts_is_known_without_reading_it(days, archive, tmp_path):
    days.write([Closing(1, 7, stretch(every(50, HOUR), a=range(50)))])
    with DayFile(day_path(tmp_path, DAY), read_only=False) as day, day.transaction():
        day.forget(Grain.SAMPLES, 1)
    execute(day_path(tmp_path, DAY), "UPDATE chunks SET content = x'00'")
    until = HOUR_MS + 50 * HOUR

    found = archive.covered(Question(1, (ATLAS, HELIOS), (), HOUR_MS + 5, until))

    assert found == {7: (HOUR_MS + 5, until, DAY + DAY_MS)}
    assert archive.covered(Question(1, (ATLAS,), (), until + HOUR, until + 2 * HOUR)) == {}
