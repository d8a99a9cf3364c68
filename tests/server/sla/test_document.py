"""A contract as a document of JSON is what its file is, and what is wrong in it is found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.sla.contracts import CONTRACT

from tocsin_server.errors import Unprocessable
from tocsin_server.sla.contractfile import read_contract, read_contract_node
from tocsin_server.sla.document import document_of, nodes_of, text_of

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029"))
documents = st.recursive(
    st.none() | texts,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(texts, part, max_size=4),
    max_leaves=12,
)


def nothing_beside(name: str) -> str:
    raise AssertionError(name)


def test_the_document_of_a_file_is_the_same_contract_by_its_text_and_by_its_nodes() -> None:
    document = document_of(CONTRACT)
    contract = read_contract("acme.yml", CONTRACT, nothing_beside)

    assert document_of(text_of(document)) == document
    assert read_contract("database", text_of(document), nothing_beside) == contract
    assert read_contract_node("database", nodes_of(document)[0], nothing_beside) == contract


def test_a_number_and_a_yes_are_the_words_that_they_are_in_a_file() -> None:
    assert document_of(text_of({"price": 95.5, "count": 3, "on": True, "off": False})) == {
        "price": "95.5",
        "count": "3",
        "on": "true",
        "off": "false",
    }


def test_text_that_needs_no_quotes_has_none() -> None:
    assert text_of({"times": ["08:00-18:00"], "null": "null", "nothing": None}) == (
        "times:\n- 08:00-18:00\n'null': 'null'\nnothing: null\n"
    )


@given(document=st.dictionaries(texts, documents, min_size=1, max_size=4))
def test_whatever_json_says_is_said_by_the_text(document: dict[str, Any]) -> None:
    assert document_of(text_of(document)) == document


@given(document=st.dictionaries(st.text(), st.recursive(scalars, st.lists, max_leaves=6), max_size=3))
def test_every_part_has_a_line_and_a_pointer_of_its_own(document: dict[str, Any]) -> None:
    _, pointers = nodes_of(document)

    assert pointers[0] == ""
    assert len(set(pointers)) == len(pointers)


def test_a_pointer_tells_a_name_with_a_slash_from_two_names() -> None:
    assert nodes_of({"a/b": {"~": ["x"]}})[1] == ["", "/a~1b", "/a~1b/~0", "/a~1b/~0/0"]


@pytest.mark.parametrize("act", [text_of, nodes_of])
def test_what_is_too_deep_or_no_json_is_refused(act: Any) -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(Unprocessable, match="nested too deeply"):
        act(deep)
    with pytest.raises(Unprocessable, match="no JSON"):
        act({"a": object()})
