"""What begins and ends every few minutes flaps, and what does so seldom does not, however often is judged."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.flapping import QUIET, SLOT_MS, SLOTS, Flaps, advance, is_change

START = 1_700_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE


def changed_at(moments, flaps=QUIET):
    """Every history, one after each change."""
    return list(accumulate(moments, lambda last, at_ms: advance(last, at_ms, changed=True), initial=flaps))[1:]


def every(step_ms, *, hours):
    return range(START, START + hours * HOUR, step_ms)


@pytest.mark.parametrize("minutes", [0.05, 0.5, 1, 2, 3, 4, 5, 7])
def test_what_changes_every_few_minutes_flaps_within_the_hour(minutes):
    histories = changed_at(every(round(minutes * MINUTE), hours=2))
    first = next(place for place, flaps in enumerate(histories) if flaps.is_flapping)

    assert first * minutes <= 50
    assert histories[-1].is_flapping


@pytest.mark.parametrize("hours", [0.5, 1, 6, 24])
def test_what_changes_once_an_hour_or_a_day_does_not(hours):
    histories = changed_at(every(round(hours * HOUR), hours=240))

    assert not any(flaps.is_flapping for flaps in histories)


def test_a_burst_is_no_flapping_however_wild():
    histories = changed_at(range(START, START + 2 * SLOT_MS, 1000))

    assert not any(flaps.is_flapping for flaps in histories)


def test_it_begins_at_thirty_percent_and_ceases_below_twenty_five():
    (*before, sixth) = changed_at(range(START, START + 6 * SLOT_MS, SLOT_MS))
    later = [advance(sixth, START + slots * SLOT_MS) for slots in range(5, 26)]

    assert [round(flaps.percent) for flaps in before] == [6, 12, 18, 23, 29]
    assert round(sixth.percent, 1) == 34.4
    assert [flaps.is_flapping for flaps in [*before, sixth]] == [False] * 5 + [True]
    assert all(flaps.is_flapping is (flaps.percent >= 25) for flaps in later)
    assert not later[-1].is_flapping


def test_the_newest_slot_weighs_half_as_much_again_as_the_oldest():
    newest, oldest = Flaps(changed=1), Flaps(changed=1 << SLOTS - 1)

    assert (newest.percent, oldest.percent) == (6, 4)
    assert Flaps(changed=(1 << SLOTS) - 1).percent == 100


def test_an_hour_later_nothing_is_left_of_it():
    (flaps,) = changed_at([START])

    assert not advance(flaps, START + 19 * SLOT_MS).is_forgotten
    assert advance(flaps, START + 20 * SLOT_MS).is_forgotten
    assert advance(flaps, START + 10_000 * HOUR).is_forgotten


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        (AlertState.PENDING, AlertState.FIRING, True),
        (AlertState.FIRING, AlertState.RESOLVED, True),
        (AlertState.UNKNOWN, AlertState.RESOLVED, True),
        (AlertState.FIRING, AlertState.UNKNOWN, False),
        (AlertState.UNKNOWN, AlertState.FIRING, False),
        (AlertState.INACTIVE, AlertState.PENDING, False),
        (AlertState.PENDING, AlertState.INACTIVE, False),
    ],
)
def test_a_change_is_where_an_alert_begins_or_ends(old, new, counts):
    assert is_change(old, new) is counts


# Changes as (milliseconds since the one before, whether there is one or it is only looked).
LOOKS = st.lists(
    st.tuples(st.integers(0, 4 * SLOT_MS) | st.integers(0, 2000) | st.integers(0, 60 * SLOT_MS), st.booleans()),
    max_size=60,
)


def seen(looks):
    """The history after each look."""
    at_ms, flaps = START, QUIET
    for after_ms, changed in looks:
        at_ms += after_ms
        flaps = advance(flaps, at_ms, changed=changed)
        yield at_ms, flaps


@given(LOOKS)
def test_it_does_not_matter_how_often_one_looks(looks):
    looks = [*looks, (0, False)]
    at_ms, changes, flaps = START, [], QUIET
    for after_ms, changed in looks:
        at_ms += after_ms
        changes += [at_ms] if changed else []
    for at_change_ms in changes:
        flaps = advance(flaps, at_change_ms, changed=True)

    *_, (_, often) = seen(looks)

    if changes:
        assert often == advance(flaps, at_ms)


@given(LOOKS)
def test_history_is_the_slots_of_the_last_hour_that_had_a_change(looks):
    changes = []
    for (at_ms, flaps), (_, changed) in zip(seen(looks), looks, strict=True):
        changes += [at_ms // SLOT_MS] if changed else []
        ages = {at_ms // SLOT_MS - slot for slot in changes}
        assert {age for age in range(SLOTS) if flaps.changed >> age & 1} == {age for age in ages if age < SLOTS}
        assert flaps.percent == pytest.approx(
            sum(1.2 - 0.4 * age / (SLOTS - 1) for age in ages if age < SLOTS) / SLOTS * 100
        )


@given(LOOKS)
def test_it_flaps_at_thirty_percent_at_the_latest_and_never_below_twenty_five(looks):
    for _, flaps in seen(looks):
        assert flaps.is_flapping or flaps.percent < 30
        assert not flaps.is_flapping or flaps.percent >= 25


@given(LOOKS, st.integers(0, HOUR))
def test_a_clock_that_goes_back_forgets_nothing(looks, back_ms):
    *_, (at_ms, flaps) = seen([*looks, (0, True)])

    assert advance(flaps, at_ms - back_ms, changed=True) == flaps


@given(st.integers(0, SLOT_MS - 1))
def test_within_a_slot_a_history_is_the_same_object(later_ms):
    begin_ms = START - START % SLOT_MS
    flaps = advance(QUIET, begin_ms, changed=True)

    assert advance(flaps, begin_ms + later_ms) is flaps
    assert advance(flaps, begin_ms + later_ms, changed=True) is flaps
