"""How urgent a ticket is: a number with its reason, or two words of the table's."""

import pytest

from tocsin_protocol.acts import Prioritisation
from tocsin_tui.weight import told, weight_of


def test_a_number_is_a_priority_with_its_reason() -> None:
    weight = weight_of(" 2 ", " the boss called ")

    assert weight == Prioritisation(priority=2, text="the boss called")
    assert told(weight) == "priority 2: the boss called"


def test_two_words_are_impact_and_urgency() -> None:
    weight = weight_of("High medium", "")

    assert weight == Prioritisation(impact="high", urgency="medium")
    assert told(weight).startswith("impact high, urgency medium")


@pytest.mark.parametrize(
    ("typed", "why", "said"),
    [
        ("", "x", "type 1 to 4"),
        ("high", "x", "type 1 to 4"),
        ("high low now", "x", "type 1 to 4"),
        ("²", "x", "type 1 to 4"),
        ("0", "x", "there is no priority 0"),
        ("5", "x", "there is no priority 5"),
        ("1", "  ", "needs its reason"),
    ],
)
def test_anything_else_is_said_to_be_wrong(typed: str, why: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        weight_of(typed, why)
