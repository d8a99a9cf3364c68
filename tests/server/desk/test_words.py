"""Words are folded the same everywhere, and nothing that is typed means more than words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.desk.words import (
    MAX_ASKED,
    MAX_LETTERS,
    MAX_WORDS,
    Said,
    Token,
    line,
    marks,
    said,
    terms,
    without_marks,
    words,
)
from tocsin_server.errors import Unprocessable

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Disk FULL on web-01.acme.fr", ["disk", "full", "on", "web", "01", "acme", "fr"]),
        ("Größe Übergröße STRASSE Straße", ["grosse", "ubergrosse", "strasse", "strasse"]),
        ("Éteint, éteint, ÉTEINT", ["eteint", "eteint", "eteint"]),
        ("e\u0301teint", ["eteint"]),
        ("İstanbul", ["istanbul"]),
        ("\uff24\uff49\uff53\uff4b ﬁle", ["disk", "file"]),
        ("soft\u00adhyphen", ["softhyphen"]),
        ("Λάμδα λάμδα", ["λαμδα", "λαμδα"]),
        ("принтер", ["принтер"]),
        ("障害 発生", ["障害", "発生"]),
        ("/srv/97 = 3.5 %", ["srv", "97", "3", "5"]),
        ("? — \x00 \ud800 \ue002", []),
    ],
)
def test_a_word_is_found_whatever_its_case_accents_and_width(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(ANY_TEXT)
def test_words_are_letters_and_digits_only_and_folding_them_again_changes_nothing(text: str) -> None:
    for word in words(text):
        assert word.isalnum()
        assert len(word) <= MAX_LETTERS
        assert words(word) == [word]


@given(st.text(st.characters(categories=["L", "N"])))
def test_case_and_the_form_of_accents_do_not_matter(text: str) -> None:
    assert words(text.upper().lower()) == words(unicodedata.normalize("NFD", text.upper().lower()))


def test_a_line_has_each_word_once_and_no_more_than_are_found_again() -> None:
    assert line(["b", "a", "b"]) == "b a"
    assert len(line(map(str, range(MAX_WORDS + 1))).split()) == MAX_WORDS


def test_marks_come_off_and_what_was_said_stays() -> None:
    spoken = [*said([Said("Disk", public=True), Said("disk cable", public=False)])]

    assert without_marks(line([*marks(42, 7, is_open=True), *spoken])) == ["disk", "\ue003disk", "\ue003cable"]


def test_the_last_word_is_looked_for_as_a_beginning_and_the_others_as_they_are() -> None:
    assert terms("disk fu", clients=None, is_public=True) == [(Token("disk"),), (Token("fu", True),)]
    assert terms("disk f", clients=None, is_public=True)[1] == (Token("f"),)


def test_a_number_is_looked_for_as_a_word_and_as_a_ticket_and_with_a_hash_as_a_ticket_only() -> None:
    assert terms("042", clients=None, is_public=True) == [(Token("042", True), Token("\ue00142"))]
    assert terms("#042", clients=None) == [(Token("\ue00142"),)]


def test_clients_and_being_open_are_part_of_the_question() -> None:
    assert terms("x", clients=[9, 2], is_open=True, is_public=True)[1:] == [
        (Token("\ue002"),),
        (Token("\ue0002"), Token("\ue0009")),
    ]


def test_who_sees_no_client_finds_nothing() -> None:
    assert terms("x", clients=[])[-1] == (Token("\ue000"),)


def test_notes_of_technicians_are_looked_at_unless_the_question_is_a_clients() -> None:
    assert terms("disk", clients=None)[0] == (Token("disk", True), Token("\ue003disk", True))
    assert terms("disk", clients=None, is_public=True)[0] == (Token("disk", True),)


@pytest.mark.parametrize("question", ["", "  ", "?!", '"', "\ue000", "\ue002"])
def test_a_question_without_a_word_is_refused(question: str) -> None:
    with pytest.raises(Unprocessable, match="no word"):
        terms(question, clients=None)


def test_a_question_of_very_many_words_is_refused_and_said_twice_is_said_once() -> None:
    many = " ".join(f"w{number}" for number in range(MAX_ASKED + 1))

    with pytest.raises(Unprocessable, match="at most 12"):
        terms(many, clients=None)
    assert len(terms("a " * 50, clients=None)) == 1
