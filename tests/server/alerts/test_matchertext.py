"""Matchers are read as Alertmanager reads them, and hostile ones are refused quickly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.matchertext import (
    MAX_MATCHERS,
    MAX_NAME,
    MAX_TEXT,
    MAX_VALUE,
    limited,
    matcher,
    narrows,
    parse_matchers,
    spelled,
)
from tocsin_server.series.matchers import Matcher, MatchKind, matches_all

EQUAL, NOT_EQUAL, REGEX, NOT_REGEX = MatchKind


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ("", []),
        ("{}", []),
        (" { } ", []),
        ('alertname="DiskFull"', [("alertname", EQUAL, "DiskFull")]),
        ("{foo=bar}", [("foo", EQUAL, "bar")]),
        ("{foo=bar,}", [("foo", EQUAL, "bar")]),
        ("foo=bar,", [("foo", EQUAL, "bar")]),
        ("foo!=bar", [("foo", NOT_EQUAL, "bar")]),
        ("foo=~[a-z]+", [("foo", REGEX, "[a-z]+")]),
        ("foo!~[a-z]+", [("foo", NOT_REGEX, "[a-z]+")]),
        (" foo = bar , bar != baz ", [("foo", EQUAL, "bar"), ("bar", NOT_EQUAL, "baz")]),
        ('{foo="bar",bar!="baz"}', [("foo", EQUAL, "bar"), ("bar", NOT_EQUAL, "baz")]),
        ('foo=""', [("foo", EQUAL, "")]),
        ('"a name, with {all}"="b}"', [("a name, with {all}", EQUAL, "b}")]),
        ("{foo=🙂bar}", [("foo", EQUAL, "🙂bar")]),
        (r'foo="\xf0\x9f\x99\x82"', [("foo", EQUAL, "🙂")]),
        (r'foo="\U0001f642\u00e9\101"', [("foo", EQUAL, "🙂éA")]),
        (r'foo="\"bar\"\\\n\t"', [("foo", EQUAL, '"bar"\\\n\t')]),
        ("foo=:8080", [("foo", EQUAL, ":8080")]),
        ("\xa0foo\u2003=\u3000bar\x85", [("foo", EQUAL, "bar")]),
        ("\x1cfoo=\x1fbar\x1e", [("\x1cfoo", EQUAL, "\x1fbar\x1e")]),
    ],
)
def test_what_alertmanager_takes(text, matchers):
    assert tuple(Matcher(*each) for each in matchers) == parse_matchers(text)


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "{,}",
        "{",
        "}",
        "foo",
        "foo=",
        "=bar",
        "foo==bar",
        "foo=bar}",
        "{foo=bar",
        '{foo="bar}',
        '{foo=:"bar"}',
        r'foo="bar\w"',
        r'foo="bar\"',
        r"foo=bar\n",
        r'foo="\xf0\x9f"',
        r'foo="\ud800"',
        r'foo="\UFFFFFFFF"',
        r'foo="\777"',
        'foo="a\nb"',
        '""=bar',
        "foo=bar,,",
        "foo=bar bar=baz",
        "foo='bar'",
        "foo=~(",
        '{foo="bar"}}',
        "\x1f",
    ],
)
def test_what_alertmanager_refuses_is_refused(text):
    with pytest.raises(ValueError):
        parse_matchers(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_TEXT + 1),
        "a=b," * (MAX_MATCHERS + 1),
        f"{'a' * (MAX_NAME + 1)}=b",
        f"a={'b' * (MAX_VALUE + 1)}",
        "a=~((((x{1000}){1000}){1000}){1000})",
        'a=~"' + "0{1,1000}" * 300 + '"',
        'a="' + "\\" * 8000,
        '"' * 8000,
    ],
)
def test_a_text_that_is_made_to_be_costly_is_refused(text):
    with pytest.raises(ValueError) as refusal:
        parse_matchers(text)

    assert len(str(refusal.value)) < 5000


def test_an_expression_that_would_take_a_backtracker_for_ever_does_not():
    (costly,) = parse_matchers('a=~"(a+)+b"')

    assert not costly.matches("a" * 50_000)


def test_a_matcher_made_of_parts_is_checked_as_a_written_one_is():
    with pytest.raises(ValueError, match="needs the name"):
        matcher("", EQUAL, "a")
    with pytest.raises(ValueError, match="not UTF-8"):
        matcher("a", EQUAL, "\ud800")
    with pytest.raises(ValueError, match="cannot be used"):
        matcher("a", NOT_REGEX, "[")
    with pytest.raises(ValueError, match="are more than 64"):
        limited([Matcher("a", EQUAL, "b")] * 65)


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("", False),
        ('a=""', False),
        ('a!="b"', False),
        ('a=~".*"', False),
        ('a!~"b"', False),
        ('a!="b",c=~".+"', True),
        ('a!=""', True),
    ],
)
def test_matchers_narrow_when_one_wants_a_label_to_be_there(text, does):
    assert narrows(parse_matchers(text)) is does


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ('a="1",b=""', True),
        ('a=~"1|2",b!="2"', True),
        ('a=~"1|2",b="2"', False),
        ('a!~".+"', False),
        ('a=~"."', True),
        ('a=~""', False),  # anchored: it is not enough that the empty word is in it
    ],
)
def test_labels_pass_when_all_matchers_do(text, does):
    assert matches_all(parse_matchers(text), {"a": "1"}) is does


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MATCHERS = st.lists(
    st.builds(Matcher, TEXTS.filter(bool), st.sampled_from([EQUAL, NOT_EQUAL]), TEXTS), max_size=5
)


@given(MATCHERS)
def test_what_is_spelled_is_read_back(matchers):
    assert tuple(matchers) == parse_matchers(spelled(matchers))


@given(st.text(st.sampled_from('ab=!~,{}"\\\n x0🙂'), max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_and_what_is_read_can_be_spelled(text):
    try:
        matchers = parse_matchers(text)
    except ValueError:
        return

    assert matchers == parse_matchers(spelled(matchers))
