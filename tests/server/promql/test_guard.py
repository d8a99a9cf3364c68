"""The door: what the parser would take long over, or die of, never reaches it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin_server.promql import BadExpression
from tocsin_server.promql.guard import admit, check_pattern
from tocsin_server.promql.parse import read


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_comment_ends_where_the_parser_ends_it(end):
    with pytest.raises(BadExpression, match="characters outside strings"):
        admit(f"# a comment{end}{'(' * 1501}")


def test_what_stands_in_a_comment_counts_for_nothing():
    admit(f"1 # {'(' * 3000}\r+ 1 # {'(' * 1000}")


@pytest.mark.parametrize("text", ["'\n#'+{}", "'\\\n#'+{}", "`\\` + {} + `x`"])
def test_a_string_ends_where_the_parser_ends_it(text):
    with pytest.raises(BadExpression, match="characters outside strings"):
        admit(text.format("(" * 1501))


@pytest.mark.parametrize(
    "pattern",
    [
        "(\\\\pL{9}){90}",
        "((\\\\w{100}){2}){2}",
        "[^x]{1000}",
        "\\\\pL{9}{90}",
        "\\\\pL{9}?{90}",
        "\\\\pL\\x7b900}",
        "\\\\pL\\u007b1,900\\175",
        "\\\\pL{000000000900}",
        "\\\\pL{0,999999999999999999999}",
        pytest.param(f"\\\\pL{{{'9' * 3000}}}", id="more than int() takes"),
    ],
)
def test_a_pattern_that_swells_is_refused_before_anybody_compiles_it(pattern):
    matchers = ",".join([f'b=~"{pattern}"'] * max(1, 500 // len(pattern)))

    with pytest.raises(BadExpression, match="repeats too much"):
        admit(f"a{{{matchers}}}")


def test_patterns_of_arguments_swell_as_those_of_matchers_do():
    with pytest.raises(BadExpression, match="repeats too much"):
        admit('label_replace(a, "b", "$1", "c", `(\\pL{90}){90}`)')


def test_a_pattern_by_itself_is_measured_as_it_stands():
    check_pattern("x{1,1000}")
    with pytest.raises(BadExpression, match="repeats too much"):
        check_pattern("0{1,1000}" * 300)


def test_a_flag_that_re2_does_not_have_is_refused_because_it_hides_what_is_repeated():
    with pytest.raises(BadExpression, match="flag 'x'"):
        admit('a{b=~"(?isx)(a{9}) {9}"}')


@pytest.mark.parametrize(
    "pattern",
    [
        r"\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}(:\\d{1,5})?",
        "([0-9a-f]{2}:){5}[0-9a-f]{2}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9a-f]{64}",
        ".{100}",
    ],
)
def test_patterns_that_people_write_pass(pattern):
    admit(f'a{{b=~"{pattern}", c!~"{pattern}"}}')


@given(st.text(st.sampled_from("\"'`\\#\n\r ){}1,x\u2028"), max_size=60))
@example("#\r(")
@example("'\n#'")
@example("`\\``")
def test_no_bracket_that_the_parser_sees_is_unseen_by_the_guard(text):
    assert "unclosed left parenthesis" not in refusal(text + "(" * 60)


def refusal(text):
    """Why it is refused; empty where it is not."""
    try:
        read(text)
    except BadExpression as refused:
        return str(refused)
    return ""
