"""Cases beside a table: what passes, what fails and why, and what is no case."""

import pytest

from tocsin_server.decisions.casefile import read_cases, without_case
from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.sheet import DecisionFileErrors
from tocsin_server.decisions.tablefile import read_table

TABLE = """\
F,severity:enum(critical|warning),rule:string,=> team:string
disk,-,FilesystemFull,servers
urgent,critical,-,lead
fallback,-,-,servicedesk
"""
HEADER = "severity,rule,=> rows"


def routing(policy: str = "F") -> Decider:
    return read_table("routing.csv", (policy + TABLE[1:]).encode())


def complaints(text: str, policy: str = "F") -> list[str]:
    with pytest.raises(DecisionFileErrors) as refused:
        read_cases("routing.test.csv", text.encode(), routing(policy))
    return list(map(str, refused.value.errors))


def test_cases_that_the_table_fulfils_are_read() -> None:
    text = f"{HEADER}\n# a comment\ncritical,CpuSaturated,urgent\nwarning,FilesystemFull,disk\n"

    cases = read_cases("routing.test.csv", text.encode(), routing())

    assert [(case.line, case.inputs["rule"], case.rows) for case in cases] == [
        (3, "CpuSaturated", {"urgent"}),
        (4, "FilesystemFull", {"disk"}),
    ]
    assert without_case(routing().table, cases) == ["fallback"]


def test_inputs_stand_in_any_order_and_an_empty_text_in_quotes() -> None:
    text = 'rule,severity,=> rows\n"""""",warning,fallback\n'

    (case,) = read_cases("routing.test.csv", text.encode(), routing())

    assert case.inputs == {"rule": "", "severity": "warning"}


def test_a_table_that_collects_is_told_all_its_rows() -> None:
    text = f'{HEADER}\ncritical,FilesystemFull,"urgent, disk"\ncritical,FilesystemFull,disk urgent\n'

    assert len(read_cases("routing.test.csv", text.encode(), routing("C"))) == 2


@pytest.mark.parametrize(
    ("line", "policy", "said"),
    [
        ("warning,Cpu,urgent", "F", "fallback decides; urgent fails on severity: warning is not critical"),
        ("warning,Cpu,disk", "F", "fallback decides; disk fails on rule: Cpu is not FilesystemFull"),
        ("critical,FilesystemFull,urgent", "F", "disk decides; urgent applies too"),
        ("critical,FilesystemFull,disk", "C", "disk, urgent decides"),
        ('critical,Cpu,"disk, urgent"', "C", "urgent decides; disk fails on rule: Cpu is not FilesystemFull"),
    ],
)
def test_a_case_that_fails_says_what_decides_instead_and_why(line: str, policy: str, said: str) -> None:
    assert complaints(f"{HEADER}\n{line}\n", policy) == [f"routing.test.csv:2:=> rows: {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "routing.test.csv:1:file: empty"),
        (f"{HEADER}\n", "routing.test.csv:1:file: there is no case below the header"),
        ("severity,=> rows\nwarning,disk", "routing.test.csv:1:rule: is missing: a case says every input"),
        (
            "severity,rules,=> rows\n",
            "routing.test.csv:1:rules: the table has no such input; did you mean 'rule'",
        ),
        ("severity,rule,rule,=> rows\n", "routing.test.csv:1:rule: stands twice in the header"),
        ("severity,rule,rows\n", "routing.test.csv:1:rows: the last column is '=> rows'"),
        (f"{HEADER}\nfatal,x,disk", "routing.test.csv:2:severity: 'fatal' is not of enum(critical|warning)"),
        (f"{HEADER}\n-,x,disk", "routing.test.csv:2:severity: '-' is not of enum"),
        (f"{HEADER}\nwarning,,disk", "routing.test.csv:2:rule: '' is no text"),
        (
            f"{HEADER}\nwarning,x,dsk",
            "routing.test.csv:2:=> rows: the table has no row 'dsk'; did you mean 'disk'",
        ),
        (f"{HEADER}\nwarning,x,", "routing.test.csv:2:=> rows: no row is named"),
        (f"{HEADER}\nwarning,x", "routing.test.csv:2:file: 2 cells under a header of 3"),
    ],
)
def test_what_is_no_case_is_told_at_its_line_and_column(text: str, said: str) -> None:
    assert complaints(text)[0].startswith(said)
