"""Strings in backquotes hold what stands in them, letter by letter, as in Prometheus."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.promql import BadExpression, parse
from tocsin_server.promql.rawstrings import without_raw_strings
from tocsin_server.promql.spelling import quoted
from tocsin_server.promql.syntax import Call, Selector, Text
from tocsin_server.series.matchers import Matcher, MatchKind


def only_matcher(text):
    root = parse(text).root
    assert isinstance(root, Selector)
    (matcher,) = root.matchers
    return matcher


def test_a_pattern_in_backquotes_needs_no_second_backslash():
    assert only_matcher(r"a{b=~`\d+\.x`}") == Matcher("b", MatchKind.REGEX, r"\d+\.x")


@settings(max_examples=share(150))
@given(st.text(st.characters(exclude_characters="`", exclude_categories=["Cs"]), max_size=30))
@example('"')
@example("'")
@example("a\nb\r")
@example("\\")
@example('\\"')
@example("\\\\xff")
@example("# no comment")
def test_what_stands_in_backquotes_is_the_value(value):
    assert only_matcher(f"a{{b=`{value}`}}").value == value


def test_arguments_may_stand_in_backquotes():
    root = parse(r"label_replace(a, `to`, `$1`, `from`, `(.*)\.example\.(com|org)`)").root

    assert isinstance(root, Call)
    assert root.arguments[1:] == tuple(map(Text, ("to", "$1", "from", r"(.*)\.example\.(com|org)")))


def test_a_label_may_be_named_in_backquotes():
    assert only_matcher(r'{"a", `x\y`="1"}').name == r"x\y"


@pytest.mark.parametrize("text", ['a{b="`"} + a{b="`"}', "a{b='`c`'}", "a # `\\d`", "a # `\n+ b # `", ""])
def test_a_backquote_in_a_string_or_comment_is_one(text):
    assert without_raw_strings(text) == text


@pytest.mark.parametrize("text", ['a{b="\\`x`', "a{b='\\`x`", 'a{b="`x`, c=`y`}'])
def test_a_string_that_is_left_open_is_not_closed_by_what_is_written_out(text):
    assert without_raw_strings(text) == text
    with pytest.raises(BadExpression, match="cannot be read"):
        parse(text)


@given(st.text(st.sampled_from("\"'`\\#\n\r x"), max_size=20))
def test_what_is_written_out_has_nothing_left_to_write_out(text):
    with suppress(BadExpression):
        once = without_raw_strings(text)

        assert without_raw_strings(once) == once


def test_the_expression_keeps_its_own_words():
    text = r"a{b=~`\d+`}"

    assert parse(text).text == text


def test_a_backquote_that_is_left_open_is_said_to_be():
    with pytest.raises(BadExpression, match="a string in backquotes is left open"):
        parse(r"a{b=~`\d}")


def test_quotes_around_what_stood_in_backquotes_are_escaped():
    assert without_raw_strings('f(`"\\`, `\n`)') == f"f({quoted(chr(34) + chr(92))}, {quoted(chr(10))})"
