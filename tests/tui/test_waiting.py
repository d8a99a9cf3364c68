"""What a ticket waits for is understood from its beginning, and never guessed."""

from datetime import timedelta

import pytest
from tests.tui.scene import NOW

from tocsin_tui.waiting import reason_of, until_of

REASONS = ["customer", "vendor", "customs"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("vendor", "vendor"), (" V ", "vendor"), ("customs", "customs"), ("custome", "customer")],
)
def test_a_beginning_is_enough(typed: str, meant: str) -> None:
    assert reason_of(typed, REASONS) == meant


def test_a_word_that_is_one_is_meant_though_another_begins_with_it() -> None:
    assert reason_of("part", ["parts", "part"]) == "part"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "nothing is none of customer, vendor, customs"),
        ("cust", "cust is none of customer, customs"),
        ("godot", "godot is none of customer, vendor, customs"),
    ],
)
def test_what_is_none_or_several_is_said(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reason_of(typed, REASONS)


def test_nothing_typed_is_no_end_and_a_length_counts_from_now() -> None:
    assert until_of(" ", NOW) is None
    assert until_of("2d", NOW) == NOW + timedelta(days=2)
    with pytest.raises(ValueError, match="soon is no time"):
        until_of("soon", NOW)
