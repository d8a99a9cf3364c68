"""What a table decides of what it is told, and what it says to what it cannot be told."""

import math
from enum import StrEnum

import pytest

from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.tablefile import read_table
from tocsin_server.errors import Unprocessable

ROUTING = """\
F,severity:enum(critical|warning),rule:string,age:number,owned:bool,=> team:string,=> minutes:number
disk,-,FilesystemFull,-,-,servers,15
old,critical,-,> 60,false,lead,5
fallback,-,-,-,-,servicedesk,60
"""
TOLD = {"severity": "critical", "rule": "CpuSaturated", "age": 61, "owned": False}


class Severity(StrEnum):
    CRITICAL = "critical"


def table(text: str, name: str = "routing") -> Decider:
    return read_table(f"{name}.csv", text.encode())


def collecting(policy: str) -> Decider:
    return table(f"{policy},n:number,=> x:number,=> y:number\na,> 0,1,5\nb,> 5,2,4.5\nfallback,-,0,0\n")


def test_a_decision_has_outputs_the_row_and_the_table_with_its_digest() -> None:
    decider = table(ROUTING)

    decision = decider.decide(TOLD)

    assert decision.outputs == {"team": "lead", "minutes": 5}
    assert decision.rows == ("old",)
    assert str(decision) == f"routing@{decider.table.digest} row old"


def test_what_a_table_does_not_ask_for_is_no_matter() -> None:
    assert table(ROUTING).decide({**TOLD, "moon": "full"}).rows == ("old",)


def test_a_word_of_our_vocabulary_is_told_as_it_is() -> None:
    assert table(ROUTING).decide({**TOLD, "severity": Severity.CRITICAL}).rows == ("old",)


def test_where_no_row_applies_the_fallback_decides() -> None:
    assert table(ROUTING).decide({**TOLD, "age": 60}).outputs["team"] == "servicedesk"


def test_an_output_cannot_be_changed_for_those_who_ask_next() -> None:
    outputs = table(ROUTING).decide(TOLD).outputs

    with pytest.raises(TypeError):
        outputs["team"] = "mine"  # type: ignore[index]


@pytest.mark.parametrize("infinite", [math.inf, 10**400])
def test_a_number_without_measure_is_greater_than_any(infinite: float) -> None:
    assert table(ROUTING).decide({**TOLD, "age": infinite}).rows == ("old",)


@pytest.mark.parametrize("missing", list(TOLD))
def test_a_missing_input_is_named(missing: str) -> None:
    told = {name: value for name, value in TOLD.items() if name != missing}

    with pytest.raises(Unprocessable, match=f"table 'routing' is not told '{missing}': say it as "):
        table(ROUTING).decide(told)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("severity", "fatal", "enum(critical|warning)"),
        ("severity", None, "enum(critical|warning)"),
        ("severity", ["critical"], "enum(critical|warning)"),
        ("rule", 5, "string"),
        ("rule", None, "string"),
        ("age", "61", "number"),
        ("age", True, "number"),
        ("age", math.nan, "number"),
        ("age", None, "number"),
        ("owned", 0, "bool"),
        ("owned", "false", "bool"),
        ("owned", None, "bool"),
    ],
)
def test_an_input_of_another_type_is_named(name: str, value: object, remedy: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        table(ROUTING).decide({**TOLD, name: value})

    assert f"is told '{name}' as {value!r}" in refused.value.message
    assert refused.value.remedy == f"say it as {remedy}"


def test_a_long_value_is_not_told_in_full() -> None:
    with pytest.raises(Unprocessable) as refused:
        table(ROUTING).decide({**TOLD, "severity": "x" * 10_000})

    assert len(str(refused.value)) < 300


def test_a_table_that_collects_answers_with_each_row() -> None:
    decision = collecting("C").decide({"n": 6})

    assert decision.answers == ({"x": 1, "y": 5}, {"x": 2, "y": 4.5})
    assert decision.rows == ("a", "b")
    assert str(decision).endswith(" rows a, b")


def test_several_answers_are_never_taken_for_one() -> None:
    with pytest.raises(ValueError, match="too many values"):
        _ = collecting("C").decide({"n": 6}).outputs


@pytest.mark.parametrize(
    ("policy", "outputs"),
    [("C+", {"x": 3, "y": 9.5}), ("C<", {"x": 1, "y": 4.5}), ("C>", {"x": 2, "y": 5})],
)
def test_numbers_are_combined_output_by_output(policy: str, outputs: dict[str, float]) -> None:
    decision = collecting(policy).decide({"n": 6})

    assert (decision.outputs, decision.rows) == (outputs, ("a", "b"))


@pytest.mark.parametrize("policy", ["C", "C+", "C<", "C>"])
def test_the_fallback_is_collected_only_alone(policy: str) -> None:
    assert collecting(policy).decide({"n": 1}).rows == ("a",)
    assert collecting(policy).decide({"n": 0}).rows == ("fallback",)


def test_rows_that_agree_may_both_apply_and_the_first_is_named() -> None:
    decider = table("A,n:number,=> x:bool\na,> 0,true\nb,> 5,true\nc,<= 0,false\n")

    assert [decider.decide({"n": n}).rows for n in (6, 1, 0)] == [("a",), ("a",), ("c",)]
