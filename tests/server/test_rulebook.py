"""A folder of rules and the judge that applies them: what changes is taken whole, and what is wrong is said."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tocsin_protocol.status import RuleProblem
from tocsin_server.alerts.rulefolder import RuleFolder
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.rulebook import Rulebook

GOOD = "groups: [{name: load, rules: [{alert: LoadHigh, expr: node_load1 > 8}]}]"
BAD = "groups: [{name: load, rules: [{alert: LoadHigh, expr: 'node_load1 >'}]}]"
FAILING = RuleProblem(file="load.yml", group="load", rule="LoadHigh", reason="two rows are the same alert")


class JudgeOfRecord:
    """A judge that notes which rules it was given."""

    def __init__(self) -> None:
        self.rules = RuleSet()
        self.given: list[RuleSet] = []
        self.problems: list[RuleProblem] = []

    def replace_rules(self, rules: RuleSet) -> None:
        self.rules = rules
        self.given.append(rules)

    def live_value(self, alert_id: int) -> float | None:
        return {7: 0.02}.get(alert_id)


class Book:
    """A rulebook over a folder that a test writes to, and how often consoles were told to look again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.judge = JudgeOfRecord()
        self.told = 0
        self.looks_back: list[tuple[object, int]] = []
        """Which ranges were asked for, and how often rules had come into force by then."""
        self.rulebook = Rulebook(
            RuleFolder(folder),
            self.judge,
            self._changed,
            looks_back=lambda windows: self.looks_back.append((windows, len(self.judge.given))),
        )

    def write(self, text: str) -> None:
        (self.folder / "load.yml").write_text(text)

    def _changed(self) -> None:
        self.told += 1


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_rules_are_in_force_once_they_are_read_and_are_given_to_the_judge_once(book: Book) -> None:
    book.write(GOOD)

    book.rulebook.reload()
    book.rulebook.reload()

    assert [rule.name for rule in book.rulebook.rules.rules()] == ["LoadHigh"]
    assert (len(book.judge.given), book.told) == (1, 1)


def test_what_rules_look_back_on_is_asked_for_before_they_are_in_force(book: Book) -> None:
    book.write(GOOD.replace("node_load1 > 8", "'avg_over_time(node_load1[2h]) > 8'"))

    book.rulebook.reload()

    assert book.looks_back == [({"node_load1": 7_200_000}, 0)]
    assert len(book.judge.given) == 1


def test_a_file_that_breaks_leaves_the_rules_before_it_in_force_and_is_named_once(book: Book) -> None:
    book.write(GOOD)
    book.rulebook.reload()

    book.write(BAD)
    with capture_logs() as logs:
        book.rulebook.reload()
        book.rulebook.reload()

    assert len(book.judge.given) == 1
    assert book.told == 2
    assert [(line["action"], line["rule"]) for line in logs] == [("rules_refused", "LoadHigh")]
    assert [Path(problem.file).name for problem in book.rulebook.problems] == ["load.yml"]


def test_a_file_that_is_mended_to_what_it_was_is_good_news_for_consoles_and_none_for_the_judge(
    book: Book,
) -> None:
    book.write(GOOD)
    book.rulebook.reload()
    book.write(BAD)
    book.rulebook.reload()

    book.write(GOOD)
    book.rulebook.reload()

    assert book.rulebook.problems == []
    assert (len(book.judge.given), book.told) == (1, 3)


def test_problems_are_the_files_and_the_judges(book: Book) -> None:
    book.judge.problems = [FAILING]
    book.write(BAD)

    book.rulebook.reload()

    assert [problem.reason for problem in book.rulebook.problems][1:] == [FAILING.reason]
    assert book.rulebook.problems[0].reason.startswith("line 1: ")


def test_the_value_of_an_alert_is_the_judges(book: Book) -> None:
    assert (book.rulebook.live_value(7), book.rulebook.live_value(8)) == (0.02, None)
