import itertools

from hypothesis import given
from hypothesis import strategies as st

from tocsin_agent.schedule import LONGEST_S, SHORTEST_S, Schedule


def test_the_first_collection_is_due_at_once_and_the_second_at_the_hosts_phase():
    schedule = Schedule(10, phase=0.25, start_s=100)

    assert schedule.due_s == 100
    schedule.advance(100.1)
    assert schedule.due_s == 102.5
    schedule.advance(102.6)
    assert schedule.due_s == 112.5


def test_what_is_overdue_is_done_once_and_not_caught_up_with():
    schedule = Schedule(10, phase=0, start_s=0)

    schedule.advance(57)

    assert schedule.due_s == 60


def test_the_server_steers_the_interval_within_reason():
    schedule = Schedule(10, phase=0.5, start_s=0)

    schedule.steer(2, now_s=20)
    assert (schedule.interval_s, schedule.due_s) == (2, 21)
    schedule.steer(0, now_s=30)
    assert schedule.interval_s == SHORTEST_S
    schedule.steer(1e9, now_s=30)
    assert schedule.interval_s == LONGEST_S


def test_the_same_interval_again_moves_nothing():
    schedule = Schedule(10, phase=0.5, start_s=0)
    schedule.advance(1)

    schedule.steer(10, now_s=3)

    assert schedule.due_s == 5


@given(
    st.floats(0, 0.999),
    st.lists(st.floats(0, 40), min_size=2, max_size=30),
)
def test_after_the_start_collections_are_whole_intervals_apart(phase, delays):
    schedule = Schedule(10, phase=phase, start_s=0)
    now_s, dues = 0.0, []

    for delay in delays:
        now_s = max(now_s, schedule.due_s) + delay
        schedule.advance(now_s)
        assert now_s < schedule.due_s <= now_s + 10 + 1e-6
        dues.append(schedule.due_s)

    for earlier, later in itertools.pairwise(dues):
        intervals = (later - earlier) / 10
        assert abs(intervals - round(intervals)) < 1e-6
