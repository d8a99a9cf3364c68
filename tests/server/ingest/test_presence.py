"""Who is there: three pushes may be missing, and the server's own start counts as having heard everybody."""

import pytest

from tocsin_server.ingest.presence import Presence

START = 1_700_000_000_000


def test_a_host_is_silent_once_three_pushes_are_missing() -> None:
    presence = Presence(interval_s=10, started_ms=START)

    presence.heard(7, at_ms=START + 5000, skew_ms=0)

    assert presence.is_up(7, START + 37_000)
    assert not presence.is_up(7, START + 37_001)


def test_a_server_that_was_down_takes_nobody_for_silent() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.remember({7: START - 3_600_000})

    assert presence.is_up(7, START + 32_000)
    assert not presence.is_up(7, START + 32_001)
    assert presence.last_seen_ms(7) == START - 3_600_000


def test_just_after_a_start_it_is_known_only_of_hosts_that_were_heard_just_now() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.remember({7: START - 5000, 8: START - 60_000})
    presence.heard(9, at_ms=START + 1000, skew_ms=0)

    known = {host: presence.is_known(host, START + 1000) for host in (7, 8, 9, 10)}

    assert known == {7: True, 8: False, 9: True, 10: False}
    assert presence.is_known(7, START + 32_000) is False
    assert all(presence.is_known(host, START + 32_001) for host in (7, 8, 9, 10))


def test_what_is_remembered_never_replaces_what_was_heard() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.heard(7, at_ms=START, skew_ms=0)

    presence.remember({7: START - 1})

    assert presence.last_seen_ms(7) == START


@pytest.mark.parametrize("by_ms", [86_400_000, -86_400_000, 40_000, -40_000])
def test_a_clock_that_is_set_makes_nobody_silent_and_nobody_live_on(by_ms: int) -> None:
    presence = Presence(interval_s=10, started_ms=START - 3_600_000)
    presence.heard(7, at_ms=START - 5000, skew_ms=0)
    presence.heard(8, at_ms=START - 60_000, skew_ms=0)

    presence.clock_was_set(by_ms, since_ms=START + by_ms, now_ms=START + by_ms + 1000)

    assert presence.is_up(7, START + by_ms + 27_000)
    assert not presence.is_up(7, START + by_ms + 27_001)
    assert not presence.is_up(8, START + by_ms + 1000)


@pytest.mark.parametrize("by_ms", [86_400_000, -86_400_000])
def test_who_was_heard_by_the_new_time_already_was_heard_then(by_ms: int) -> None:
    presence = Presence(interval_s=10, started_ms=START - 3_600_000)
    presence.heard(7, at_ms=START + by_ms + 500, skew_ms=0)

    presence.clock_was_set(by_ms, since_ms=START + by_ms, now_ms=START + by_ms + 1000)

    assert presence.last_seen_ms(7) == START + by_ms + 500


def test_what_was_heard_by_a_clock_that_was_set_back_since_was_heard_before_the_start() -> None:
    presence = Presence(interval_s=10, started_ms=START)

    presence.remember({7: START + 86_400_000})

    assert presence.is_up(7, START + 32_000)
    assert not presence.is_up(7, START + 32_001)


def test_a_host_that_never_pushed_is_told_from_a_silent_one() -> None:
    presence = Presence(interval_s=10, started_ms=START)

    assert not presence.was_heard(7)
    assert presence.last_seen_ms(7) is None
    assert presence.is_up(7, START)


def test_skew_is_known_of_hosts_heard_since_the_start() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.remember({7: START})
    presence.heard(8, at_ms=START, skew_ms=-2500)

    assert presence.skew_s(7) is None
    assert presence.skew_s(8) == -2.5
    assert presence.skew_s(9) is None


def test_a_host_with_an_interval_of_its_own_is_silent_after_three_of_its_intervals() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.expect({8: 60})
    for host in (7, 8):
        presence.heard(host, at_ms=START + 1_000_000, skew_ms=0)

    late, later = START + 1_182_000, START + 1_182_001

    assert (presence.is_up(7, late), presence.is_up(8, late), presence.is_up(8, later)) == (False, True, False)
    assert (presence.is_fresh(8, late - 2000), presence.is_fresh(8, late - 1999)) == (True, False)
    presence.expect({})
    assert not presence.is_up(8, late)


def test_just_after_a_start_a_seldom_probed_device_is_unknown_for_longer() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.expect({8: 60})

    assert presence.is_known(7, START + 33_000)
    assert not presence.is_known(8, START + 182_000)
    assert presence.is_known(8, START + 182_001)


def test_our_own_start_makes_nothing_fresh() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.remember({7: START - 25_000})

    assert presence.is_up(8, START)
    assert not presence.is_fresh(8, START)
    assert (presence.is_fresh(7, START + 5000), presence.is_fresh(7, START + 5001)) == (True, False)


def test_an_older_frame_of_a_device_says_nothing_unless_our_clock_was_set_back() -> None:
    presence = Presence(interval_s=10, started_ms=START)
    presence.probed(8, at_ms=START + 5000, now_ms=START + 5000)

    presence.probed(8, at_ms=START + 1000, now_ms=START + 6000)
    assert presence.last_seen_ms(8) == START + 5000

    presence.probed(8, at_ms=START - 7000, now_ms=START - 7000)
    assert presence.last_seen_ms(8) == START - 7000
