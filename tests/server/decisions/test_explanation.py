"""Each row says which of its cells failed on which value."""

from tocsin_server.decisions.explanation import explained
from tocsin_server.decisions.tablefile import read_table

TABLE = b'''\
F,severity:enum(critical|warning),age:number,owned:bool,rule:string,=> team:string
old,critical,"[60..90), > 120",false,-,lead
empty,-,-,-,"not("""")",named
fallback,-,-,-,-,servicedesk
'''


def test_every_cell_that_fails_is_told_with_its_value() -> None:
    explanation = explained(
        read_table("routing.csv", TABLE), {"severity": "warning", "age": 90.5, "owned": True, "rule": ""}
    )

    assert [[str(failure) for failure in verdict.failures] for verdict in explanation.verdicts] == [
        ["severity: warning is not critical", "age: 90.5 is not [60..90), > 120", "owned: true is not false"],
        ['rule: "" is not not("")'],
        [],
    ]
    assert [verdict.decides for verdict in explanation.verdicts] == [False, False, True]
    assert explanation.decision.outputs == {"team": "servicedesk"}


def test_what_the_table_does_not_ask_for_is_not_told() -> None:
    told = {"severity": "critical", "age": 60, "owned": False, "rule": "x", "moon": "full"}

    explanation = explained(read_table("routing.csv", TABLE), told)

    assert list(explanation.inputs) == ["severity", "age", "owned", "rule"]
    assert [verdict.applies for verdict in explanation.verdicts] == [True, True, True]
    assert [verdict.decides for verdict in explanation.verdicts] == [True, False, False]
