"""A slug can stand in a URL and a label; a name cannot move a cursor."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.errors import Unprocessable
from tocsin_server.estate.names import MAX_NAME, checked_slug, cleaned_name, cleaned_remark


@pytest.mark.parametrize("slug", ["a", "acme", "9lives", "acme-berlin", "a" * 63])
def test_a_slug_of_lower_case_letters_digits_and_hyphens_is_taken(slug: str) -> None:
    assert checked_slug(slug, of="client") == slug


@pytest.mark.parametrize("slug", ["", "-acme", "Acme", "ac me", "acme\n", "a" * 64, "ä", "../etc"])
def test_anything_else_is_refused_with_the_remedy(slug: str) -> None:
    with pytest.raises(Unprocessable, match="lower-case letters, digits and hyphens"):
        checked_slug(slug, of="client")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("atlas", "atlas"),
        ("  atlas\n", "atlas"),
        ("atlas\x1b[2Jdown", "atlas [2Jdown"),  # an escape that would clear a terminal
        ("atlas\u202egpj", "atlas gpj"),  # an override that would turn the writing round
        ("atlas\u2028two", "atlas two"),  # a line separator
    ],
)
def test_a_name_is_one_line_of_printable_characters(said: str, kept: str) -> None:
    assert cleaned_name(said, of="host") == kept


@pytest.mark.parametrize("said", ["", " \t\n", "\x1b", "a" * (MAX_NAME + 1)])
def test_a_name_of_nothing_or_of_too_much_is_refused(said: str) -> None:
    with pytest.raises(Unprocessable, match="name of a host"):
        cleaned_name(said, of="host")


@given(st.text())
def test_what_is_kept_of_any_text_is_printable_and_bounded(said: str) -> None:
    kept = cleaned_remark(said)

    assert len(kept) <= MAX_NAME
    assert all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in kept)
    assert kept == cleaned_remark(kept).strip() or len(kept) == MAX_NAME
