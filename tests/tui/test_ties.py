"""Which other ticket is meant is found by number or words, and never guessed."""

import pytest
from tests.tui import scene

from tocsin_protocol.vocabulary import LinkKind
from tocsin_tui.ties import kind_of, other_of

ROW = scene.a_ticket(1, client="acme", title="/ is full")
ROWS = [
    ROW,
    scene.a_ticket(2, client="acme", title="/srv is full"),
    scene.a_ticket(3, client="acme", title="the printer is jammed"),
    scene.a_ticket(4, client="globex", title="the printer burns"),
]


def test_a_beginning_says_the_kind() -> None:
    assert kind_of("dup") is LinkKind.DUPLICATE_OF
    assert kind_of("caused by") is LinkKind.CAUSED_BY
    with pytest.raises(ValueError, match="is none of relates"):
        kind_of("x")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("#3", (3, "the printer is jammed")),
        ("printer", (3, "the printer is jammed")),
        ("SRV full", (2, "/srv is full")),
        (" 77 ", (77, "")),
    ],
)
def test_a_number_or_words_of_the_same_client_mean_a_ticket(typed: str, meant: tuple[int, str]) -> None:
    assert other_of(typed, ROWS, ROW) == meant


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "type the number"), ("burns", "none of acme"), ("i", "2 of acme are so: #2"), ("²", "none")],
)
def test_what_means_none_or_several_is_said(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        other_of(typed, ROWS, ROW)
