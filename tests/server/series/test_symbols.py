"""Words and sets of labels are numbers that stay what they are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.series.numbers import Numbers
from tocsin_server.series.symbols import LabelSets, Symbols

SETS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "1", "2"])))


def test_the_empty_word_is_code_0_and_words_keep_their_codes() -> None:
    symbols = Symbols()
    atlas = symbols.code("atlas")

    assert (symbols.code(""), symbols.code("atlas"), symbols.find("atlas")) == (0, atlas, atlas)
    assert (symbols.word(atlas), symbols.find("never"), len(symbols)) == ("atlas", None, 2)


@settings(max_examples=share(30))
@given(SETS)
def test_sets_have_one_number_where_their_labels_are_equal_and_empty_ones_do_not_count(sets) -> None:
    symbols = Symbols()
    label_sets = LabelSets(symbols)
    numbers = [label_sets.number(labels.items()) for labels in sets]

    meant = [{name: value for name, value in labels.items() if value} for labels in sets]
    assert [numbers.index(number) for number in numbers] == [meant.index(each) for each in meant]
    for name in ("a", "b", "c", "never"):
        codes = label_sets.codes(name, np.array(numbers, np.int32))
        assert [symbols.word(code) for code in codes.tolist()] == [labels.get(name, "") for labels in sets]


@settings(max_examples=share(30))
@given(st.lists(st.integers(0, 6)))
def test_numbers_are_never_held_twice_and_are_used_again(counts) -> None:
    numbers = Numbers()
    held: list[int] = []

    for turn, count in enumerate(counts):
        held.extend(numbers.take(count).tolist())
        assert sorted(held) == sorted(set(held))
        assert len(numbers) == len(held)
        assert numbers.limit <= max((sum(counts[: turn + 1])), 0)
        if turn % 2:
            numbers.give(np.array(held[:3], np.intp))
            del held[:3]

    numbers.give(np.array(held, np.intp))
    limit = numbers.limit
    assert sorted(numbers.take(limit).tolist()) == list(range(limit))
