"""Matchers mean what Prometheus means by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.series.matchers import Matcher, MatchKind, anchored, matches_all
from tocsin_server.series.symbols import Symbols


@pytest.mark.parametrize(
    ("kind", "pattern", "value", "passes"),
    [
        (MatchKind.EQUAL, "sda", "sda", True),
        (MatchKind.EQUAL, "", "", True),  # a missing label is the empty word
        (MatchKind.NOT_EQUAL, "sda", "", True),
        (MatchKind.NOT_EQUAL, "sda", "sda", False),
        (MatchKind.REGEX, "sd", "sda", False),  # anchored at its end
        (MatchKind.REGEX, "da", "sda", False),  # and at its beginning
        (MatchKind.REGEX, "sd[ab]|vda", "vda", True),  # the whole alternation is anchored
        (MatchKind.REGEX, "sda|vd", "sdaX", False),
        (MatchKind.REGEX, ".*", "", True),
        (MatchKind.REGEX, ".+", "", False),
        (MatchKind.REGEX, "a.b", "a\nb", True),  # the dot matches a newline
        (MatchKind.REGEX, ".*", "a\nb\n", True),
        (MatchKind.REGEX, "a$", "a\n", False),
        (MatchKind.REGEX, "(?i)SDA", "sda", True),
        (MatchKind.REGEX, "é", "é", True),
        (MatchKind.NOT_REGEX, "tmpfs|overlay", "ext4", True),
        (MatchKind.NOT_REGEX, "tmpfs|overlay", "tmpfs", False),
        (MatchKind.NOT_REGEX, ".+", "", True),
    ],
)
def test_a_matcher_passes_what_prometheus_passes(kind, pattern, value, passes) -> None:
    assert Matcher("device", kind, pattern).matches(value) is passes


@pytest.mark.parametrize("pattern", ["(", "a**", "[z-a]", r"(?P<x", r"(a)\1", "(?=a)"])
def test_an_expression_that_re2_does_not_take_is_a_value_error_that_names_it(pattern) -> None:
    with pytest.raises(ValueError, match="cannot be used") as caught:
        anchored(pattern)

    assert repr(pattern) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_expression_that_would_take_too_much_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        anchored("((a{100}){100}){100}")


@settings(max_examples=share(40))
@given(
    kind=st.sampled_from(MatchKind),
    value=st.sampled_from(["", "a", "b", "a|b", ".*", ".+", "never"]),
    words=st.lists(st.sampled_from(["", "a", "b", "ab", "a|b"])),
)
def test_asking_codes_is_asking_each_of_their_words(kind, value, words) -> None:
    symbols = Symbols()
    matcher = Matcher("device", kind, value)

    passing = matcher.passing(np.array([symbols.code(word) for word in words], np.int32), symbols)

    assert passing.tolist() == [matcher.matches(word) for word in words]


def test_all_matchers_have_to_pass_and_a_missing_label_is_asked_too() -> None:
    idle = Matcher("mode", MatchKind.EQUAL, "idle")
    no_cpu = Matcher("cpu", MatchKind.EQUAL, "")

    assert matches_all([idle, no_cpu], {"mode": "idle"})
    assert not matches_all([idle, no_cpu], {"mode": "idle", "cpu": "0"})
