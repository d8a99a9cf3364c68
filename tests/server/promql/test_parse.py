"""The door: what is let in, what is refused and in which words, what is known of an expression unevaluated."""

import sys
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.promql.expressions import EXPRESSIONS

from tocsin_server.promql import BadExpression, comparison, parse
from tocsin_server.promql.guard import MOST_CHARACTERS, MOST_INK
from tocsin_server.promql.spelling import spell
from tocsin_server.promql.syntax import Number, Selector
from tocsin_server.series.matchers import Matcher, MatchKind

TOO_MUCH_INK = (
    f"the expression has 1601 characters outside strings, at most {MOST_INK} are allowed: "
    "split it by a recording rule"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("histogram_count(a)", "the function 'histogram_count' is not supported"),
        ("1 + sum(info(a))", "the function 'info' is not supported"),
        ("limitk(2, a)", "the aggregation 'limitk' is not supported"),
        (
            "holt_winters(a[5m], 0.5, 0.5)",
            "the function 'holt_winters' is not supported: it is called double_exponential_smoothing now",
        ),
        ("max_over_time(a[1y:1s])", "a subquery has more than 11000 steps: give it a longer step"),
        ("a[5m:1m]", "the expression is a range of samples: wrap it in a function such as rate()"),
        ('label_join(a, "", "b")', "label_join: the name of the destination label is empty"),
        ('count_values("", a)', "count_values: the name of the destination label is empty"),
        (
            'a{b="\\xff"}',
            "an escaped byte above \\x7f stands in a string: write the letter itself",
        ),
        (
            '# \ra{b="\\xff"}',  # to the parser the comment is over
            "an escaped byte above \\x7f stands in a string: write the letter itself",
        ),
        ('a{x="1" or x="2"}', "'or' between matchers is not supported: use =~ or two selectors with or"),
        ("a[5m]", "the expression is a range of samples: wrap it in a function such as rate()"),
        ('"a"', "the expression is a string, which has no value to judge"),
        ("a @ -10", "'@' with a negative time is not supported"),
        (
            "rate(a)",
            "the expression cannot be read: expected type matrix in call to function 'rate', got vector",
        ),
        (
            "nothing_of_this_name(a)",
            "the expression cannot be read: unknown function with name 'nothing_of_this_name'",
        ),
        ("a +", "the expression cannot be read: invalid promql query"),
        ("", "the expression cannot be read: no expression found in input"),
        ('a{x=~"("}', "the expression cannot be read: illegal regex for ("),
        # The parser's regular expressions allow what RE2 does not.
        ('a{x=~"b{1001}"}', "the regular expression 'b{1001}' cannot be used: invalid repetition size: {1001}"),
        ('label_replace(a, "", "b", "c", "d")', "label_replace: the name of the destination label is empty"),
        (
            'label_replace(a, "b", "c", "d", "(")',
            "label_replace: the regular expression '(' cannot be used: missing ): (",
        ),
        ("a " * 2100, f"the expression has 4200 characters, at most {MOST_CHARACTERS} are allowed: split it"),
        (
            "a+" * 800 + "a",
            TOO_MUCH_INK,
        ),
        ("(" * 51 + "a" + ")" * 51, "brackets are nested more than 50 deep"),
        ("-" * 200 + "a", "the expression is nested more than 150 deep: split it"),
    ],
)
def test_refused_in_these_words(text: str, message: str) -> None:
    with pytest.raises(BadExpression) as refused:
        parse(text)

    assert str(refused.value) == message


def test_what_stands_in_strings_and_comments_is_not_counted() -> None:
    text = 'a{x="' + "([{@-" * 400 + '"} # ' + "(" * 1000

    assert isinstance(parse(text).root, Selector)


