"""Labels: rows are equal where their client and all their labels are, and only there."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.series.labels import (
    NO_HOST,
    Labels,
    joined,
    labels_of,
    nameless,
    signatures,
)
from tocsin_server.series.symbols import Symbols

ACME, BOLT = 1, 2
NAMES = ("device", "mode", "site")
ROWS = st.lists(
    st.tuples(
        st.integers(-(1 << 62), 1 << 62) | st.integers(0, 1),
        st.none() | st.integers(0, 3),
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "a", "b", "ab"])),
    ),
    max_size=12,
)


def label(rows, symbols: Symbols | None = None) -> Labels:
    return labels_of(symbols or Symbols(), rows)


@settings(max_examples=share(40))
@given(first=ROWS, second=ROWS, names=st.lists(st.sampled_from((*NAMES, "never")), unique=True))
def test_signatures_are_equal_exactly_where_client_and_labels_are(first, second, names) -> None:
    symbols = Symbols()
    numbers = signatures([label(first, symbols), label(second, symbols)], names)

    meant = [(client, *(labels.get(name, "") for name in names)) for client, _, labels in [*first, *second]]
    assert len(numbers) == len(meant)
    assert [numbers.tolist().index(number) for number in numbers] == [meant.index(each) for each in meant]
    assert sorted(set(numbers.tolist())) == list(range(len(set(meant))))


@settings(max_examples=share(40))
@given(
    columns=st.lists(
        st.lists(
            st.integers(0, (1 << 31) - 1) | st.integers((1 << 31) - 3, (1 << 31) - 1), min_size=6, max_size=6
        ),
        min_size=1,
        max_size=12,
    )
)
def test_signatures_never_overflow_however_many_columns_of_huge_codes_there_are(columns) -> None:
    names = [f"label{number}" for number in range(len(columns))]
    codes = {name: np.array(column, np.int32) for name, column in zip(names, columns, strict=True)}
    clients = np.array([0, 0, 0, 1, 1, -(1 << 62)])
    labels = Labels(Symbols(), clients, np.zeros(6, np.int64), codes)

    numbers = signatures([labels], names).tolist()

    meant = list(zip(clients.tolist(), *columns, strict=True))
    assert [numbers.index(number) for number in numbers] == [meant.index(each) for each in meant]


def test_rows_of_two_clients_are_never_equal() -> None:
    labels = label([(ACME, 1, {"device": "sda"}), (BOLT, 2, {"device": "sda"})])

    assert labels.are_distinct()
    assert len(set(labels.identity().tolist())) == 2


def test_an_empty_label_is_no_label() -> None:
    labels = label([(ACME, 1, {"device": "", "mode": "idle"})])

    assert labels.row(0) == {"mode": "idle"}
    assert list(labels.columns) == ["mode"]


def test_rows_that_differ_in_a_dropped_label_only_are_no_longer_distinct() -> None:
    labels = label([(ACME, 1, {"mode": "idle"}), (ACME, 1, {"mode": "user"})])

    assert labels.are_distinct()
    assert not labels.without(["mode"]).are_distinct()


def test_dropping_what_is_not_there_gives_the_same_object() -> None:
    labels = label([(ACME, 1, {"mode": "idle"})])

    assert labels.without(["never"]) is labels
    assert labels.only(["mode", "never"]) is labels


def test_what_is_derived_is_worked_out_once() -> None:
    labels = label([(ACME, 1, {"mode": "idle", "cpu": "0"})])
    made: list[int] = []

    answers = [labels.derive("key", lambda: made.append(1) or object()) for _ in range(2)]

    assert answers[0] is answers[1]
    assert made == [1]
    assert labels.without(["cpu"]) is labels.without({"cpu", "never"})


def test_what_is_remembered_has_a_bound() -> None:
    labels = label([(ACME, 1, {})])

    for key in range(1_000):
        labels.derive(key, object)

    assert len(labels._derived) <= 64


def test_what_is_derived_with_a_partner_is_kept_for_each_and_no_longer_than_it_lives() -> None:
    labels, first, second = (label([(ACME, 1, {"mode": mode})]) for mode in ("idle", "user", "nice"))

    answers = [labels.derive("key", object, partner=partner) for partner in (first, second, first)]

    assert answers[0] is answers[2]
    assert answers[0] is not answers[1]
    del first, second
    assert len(labels._derived_with) == 0


def test_taken_and_joined_rows_keep_client_host_and_labels() -> None:
    symbols = Symbols()
    one = label([(ACME, 1, {"mode": "idle"}), (BOLT, None, {"cpu": "0"})], symbols)
    two = joined([one.take(np.array([1])), label([(ACME, 7, {"site": "lyon"})], symbols)])

    assert [two.row(row) for row in range(2)] == [{"cpu": "0"}, {"site": "lyon"}]
    assert (two.clients.tolist(), two.hosts.tolist()) == ([BOLT, ACME], [NO_HOST, 7])


def test_keys_tell_client_host_and_labels_apart() -> None:
    rows = [(ACME, 1, {"mode": "idle"}), (ACME, None, {"mode": "idle"}), (BOLT, 1, {"mode": "idle"})]
    labels = label([*rows, (ACME, 1, {"cpu": "0"})])

    assert len(set(labels.row_keys())) == 4
    assert labels.take(np.array([3, 0])).row_keys() == [labels.row_keys()[3], labels.row_keys()[0]]


def test_nameless_rows_are_one_a_client() -> None:
    labels = nameless(Symbols(), np.array([ACME, BOLT]))

    assert (len(labels), labels.row(1), labels.hosts.tolist()) == (2, {}, [NO_HOST, NO_HOST])
