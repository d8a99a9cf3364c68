"""The intervals of received frames are a set, whatever the order in which the frames come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.ingest.received import (
    MAX_INTERVALS_PER_RUN,
    MAX_RUNS_PER_AGENT,
    REMEMBER_MS,
    Received,
)

KEYS = st.tuples(st.sampled_from(["atlas", "borealis"]), st.integers(1, 2), st.integers(0, 30))


def filled(keys) -> Received:
    received = Received()
    for agent, epoch, seq in keys:
        received.add(agent, epoch, seq, at_ms=1000)
    return received


@given(st.lists(KEYS, max_size=80), KEYS)
def test_it_holds_what_was_added_and_nothing_else(keys, probe) -> None:
    received = filled(keys)

    assert received.holds(*probe) == (probe in set(keys))


@given(st.lists(KEYS, max_size=80))
def test_intervals_are_apart_ascending_and_cover_the_set(keys) -> None:
    intervals = filled(keys).intervals("atlas", 1)

    assert all(end < start for (_, end), (start, _) in pairwise(intervals))
    covered = [seq for start, end in intervals for seq in range(start, end)]
    assert covered == sorted({seq for agent, epoch, seq in keys if (agent, epoch) == ("atlas", 1)})


@given(st.lists(KEYS, max_size=60), st.lists(KEYS, max_size=60))
def test_merging_what_was_packed_is_the_union(some, others) -> None:
    merged = filled(some)

    merged.merge(filled(others).pack())

    both = filled([*some, *others])
    for run in (("atlas", 1), ("atlas", 2), ("borealis", 1), ("borealis", 2)):
        assert merged.intervals(*run) == both.intervals(*run)


def test_a_backlog_drained_from_its_new_end_is_one_interval_at_last() -> None:
    received = filled(("atlas", 1, seq) for seq in range(999, -1, -1))

    assert received.intervals("atlas", 1) == [(0, 1000)]


def test_a_run_is_remembered_for_longer_than_a_spool_may_be_old() -> None:
    received = filled([("atlas", 1, 0)])
    received.add("atlas", 2, 0, at_ms=1000 + REMEMBER_MS)

    received.forget(1000 + REMEMBER_MS)
    assert received.holds("atlas", 1, 0)
    received.forget(1001 + REMEMBER_MS)
    assert not received.holds("atlas", 1, 0)
    assert received.holds("atlas", 2, 0)


def test_a_run_full_of_gaps_has_no_room() -> None:
    received = filled(("atlas", 1, 2 * at) for at in range(MAX_INTERVALS_PER_RUN))

    assert not received.has_room("atlas", 1)
    assert received.has_room("atlas", 2)


def test_of_too_many_runs_the_longest_unheard_is_forgotten() -> None:
    received = Received()
    for epoch in range(MAX_RUNS_PER_AGENT + 1):
        received.add("atlas", epoch, 0, at_ms=epoch)

    assert not received.holds("atlas", 0, 0)
    assert received.holds("atlas", 1, 0)
