"""`decisions`: tables are read as the server reads them, tried on their cases, and say why."""

import json
from pathlib import Path

import pytest

from tocsin_server import cli

ROUTING = """\
F,severity:enum(critical|warning),tier:enum(gold|silver),rule:string,=> team:string
disk,-,-,"FilesystemFull, FilesystemFilling",servers
gold,critical,gold,-,lead
fallback,-,-,-,servicedesk
"""
CASES = """\
severity,tier,rule,=> rows
critical,gold,FilesystemFull,disk
critical,gold,Cpu,gold
"""
ASKED = ("severity=critical", "tier=gold", "rule=Cpu")


class Operator:
    """Somebody with a folder of files."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def writes(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def types(self, *words: str | Path) -> tuple[int, list[str]]:
        """Status and lines; the line of an error instead."""
        status = cli.main(["decisions", *map(str, words)])
        out, err = self._capsys.readouterr()
        return status, (err or out).splitlines()


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


@pytest.fixture
def routing(operator: Operator) -> Path:
    operator.writes("tiers.test.csv", CASES)
    return operator.writes("tiers.csv", ROUTING)


def test_the_shipped_tables_are_checked_and_tested(operator: Operator) -> None:
    checked, tested = operator.types("check"), operator.types("test")

    assert (checked[0], tested[0]) == (0, 0)
    assert checked[1][-1].startswith("9 tables, ")
    assert [line.split(":")[0] for line in tested[1]] == [
        "auto_close.test.csv",
        "escalation.test.csv",
        "notification.test.csv",
        "priority.test.csv",
        "recurrence.test.csv",
        "routing.test.csv",
        "sla_selection.test.csv",
        "storm.test.csv",
        "triage.test.csv",
    ]


def test_what_is_in_a_table_is_told(operator: Operator, routing: Path) -> None:
    status, lines = operator.types("check", routing)

    assert status == 0
    assert lines[0].startswith(f"{routing}: tiers@")
    assert lines[0].endswith(", F, 3 rows, 3 inputs, 2 cases")
    assert lines[1:] == ["1 table, 3 rows, 2 cases"]


def test_a_mistake_is_told_with_its_place_and_the_others_are_read(operator: Operator, routing: Path) -> None:
    operator.writes("bad.csv", ROUTING.replace("gold,critical", "gold,critcal"))

    status, lines = operator.types("check", operator.folder)

    assert status == 1
    assert lines[0].startswith("tiers.csv: ")
    assert lines[1].startswith("bad.csv:3:severity: 'critcal' is not of enum(critical|warning); did you mean")
    assert lines[2:] == ["1 table, 3 rows, 2 cases"]


def test_a_case_that_fails_fails_both(operator: Operator, routing: Path) -> None:
    operator.writes("tiers.test.csv", CASES.replace("Cpu,gold", "Cpu,disk"))

    checked, tested = operator.types("check", routing), operator.types("test", routing)

    assert (checked[0], tested[0]) == (1, 1)
    assert tested[1] == [f"{operator.folder}/tiers.test.csv:3:=> rows: gold decides; disk fails on {_DISK}"]
    assert checked[1][0] == tested[1][0]


_DISK = "rule: Cpu is not FilesystemFull, FilesystemFilling"


def test_rows_without_a_case_are_told(operator: Operator, routing: Path) -> None:
    assert operator.types("test", routing) == (
        0,
        [f"{operator.folder}/tiers.test.csv: 2 cases pass; rows without a case: fallback"],
    )


def test_a_table_without_cases_is_read_but_not_tried(operator: Operator) -> None:
    bare = operator.writes("bare.csv", ROUTING)

    checked, tested = operator.types("check", bare), operator.types("test", bare)

    assert (checked[0], tested[0]) == (0, 1)
    assert "no cases" in checked[1][0]
    assert tested[1] == [f"{operator.folder}/bare.test.csv: is not there, so {bare} is not tried"]


def test_what_does_not_fit_the_desk_is_a_warning_unless_it_is_strict(operator: Operator) -> None:
    file = operator.writes("routing.csv", ROUTING)

    mild, strict = operator.types("check", file), operator.types("check", "--strict", file)

    assert (mild[0], strict[0]) == (0, 1)
    assert any("1:tier: the desk does not tell this" in line and line.endswith("(warning)") for line in mild[1])
    assert not any(line.endswith("(warning)") for line in strict[1])


def test_in_the_configuration_what_does_not_fit_the_desk_is_a_mistake(operator: Operator) -> None:
    operator.writes("decisions/routing.csv", ROUTING)

    status, lines = operator.types("check", "--config", operator.folder)

    assert status == 1
    assert any(line.startswith("routing.csv:1:tier: the desk does not tell this") for line in lines)
    assert "priority.csv:1:file: is missing: copy the shipped one" in lines


@pytest.mark.parametrize("act", ["check", "test"])
def test_a_path_that_is_not_there_is_told(operator: Operator, act: str) -> None:
    status, lines = operator.types(act, operator.folder / "none.csv")

    assert status == 1
    assert any("none.csv:1:file: cannot be read (No such file or directory)" in line for line in lines)


def test_each_row_says_why_it_does_not_decide(operator: Operator, routing: Path) -> None:
    status, lines = operator.types("explain", routing, *ASKED)

    assert status == 0
    assert lines[0].endswith(", policy F: the first row that applies decides")
    assert lines[1] == "severity=critical  tier=gold  rule=Cpu"
    assert lines[3:] == [
        f"disk      line 2  {_DISK}",
        "gold      line 3  decides",
        "fallback  line 4  would decide if no other row did",
        "",
        "=> team=lead",
    ]


def test_a_row_that_comes_too_late_says_so(operator: Operator, routing: Path) -> None:
    _, lines = operator.types("explain", routing, "severity=critical", "tier=gold", "rule=FilesystemFull")

    assert "gold      line 3  applies, but disk decides" in lines


def test_an_explanation_is_json_for_programs(operator: Operator, routing: Path) -> None:
    _, lines = operator.types("explain", routing, *ASKED, "--json")
    told = json.loads("\n".join(lines))

    assert told["decision"] == {"rows": ["gold"], "outputs": [{"team": "lead"}]}
    assert (told["table"], len(told["digest"]), told["policy"]) == ("tiers", 12, "F")
    assert told["inputs"] == {"severity": "critical", "tier": "gold", "rule": "Cpu"}
    assert told["rows"][0] == {
        "id": "disk",
        "line": 2,
        "applies": False,
        "decides": False,
        "failed": [{"column": "rule", "value": "Cpu", "cell": "FilesystemFull, FilesystemFilling"}],
    }


def test_a_shipped_table_is_explained_by_its_name(operator: Operator) -> None:
    status, lines = operator.types("explain", "priority", "impact=high", "urgency=low")

    assert status == 0
    assert lines[-1].startswith("=> priority=3  reason=")


def test_a_table_whose_case_fails_is_explained_all_the_same(operator: Operator, routing: Path) -> None:
    operator.writes("tiers.test.csv", CASES.replace("Cpu,gold", "Cpu,disk"))

    assert operator.types("explain", routing, *ASKED)[0] == 0


def test_a_table_with_a_mistake_is_not_explained(operator: Operator) -> None:
    status, lines = operator.types("explain", operator.writes("bad.csv", "U\n"), "a=b")

    assert (status, len(lines)) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (ASKED[:2], "the table asks for rule:string too: say each as input=value"),
        ((*ASKED, "moon=full"), "'moon=full' is no input=value of the table; there are severity, tier, rule"),
        ((*ASKED, "teir=gold"), "did you mean 'tier'"),
        ((*ASKED, "tier"), "'tier' is no input=value"),
        ((*ASKED, "tier=gold"), "'tier' is said twice"),
        (("severity=fatal", *ASKED[1:]), "severity: 'fatal' is not of enum(critical|warning)"),
    ],
)
def test_inputs_that_are_wrong_are_one_line_with_the_remedy(
    operator: Operator, routing: Path, words: tuple[str, ...], said: str
) -> None:
    status, lines = operator.types("explain", routing, *words)

    assert (status, len(lines)) == (2, 1)
    assert said in lines[0]


def test_a_name_that_no_table_has_is_told_with_the_nearest(operator: Operator) -> None:
    status, (line,) = operator.types("explain", "rooting", "kind=incident")

    assert status == 2
    assert "there is no table 'rooting' in " in line
    assert line.endswith("; did you mean 'routing'")


def test_an_empty_text_is_a_value_and_what_is_typed_cannot_harm_the_terminal(
    operator: Operator, routing: Path
) -> None:
    told = ("severity=critical", "tier=silver")

    _, empty = operator.types("explain", routing, *told, "rule=")
    _, hostile = operator.types("explain", routing, *told, "rule=\x1b]0;owned\x07")

    assert empty[1].endswith('rule=""')
    assert "\x1b" not in "".join(hostile)
    assert r"rule=\u001b]0;owned\u0007" in hostile[1]
