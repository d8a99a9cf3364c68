"""No string from outside can act on a terminal, hide or grow without bound."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.tui.hostile import HOSTILE

from tocsin_server.alerts.matchertext import parse_matchers, spelled
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_tui.safe import MAX_LINE, safe_line, safe_matchers, safe_text, safe_tree

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def is_harmless(text: str) -> bool:
    """No control, format, surrogate or separator character but the newline."""
    return all(c == "\n" or unicodedata.category(c) not in HARMFUL for c in text)


@given(ANY_TEXT)
def test_nothing_that_a_terminal_acts_on_is_left(text: str) -> None:
    assert is_harmless(safe_text(text))


def test_every_character_that_formats_or_controls_is_taken_out() -> None:
    harmful = [one for one in map(chr, range(0x110000)) if one != "\n" and unicodedata.category(one) in HARMFUL]

    assert [one for one in harmful if safe_text(one) == one] == []


@given(ANY_TEXT)
def test_a_line_has_no_breaks(text: str) -> None:
    assert "\n" not in safe_line(text)


@given(ANY_TEXT)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    once = safe_text(text)

    assert once == safe_text(once)


@given(
    st.text(
        st.characters(
            categories=["L", "N", "P", "S"], exclude_characters="\u115f\u1160\u3164\uffa0\u17b4\u17b5"
        ),
        max_size=200,
    )
)
def test_letters_of_any_script_pass(text: str) -> None:
    assert text == safe_text(text)


@given(st.text("x", min_size=MAX_LINE + 1, max_size=MAX_LINE + 50))
def test_a_long_line_is_cut_and_says_so(text: str) -> None:
    assert len(safe_line(text)) == MAX_LINE
    assert safe_line(text).endswith("…")


@given(JSON)
def test_a_tree_keeps_its_shape_and_loses_what_is_harmful(tree: object) -> None:
    def strings(value: object):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from strings(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from strings(inner)

    safe = safe_tree(tree)

    assert type(tree) is type(safe)
    assert all(is_harmless(text) for text in strings(safe))


def test_a_comment_keeps_its_lines_and_a_title_does_not() -> None:
    assert safe_tree({"text": "one\r\ntwo", "title": "one\ntwo"}) == {"text": "one\ntwo", "title": "one two"}


def test_a_label_that_is_called_like_a_field_is_one_line_all_the_same() -> None:
    tree = {"labels": {"reason": "one\ntwo", "text": "one\ntwo", "matchers": "one\u200b"}}

    assert safe_tree(tree) == {"labels": {"reason": "one two", "text": "one two", "matchers": "one"}}


@given(ANY_TEXT)
def test_nothing_harmful_is_left_in_matchers(text: str) -> None:
    assert is_harmless(safe_matchers(text))
    assert "\n" not in safe_matchers(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=share(60))
def test_matchers_are_read_back_as_they_were(text: str) -> None:
    matchers = (Matcher("instance", MatchKind.EQUAL, text), Matcher(f"größe{text}", MatchKind.EQUAL, "x"))

    shown = safe_matchers(spelled(matchers))

    assert matchers == parse_matchers(shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_the_corpus_is_disarmed(text: str) -> None:
    assert is_harmless(safe_line(text))