def test_a_deep_expression_is_read_on_a_thread_with_a_small_stack() -> None:
    roots, may_begin = [], threading.Event()

    def read_deep() -> None:
        may_begin.wait()
        roots.append(parse("+".join(["a"] * 140)).root)

    before = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=read_deep)
        thread.start()
    finally:
        threading.stack_size(before)
    may_begin.set()  # the size is the process's: parsing sets it too, and puts back what it finds
    thread.join()

    assert len(roots) == 1
    assert threading.stack_size() == before


@settings(max_examples=share(300))
@given(st.text(st.sampled_from("ab{}()[]=~!\"'`5m,+-*/@# \\\n\xff0"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadExpression):
        parse(text)


@settings(max_examples=share(150))
@given(EXPRESSIONS)
def test_what_is_spelled_anew_reads_the_same(text: str) -> None:
    root = parse(text).root

    assert parse(spell(root)).root == root


@pytest.mark.parametrize(
    "text",
    [
        "a @ 1.234 offset -1h30m",
        "rate(a[1d12h] @ end())",
        r'a{x="\"\\\n", y=~"[.]+"}',
        '{"name with blanks", "a label"="1"}',
        "-(2 ^ a) ^ -(3 * b)",
        "1e300 * a - 0.000001",
        "a == bool on (x) group_right (y) b",
        "sum without () (a)",
        "a / Inf",
        "-(a) + -Inf",
    ],
)
def test_every_form_is_spelled_as_it_reads(text: str) -> None:
    root = parse(text).root

    assert parse(spell(root)).root == root


def test_a_name_in_braces_is_the_name() -> None:
    assert parse('{__name__="a", x!="1"}').root == Selector(
        "a", (Matcher("x", MatchKind.NOT_EQUAL, "1"),), 0, None
    )


def test_arithmetic_on_constants_is_done_at_the_door() -> None:
    assert parse("-(4 * 3600) + 1h").root == Number(-10_800)


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("a", {"a": 0}),
        ("-sum by (x) (topk(scalar(b), rate(a[5m])))", {"a": 300_000, "b": 0}),
        ("1", {}),
        ("rate(a[5m]) > a", {"a": 300_000}),
        ("rate(a[5m]) + delta(a[1h] offset 1d)", {"a": 90_000_000}),
        # The newest sample at some time ago may be as old as the lookback.
        ("a offset 5m", {"a": 600_000}),
        ("max_over_time(a[5m] offset -1h)", {"a": 0}),
        ('{x="1"} + b', {"": 0, "b": 0}),
        ('rate({__name__=~"a.*"}[1m])', {"": 60_000}),
    ],
)
def test_an_expression_says_how_far_back_it_looks(text: str, windows: dict[str, int]) -> None:
    assert parse(text).windows() == windows


@pytest.mark.parametrize(
    ("text", "left", "operator", "threshold"),
    [
        ("a > 5", "a", ">", 5),
        ("5 >= a{x='1'}", 'a{x="1"}', "<=", 5),
        ("rate(a[5m]) < 30 * 60", "rate(a[5m])", "<", 1800),
        ("a / b < 0.03 and c == 0", "a / b", "<", 0.03),
        ("(a != 1) unless b", "a", "!=", 1),
        ("(a == 0) * on (x) group_left (reason) b unless c", "a", "==", 0),
    ],
)
def test_a_comparison_with_a_constant_is_found(text: str, left: str, operator: str, threshold: float) -> None:
    found = comparison(parse(text))

    assert found is not None
    assert (left, operator, threshold) == (found.left.text, found.operator, found.threshold)
    assert found.left.root == parse(left).root


@pytest.mark.parametrize(
    "text", ["a", "a + 1", "a > b", "a > bool 5", "a > 5 or b > 5", "5", "time() > bool 5", "(a == 0) * b"]
)
def test_where_no_constant_decides_there_is_no_comparison(text: str) -> None:
    assert comparison(parse(text)) is None


def test_a_tree_is_never_deeper_than_the_interpreter_likes() -> None:
    assert sys.getrecursionlimit() >= 1000
    text = "+".join(["a"] * 149)

    assert spell(parse(text).root).count("a") == 149
