"""What is wrong with the operators' files is told whole, and what is well is said."""

import msgspec
import pytest
from tests.tui import scene
from tests.tui.fake import FakeServer

from tocsin_protocol.status import RuleProblem, ServerStatus
from tocsin_tui.sheets import chrome, files
from tocsin_tui.state import Link, LinkState
from tocsin_tui.widgets.paint import wrapped


def status(*problems: RuleProblem, rules: int = 31) -> ServerStatus:
    return msgspec.structs.replace(scene.STATUS, rule_problems=list(problems), rules=rules)


def texts(server: ServerStatus | None) -> list[str]:
    return [each.text for each in files.lines(server)]


def test_the_problems_of_one_file_stand_below_its_name_wherever_they_came() -> None:
    first = scene.problem("a.yml", "disks", "DiskFull", "line 3: no")
    other = scene.problem("b.yml", "", "", "line 1: not YAML")
    second = scene.problem("a.yml", "", "shop", "line 9: twice")

    told = texts(status(first, other, second))

    assert told[:8] == [
        "a.yml", "  ! disks › DiskFull", "    line 3: no", "  ! shop", "    line 9: twice", "",
        "b.yml", "  ! line 1: not YAML",
    ]  # fmt: skip


def test_a_reason_keeps_its_lines_and_is_whole_at_any_width() -> None:
    reason = "line 3: this is wrong\n" + "word " * 300 + "\nat the end"

    told = files.lines(status(scene.problem("a.yml", "g", "R", reason)))
    rows = [row.text for each in told for row in wrapped(each, 40)]

    assert "    at the end" in rows
    assert sum(row.split().count("word") for row in rows) == 300
    assert max(map(len, rows)) <= 40


def test_a_reason_that_is_none_is_said() -> None:
    assert "  ! no reason is given" in texts(status(scene.problem("a.yml", "", "", " \n")))


@pytest.mark.parametrize(
    ("problems", "rules", "said"),
    [
        ([], 31, "All files are in force: 31 rules."),
        ([], 1, "All files are in force: 1 rule."),
        (scene.PROBLEMS[:1], 31, "1 problem in 1 file · 31 rules in force"),
        (scene.PROBLEMS, 0, "4 problems in 3 files · 0 rules in force"),
    ],
)
def test_how_much_is_wrong_is_said_first(problems: list[RuleProblem], rules: int, said: str) -> None:
    assert files.heading(status(*problems, rules=rules)).text == said


def test_before_the_status_is_known_nothing_is_claimed() -> None:
    assert files.heading(None).text == "reading the status…"
    assert texts(None) == []


@pytest.mark.parametrize(("width", "said"), [(80, "│ ! 3 │ ○ 1 silent"), (120, "│ ! files: 3 │ ○ 1 silent")])
def test_the_status_line_counts_files(width: int, said: str) -> None:
    link = Link(LinkState.LIVE)
    counts = FakeServer().counts()

    told = chrome.status(
        width=width, me=scene.ALICE, counts=counts, server=status(*scene.PROBLEMS), link=link, now=scene.NOW
    )

    assert said in told.text
