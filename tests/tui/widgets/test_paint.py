"""Spans become segments in exact cells, in the characters and colours that the terminal has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from tocsin_tui.format import RULE, Line, Tone, line, shortened
from tocsin_tui.widgets.paint import TONES, Painter, fit, wrapped

WORDS = st.text(st.sampled_from("ab 田🔥é "), max_size=30)
LINES = st.builds(
    Line, st.lists(st.tuples(WORDS, st.sampled_from(list(Tone))), max_size=5).map(tuple), st.integers(0, 12)
)


def test_every_tone_has_a_look() -> None:
    assert set(Tone) == set(TONES)


@given(WORDS, st.integers(1, 40))
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int) -> None:
    assert width == cell_len(fit(text, width)) == cell_len(fit(text, width, right=True))


def test_what_is_cut_says_so() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("田田田", 4) == "田 …"


@given(LINES, st.integers(4, 40))
def test_a_wrapped_line_fits_and_loses_no_word(given: Line, width: int) -> None:
    rows = wrapped(given, width)

    assert all(cell_len(row.text.rstrip()) <= width for row in rows)
    assert "".join(given.text.split()) == "".join("".join(row.text for row in rows).split())


def test_what_follows_is_indented() -> None:
    rows = wrapped(line("when   up == 0 or more", hang=7), 14)

    assert [row.text.rstrip() for row in rows] == ["when   up == 0", "       or more"]


def test_a_rule_is_cut_and_not_wrapped() -> None:
    assert len(wrapped(RULE, 10)) == 1


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"]), max_size=40))
def test_a_terminal_without_utf_8_gets_ascii_only(text: str) -> None:
    assert Painter(ascii_only=True, own_palette=False).text(text).isascii()


@pytest.mark.parametrize("text", ["[/b]", "[@click=app.quit]OK[/]", "[red]x[/red]"])
def test_markup_is_text(text: str) -> None:
    segments = Painter(ascii_only=False, own_palette=True).segments([(text, Tone.PLAIN)], Style())

    assert [(text, Style(), None)] == [tuple(segment) for segment in segments]


def test_on_a_palette_that_is_not_ours_the_cursors_row_is_turned_around_in_one_piece() -> None:
    segments = Painter(ascii_only=False, own_palette=False).under_cursor(
        [("a", Tone.BAD), ("b", Tone.DIM)], Style()
    )

    assert {Style(reverse=True)} == {segment.style for segment in segments}


@given(LINES, st.integers(1, 40))
def test_a_line_that_is_shortened_fits_and_what_is_cut_says_so(given: Line, width: int) -> None:
    (row,) = wrapped(shortened(*given.spans), width)

    assert cell_len(row.text) <= width
    assert row.text == given.text or row.text.endswith("…")
