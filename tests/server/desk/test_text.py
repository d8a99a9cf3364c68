"""Whatever comes in, what is kept can be stored, sent and shown."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.desk.text import MAX_TITLE, cleaned, shortened, title_line

anything = st.text(st.characters(), max_size=300) | st.text(
    st.sampled_from("a \t\r\n\x00\x1b\x85\x9b\ud800\udfff")
)


@given(anything)
def test_cleaned_text_has_no_control_characters_but_newline_and_tab(text: str) -> None:
    clean = cleaned(text)

    assert not [one for one in clean if unicodedata.category(one) in {"Cc", "Cs"} and one not in "\n\t"]
    clean.encode()


@given(anything)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert cleaned(cleaned(text)) == cleaned(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_without_control_characters_keeps_every_one_of_them(text: str) -> None:
    assert cleaned(text) == text.strip()


@given(anything)
def test_a_title_is_one_line_of_bounded_length(text: str) -> None:
    title = title_line(text * 3)

    assert len(title) <= MAX_TITLE
    assert "\n" not in title


def test_what_is_cut_says_so() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
