"""Guessing gets slower, for this login from this address alone, and never for good."""

import pytest

from tocsin_server.access.attempts import FORGOTTEN_MS, FREE, LONGEST_S, MAX_KEPT, Attempts
from tocsin_server.errors import Overloaded

NOW = 1_700_000_000_000
KEY = ("alice", "192.0.2.1")


def after(failures: int) -> Attempts:
    attempts = Attempts()
    for _ in range(failures):
        attempts.failed(KEY, NOW)
    return attempts


def test_the_first_few_mistakes_are_free() -> None:
    after(FREE - 1).refuse_haste(KEY, NOW)


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(FREE, 1), (FREE + 1, 2), (FREE + 3, 8), (FREE + 99, LONGEST_S)]
)
def test_then_each_doubles_the_pause_up_to_a_minute(failures: int, pause_s: int) -> None:
    attempts = after(failures)

    with pytest.raises(Overloaded) as refusal:
        attempts.refuse_haste(KEY, NOW)
    assert refusal.value.retry_after_s == pause_s
    attempts.refuse_haste(KEY, NOW + pause_s * 1000)


def test_somebody_elsewhere_cannot_keep_her_out() -> None:
    after(FREE + 10).refuse_haste(("alice", "192.0.2.2"), NOW)


def test_a_right_password_makes_all_forgotten() -> None:
    attempts = after(FREE + 10)
    attempts.succeeded(KEY)

    attempts.refuse_haste(KEY, NOW)


def test_old_mistakes_do_not_count() -> None:
    attempts = after(FREE + 10)
    attempts.failed(KEY, NOW + FORGOTTEN_MS)

    attempts.refuse_haste(KEY, NOW + FORGOTTEN_MS)


def test_what_is_kept_is_bounded() -> None:
    attempts = Attempts()
    for number in range(MAX_KEPT + 5):
        attempts.failed((f"guess{number}", "192.0.2.1"), NOW)

    assert len(attempts._failures) == MAX_KEPT
