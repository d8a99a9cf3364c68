"""Guessing gets slower, on three ladders, over restarts too, and shuts nobody out for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from tocsin_server.access import attempts
from tocsin_server.access.attempts import (
    KNOWN_MS,
    LOGIN,
    PAIR,
    SOURCE,
    Charge,
    Ladder,
    Tally,
    charge,
    forget,
    source_of,
    succeeded,
    take_back,
)
from tocsin_server.access.store import TryRow
from tocsin_server.errors import Overloaded
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
DESK, ELSEWHERE = "192.0.2.1", "198.51.100.7"
LADDERS = st.sampled_from([PAIR, SOURCE, LOGIN])


def tries(storage: Storage, login: str = "alice", source: str = DESK, now_ms: int = NOW) -> Charge:
    return storage.write(lambda s: charge(s, login, source, now_ms))


def waits(storage: Storage, login: str = "alice", source: str = DESK, now_ms: int = NOW) -> float:
    """How long somebody is told to wait; of one that is not, the attempt is taken back."""
    try:
        counted = tries(storage, login, source, now_ms)
    except Overloaded as refusal:
        return refusal.retry_after_s
    storage.write(lambda s: take_back(s, counted))
    return 0


def signs_in(storage: Storage, login: str = "alice", source: str = DESK, now_ms: int = NOW) -> None:
    storage.write(lambda s: succeeded(s, charge(s, login, source, now_ms), now_ms))


def fails(storage: Storage, times: int, login: str = "alice", source: str = DESK, start_ms: int = NOW) -> int:
    """So many failures, each as soon as it may be; when the next may be."""
    at_ms = start_ms
    for _ in range(times):
        at_ms += tries(storage, login, source, at_ms).wait_ms
    return at_ms


@pytest.mark.parametrize(
    ("ladder", "failures", "pause_s"),
    [
        (PAIR, 4, 0), (PAIR, 5, 1), (PAIR, 6, 2), (PAIR, 8, 8), (PAIR, 99, 900),
        (SOURCE, 29, 0), (SOURCE, 30, 1), (SOURCE, 10**9, 300),
        (LOGIN, 19, 0), (LOGIN, 20, 1), (LOGIN, 99, 60),
    ],
)  # fmt: skip
def test_the_first_few_are_free_and_then_each_doubles_the_pause(
    ladder: Ladder, failures: int, pause_s: int
) -> None:
    assert ladder.pause_ms(failures) == pause_s * 1000


@given(LADDERS, st.integers(0, 10**6), st.integers(0, 10**13), st.integers(0, 10**13))
def test_nobody_ever_waits_longer_than_the_longest_wherever_the_clock_is_set(
    ladder: Ladder, failures: int, failed_ms: int, now_ms: int
) -> None:
    assert 0 <= Tally(failures, failed_ms).wait_ms(ladder, now_ms) <= ladder.longest_ms


@given(LADDERS, st.lists(st.integers(0, 5_000_000), max_size=60))
def test_more_failures_never_shorten_the_pause_until_all_are_forgotten(
    ladder: Ladder, gaps_ms: list[int]
) -> None:
    tally, now_ms = Tally(), NOW
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        later = tally.and_one(ladder, now_ms)
        is_forgotten = now_ms - tally.failed_ms >= ladder.forgotten_ms
        assert later.failures == (1 if is_forgotten else tally.failures + 1)
        assert is_forgotten or ladder.pause_ms(later.failures) >= ladder.pause_ms(tally.failures)
        tally = later


def test_a_login_from_an_address_has_five_tries_and_then_waits(storage: Storage) -> None:
    fails(storage, PAIR.free)

    assert waits(storage) == 1
    assert waits(storage, now_ms=NOW + 1000) == 0


def test_an_attempt_that_comes_too_early_is_not_counted(storage: Storage) -> None:
    fails(storage, PAIR.free)

    assert [waits(storage) for _ in range(20)] == [1] * 20
    assert waits(storage, now_ms=NOW + 1000) == 0


def test_many_at_once_are_counted_before_any_of_them_is_looked_at(storage: Storage) -> None:
    together = [storage.submit(lambda s: charge(s, "alice", DESK, NOW)) for _ in range(40)]

    assert sum(each.exception() is None for each in together) == PAIR.free


def test_a_restart_forgets_nothing(storage: Storage) -> None:
    fails(storage, PAIR.free)

    with Storage(storage.address) as again:
        assert waits(again) == 1


def test_a_right_password_makes_the_failures_from_there_forgotten(storage: Storage) -> None:
    at_ms = fails(storage, PAIR.free + 2)
    signs_in(storage, now_ms=at_ms)

    fails(storage, PAIR.free - 1, start_ms=at_ms)
    assert waits(storage, now_ms=at_ms) == 0


def test_old_failures_do_not_count(storage: Storage) -> None:
    at_ms = fails(storage, PAIR.free + 6) + PAIR.forgotten_ms

    tries(storage, now_ms=at_ms)
    assert waits(storage, now_ms=at_ms) == 0


def test_one_address_that_tries_many_logins_is_slowed_down_for_all_of_them(storage: Storage) -> None:
    for number in range(SOURCE.free):
        tries(storage, f"guess{number}")

    assert waits(storage, "another") == 1
    assert waits(storage, "another", ELSEWHERE) == 0


def test_many_addresses_that_try_one_login_are_slowed_down_together(storage: Storage) -> None:
    for number in range(LOGIN.free):
        tries(storage, source=f"203.0.113.{number}")

    assert waits(storage, source=ELSEWHERE) == 1


def test_a_stranger_cannot_keep_her_out_of_where_she_has_signed_in(storage: Storage) -> None:
    signs_in(storage)
    for number in range(LOGIN.free * 2):
        storage.write(lambda s, n=number: charge(s, "alice", f"203.0.113.{n}", NOW + n * 60_000))

    later_ms = NOW + LOGIN.free * 2 * 60_000
    assert waits(storage, source=ELSEWHERE, now_ms=later_ms - 60_000) > 0
    assert waits(storage, now_ms=later_ms - 60_000) == 0
    assert later_ms - NOW < KNOWN_MS


def test_elsewhere_she_waits_a_minute_at_most_whatever_a_stranger_does(storage: Storage) -> None:
    for number in range(60):
        storage.write(lambda s, n=number: charge(s, "alice", f"203.0.113.{n}", NOW + n * 60_000))

    assert waits(storage, source=ELSEWHERE, now_ms=NOW + 59 * 60_000) <= 60


def test_an_operator_may_have_failures_forgotten_and_known_addresses_stay_so(storage: Storage) -> None:
    signs_in(storage)
    fails(storage, PAIR.free, source=ELSEWHERE)
    storage.write(lambda s: forget(s, "alice"))
    assert waits(storage, source=ELSEWHERE) == 0

    for number in range(LOGIN.free + 1):
        tries(storage, source=f"203.0.113.{number}", now_ms=NOW + 1000 * number)
    assert waits(storage, source="203.0.113.99", now_ms=NOW + 1000 * LOGIN.free) > 0
    assert waits(storage, now_ms=NOW + 1000 * LOGIN.free) == 0


def test_colleagues_who_sign_in_do_not_lengthen_the_wait_of_their_address(storage: Storage) -> None:
    for number in range(SOURCE.free - 1):
        tries(storage, f"guess{number}")
    signs_in(storage, "bob", now_ms=NOW + 500)
    tries(storage, "mallory", now_ms=NOW + 600)

    assert waits(storage, "carol", now_ms=NOW + 600) == 1


def test_what_means_nothing_any_longer_is_removed_and_what_is_kept_is_bounded(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_KEPT", 10)
    for number in range(20):
        tries(storage, f"guess{number}", f"203.0.113.{number}", NOW + number)
    assert len(storage.read(lambda s: s.exec(select(TryRow)).all())) <= 12

    tries(storage, now_ms=NOW + PAIR.forgotten_ms + 100)
    assert len(storage.read(lambda s: s.exec(select(TryRow)).all())) == 3


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1%eth0", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        ("", "unknown"),
    ],
)
def test_an_address_of_ipv6_is_counted_with_its_network(address: str, counted_as: str) -> None:
    assert source_of(address) == counted_as
