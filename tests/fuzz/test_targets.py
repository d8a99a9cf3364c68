"""Every reader, put to texts that hypothesis makes of its vocabulary."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.fuzz import seeds
from tests.fuzz.targets import TARGETS

from tocsin_server.alerts.templates import BadTemplate, parse_template
from tocsin_server.promql import BadExpression, parse

pytestmark = pytest.mark.scenario


@pytest.mark.parametrize("name", TARGETS)
def test_a_text_is_read_or_refused_with_the_documented_error(name):
    target = TARGETS[name]
    words = st.one_of(st.sampled_from([*target.words]), st.sampled_from([*target.seeds()]), st.text(max_size=3))

    @settings(max_examples=share(30))
    @given(st.lists(words, max_size=12))
    def check(pieces):
        target.read("".join(pieces))

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_what_fuzzing_begins_with_is_read_or_refused_too(name):
    target = TARGETS[name]

    assert len(target.seeds()) >= 5
    for text in target.seeds():
        target.read(text)


def test_nearly_all_that_fuzzing_begins_with_is_good():
    """Mutations of what is refused for its form say nothing about what comes behind."""
    assert sum(map(is_expression, seeds.expressions())) > 0.9 * len(seeds.expressions())
    assert sum(map(is_template, seeds.templates())) > 0.9 * len(seeds.templates())


def is_expression(text):
    with suppress(BadExpression):
        return bool(parse(text))
    return False


def is_template(text):
    with suppress(BadTemplate):
        return bool(parse_template(text))
    return False
