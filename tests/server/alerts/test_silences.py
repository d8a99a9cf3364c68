"""A silence changes in place, or leaves its past behind and becomes another one, as Alertmanager's do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.vocabulary import SilenceState
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silences import (
    Revision,
    Silence,
    Wish,
    check,
    expired,
    revised,
    silenced,
)
from tocsin_server.errors import Unprocessable

DISKS, LOADS = parse_matchers('alertname="DiskFull"'), parse_matchers('alertname="LoadHigh"')
NOW = 1_700_000_000_000
HOUR = 3_600_000
WISH = Wish(1, DISKS, NOW, NOW + HOUR, "ann", "disk swap")
OLD = Silence(7, 1, DISKS, NOW - HOUR, NOW + HOUR, "ann", "disk swap")


def wish_for(silence, **changes):
    told = {name: getattr(silence, name) for name in ("client_id", "matchers", "starts_ms", "ends_ms")}
    return Wish(**{**told, "author": silence.author, "comment": silence.comment, **changes})


def revise(silence, **changes):
    return revised(silence, wish_for(silence, **changes), new_id=8, now_ms=NOW)


@pytest.mark.parametrize(
    ("now_ms", "state"),
    [
        (OLD.starts_ms - 1, SilenceState.PENDING),
        (OLD.starts_ms, SilenceState.ACTIVE),
        (OLD.ends_ms - 1, SilenceState.ACTIVE),
        (OLD.ends_ms, SilenceState.EXPIRED),
    ],
)
def test_it_holds_from_its_start_up_to_its_end(now_ms, state):
    assert OLD.state(now_ms) is state


def test_a_new_one_that_should_have_begun_begins_now():
    silence = silenced(replace(WISH, starts_ms=NOW - HOUR), new_id=8, now_ms=NOW)

    assert silence == Silence(8, 1, DISKS, NOW, NOW + HOUR, "ann", "disk swap")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"matchers": ()}, "needs a matcher"),
        ({"matchers": parse_matchers('a=~".*"')}, "does not match the empty word"),
        ({"ends_ms": NOW - 1}, "has to end after it starts"),
        ({"ends_ms": NOW}, "has to end after it starts"),
        ({"starts_ms": NOW - HOUR, "ends_ms": NOW - 1}, "cannot end in the past"),
        ({"starts_ms": NOW - HOUR, "ends_ms": NOW}, "cannot end in the past"),
        ({"ends_ms": 10**18}, "before the year 9999"),
        ({"author": " "}, "needs an author"),
        ({"comment": "a" * 2001}, "comment of 2001 characters is longer than 2000"),
    ],
)
def test_one_that_makes_no_sense_is_refused_new_or_changed(change, why):
    wish = replace(WISH, **change)

    with pytest.raises(Unprocessable, match=why):
        silenced(wish, new_id=8, now_ms=NOW)
    with pytest.raises(Unprocessable, match=why):
        revised(OLD, wish, new_id=8, now_ms=NOW)


@pytest.mark.parametrize("ends_ms", [NOW + 1, NOW + 2 * HOUR])
def test_an_active_one_gets_another_end_and_other_words_in_place(ends_ms):
    assert revise(OLD, ends_ms=ends_ms, author="bob", comment="disks") == Revision(
        replace(OLD, ends_ms=ends_ms, author="bob", comment="disks")
    )


def test_the_start_of_an_active_one_is_the_same_when_it_is_to_the_second():
    started = replace(OLD, starts_ms=NOW - HOUR + 999)

    assert revise(started, starts_ms=NOW - HOUR) == Revision(started)


@pytest.mark.parametrize(
    "change",
    [{"matchers": LOADS}, {"client_id": None}, {"starts_ms": NOW + 5}, {"starts_ms": NOW - HOUR - 1000}],
)
def test_a_change_of_the_past_of_an_active_one_ends_it_and_makes_another(change):
    revision = revise(OLD, **change)

    assert revision.expired == replace(OLD, ends_ms=NOW)
    assert revision.stands.id == 8
    assert revision.stands.starts_ms == max(change.get("starts_ms", NOW), NOW)
    assert revision.stands.matchers == change.get("matchers", DISKS)


def test_a_pending_one_moves_in_place():
    pending = replace(OLD, starts_ms=NOW + HOUR, ends_ms=NOW + 2 * HOUR)

    revision = revise(pending, starts_ms=NOW + 5, ends_ms=NOW + 6)

    assert revision == Revision(replace(pending, starts_ms=NOW + 5, ends_ms=NOW + 6))


@pytest.mark.parametrize("change", [{"matchers": LOADS}, {"starts_ms": NOW - 1}])
def test_a_pending_one_becomes_another_where_alertmanagers_does(change):
    pending = replace(OLD, starts_ms=NOW + HOUR, ends_ms=NOW + 2 * HOUR)

    revision = revise(pending, **change)

    assert revision.stands.id == 8
    assert revision.expired == replace(pending, starts_ms=NOW, ends_ms=NOW)


def test_an_expired_one_always_becomes_another_and_stays_as_it_was():
    past = replace(OLD, ends_ms=NOW - 5)

    revision = revise(past, ends_ms=NOW + HOUR)

    assert revision == Revision(Silence(8, 1, DISKS, NOW, NOW + HOUR, "ann", "disk swap"))


TIMES = st.integers(NOW - HOUR, NOW + HOUR)
WISHES = st.builds(
    Wish, st.sampled_from([None, 1]), st.sampled_from([DISKS, LOADS]), TIMES, TIMES, st.just("ann")
)
SILENCES = st.builds(
    Silence,
    st.just(7),
    st.sampled_from([None, 1]),
    st.sampled_from([DISKS, LOADS]),
    TIMES,
    TIMES,
    st.just("bob"),
)


def held(silence, at_ms):
    """What it withholds at a moment."""
    return silence.state(at_ms) is SilenceState.ACTIVE and (silence.client_id, silence.matchers)


@given(SILENCES, WISHES, st.integers(0, HOUR))
def test_no_change_alters_what_was_silent_before_now(silence, wish, ago_ms):
    try:
        revision = revised(silence, wish, new_id=8, now_ms=NOW)
    except Unprocessable:
        return
    at_ms = NOW - 1 - ago_ms
    kept = revision.expired or (revision.stands if revision.stands.id == 7 else silence)

    assert held(kept, at_ms) == held(silence, at_ms)
    assert revision.stands.id == 7 or revision.stands.starts_ms >= NOW
    assert (revision.expired is None) or revision.stands.id == 8


@given(SILENCES, WISHES)
def test_from_now_on_only_what_was_asked_for_is_silent(silence, wish):
    try:
        revision = revised(silence, wish, new_id=8, now_ms=NOW)
    except Unprocessable:
        return

    assert revision.stands.ends_ms == wish.ends_ms
    assert (revision.stands.client_id, revision.stands.matchers) == (wish.client_id, wish.matchers)
    assert revision.expired is None or revision.expired.state(NOW) is SilenceState.EXPIRED
    check(wish_for(revision.stands), NOW)


@given(SILENCES)
def test_an_expired_one_has_expired_and_expiring_it_again_changes_nothing(silence):
    over = expired(silence, NOW)

    assert over.state(NOW) is SilenceState.EXPIRED
    assert expired(over, NOW + 1) == over
