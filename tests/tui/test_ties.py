"""Which other ticket is meant is found by number or words, never guessed; a tie ends where it was made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import scene

from tocsin_protocol.tickets import TicketTie
from tocsin_protocol.vocabulary import LinkKind, TicketState, Tie
from tocsin_tui.ties import (
    Found,
    Untying,
    beside,
    kind_of,
    meant,
    number_of,
    numbered,
    removable,
    the_one,
    tie_of,
    untied,
)

ROW = scene.a_ticket(1, client="acme", title="/ is full")
ROWS = {
    row.id: row
    for row in [
        ROW,
        scene.a_ticket(2, client="acme", title="/srv is full"),
        scene.a_ticket(3, client="acme", title="the printer is jammed"),
        scene.a_ticket(4, client="globex", title="the printer burns"),
        scene.a_ticket(5, client="acme", title="the fax is jammed", state=TicketState.SOLVED),
        scene.a_ticket(6, client="acme", title="the copier is jammed", merged_into=3),
    ]
}
FAR = scene.a_ticket(90, client="acme", title="toner is low")


def a_tie(tie: Tie, ticket: int = 2, title: str = "/srv is full") -> TicketTie:
    return TicketTie(tie=tie, ticket=ticket, title=title, state=TicketState.NEW)


def other_of(typed: str, found: Found, *, is_open: bool = False, is_live: bool = True) -> tuple[int, str]:
    number = number_of(typed)
    if number is not None:
        return numbered(number, ROWS.get(number), ROW, found, text=typed)
    which = meant(typed, beside(ROWS.values(), ROW, is_open=is_open), ROW, found, is_open=is_open)
    return the_one(typed, which, ROW, found, is_live=is_live)


def test_a_beginning_says_the_kind() -> None:
    assert kind_of("dup") is LinkKind.DUPLICATE_OF
    assert kind_of("caused by") is LinkKind.CAUSED_BY
    with pytest.raises(ValueError, match="is none of relates"):
        kind_of("x")


@pytest.mark.parametrize(
    ("typed", "which"),
    [
        ("#3", (3, "the printer is jammed")),
        ("printer", (3, "the printer is jammed")),
        ("SRV full", (2, "/srv is full")),
        (" 77 ", (77, "")),
    ],
)
def test_a_number_or_words_of_the_same_client_mean_a_ticket(typed: str, which: tuple[int, str]) -> None:
    assert other_of(typed, Found(typed)) == which


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "type the number"),
        ("burns", "none of acme is so"),
        ("jammed", "2 of acme are so"),
        ("copier", "none"),  # merged: nothing can be tied to it
        ("²", "none"),
        ("#1", "is this ticket itself"),
        ("4", "#4 is of globex, and this one of acme"),
    ],
)
def test_what_means_none_or_several_is_said(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        other_of(typed, Found(typed))


def test_where_only_open_ones_will_do_solved_ones_are_not_meant() -> None:
    assert other_of("jammed", Found("jammed"), is_open=True) == (3, "the printer is jammed")


def test_what_the_server_has_found_is_meant_too() -> None:
    assert other_of("zorkmid", Found("zorkmid", [FAR])) == (90, "toner is low")
    with pytest.raises(ValueError, match="2 of acme are so"):
        other_of("printer", Found("printer", [FAR]))


@pytest.mark.parametrize(
    ("typed", "found", "said"),
    [
        ("printer", Found(), r"#3 the printer is jammed\? the server is looking for others"),
        ("jammed", Found("jamme", [FAR]), "2 of acme are so, and the server is looking: type more words"),
        ("zorkmid", Found(), "none of acme is so, and the server is looking"),
        ("printer", Found("printer", is_cut=True), "1 or more of acme are so"),
        ("!?", Found("!?", refusal="there is no word in '!?'"), "there is no word"),
        ("#77", Found("#77", refusal="there is no ticket 77"), "there is no ticket 77"),
    ],
)
def test_nothing_is_meant_before_the_server_has_looked(typed: str, found: Found, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        other_of(typed, found)


def test_where_the_line_is_down_what_is_here_will_do() -> None:
    assert other_of("printer", Found(), is_live=False) == (3, "the printer is jammed")


@given(
    typed=st.text(max_size=30)
    | st.from_regex(r"#?[1-7]", fullmatch=True)
    | st.sampled_from(["full", "jammed"]),
    found=st.sampled_from([Found(), Found("full"), Found("jammed")]),
    is_open=st.booleans(),
)
def test_whatever_is_typed_means_one_of_the_same_client_or_is_said(
    typed: str, found: Found, *, is_open: bool
) -> None:
    try:
        number, title = other_of(typed, found, is_open=is_open)
    except ValueError:
        return
    known = ROWS.get(number)
    assert number != ROW.id
    assert title == ("" if known is None else known.title)
    assert known is None or known.client == ROW.client


@pytest.mark.parametrize(
    ("tie", "asked"),
    [
        (Tie.RELATES, Untying(1, LinkKind.RELATES, 2)),
        (Tie.CAUSED_BY, Untying(1, LinkKind.CAUSED_BY, 2)),
        (Tie.CAUSES, Untying(2, LinkKind.CAUSED_BY, 1)),
        (Tie.DUPLICATE_OF, Untying(1, LinkKind.DUPLICATE_OF, 2)),
        (Tie.DUPLICATED_BY, Untying(2, LinkKind.DUPLICATE_OF, 1)),
        (Tie.PARENT, Untying(1, LinkKind.PARENT, 2)),
        (Tie.CHILD, Untying(2, LinkKind.PARENT, 1)),
        (Tie.MERGED_INTO, Untying(1, None, 2)),
        (Tie.ABSORBED, Untying(2, None, 1)),
    ],
)
def test_a_tie_is_taken_away_where_it_was_made(tie: Tie, asked: Untying) -> None:
    assert untied(ROW, a_tie(tie)) == asked


def test_what_relates_to_a_closed_ticket_is_asked_of_the_other() -> None:
    closed = scene.a_ticket(1, client="acme", state=TicketState.CLOSED)

    assert untied(closed, a_tie(Tie.RELATES)) == Untying(2, LinkKind.RELATES, 1)


def test_every_tie_can_be_taken_away_but_that_it_recurs() -> None:
    detail = scene.detail(ROW)
    ties = [a_tie(tie, number) for number, tie in enumerate(Tie, start=10)]
    for_good = {Tie.RECURS, Tie.RECURS_AS}

    found = removable(scene.tied(detail, ties))

    assert {tie.tie for tie in found} == set(Tie) - for_good
    assert [untied(ROW, tie) for tie in found]


TIES = [a_tie(Tie.CAUSED_BY), a_tie(Tie.CHILD, 22, "the printer is jammed"), a_tie(Tie.RELATES)]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("#22", 1), ("child", 1), ("caused by #2", 0), ("relates 2", 2), ("PRINTER", 1), ("rel", 2)],
)
def test_a_tie_is_meant_by_its_number_or_its_words(typed: str, meant: int) -> None:
    assert tie_of(typed, TIES) is TIES[meant]


@pytest.mark.parametrize(
    ("typed", "said"), [(" ", "type which"), ("2", "2 ties are so"), ("fax", "none"), ("²", "none")]
)
def test_a_tie_is_never_guessed(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tie_of(typed, TIES)
