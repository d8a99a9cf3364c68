"""The shipped tables are in force as they are, and each of their rows has a case."""

import re

import pytest

from tocsin_server.config import CHECKOUT
from tocsin_server.decisions.casefile import without_case
from tocsin_server.decisions.folder import load_for_desk, load_table, table_files
from tocsin_server.decisions.forms import FORMS

FOLDER = CHECKOUT / "decisions"
FILES = {files.table.stem: files for files in table_files([FOLDER])}


def test_the_desk_finds_every_table_that_it_asks() -> None:
    assert load_for_desk(FOLDER).keys() == FORMS.keys()


@pytest.mark.parametrize("name", FORMS)
def test_every_row_has_a_case(name: str) -> None:
    decider, cases = load_table(FILES[name])

    assert without_case(decider.table, cases) == []


def test_routing_names_rules_that_are_shipped() -> None:
    packs = "".join(path.read_text() for path in (CHECKOUT / "rules").glob("*.yml"))
    shipped = set(re.findall(r"alert: (\w+)", packs))

    rule = next(
        n for n, column in enumerate(load_table(FILES["routing"])[0].table.inputs) if column.name == "rule"
    )
    named = {value for row in load_table(FILES["routing"])[0].table.rows for value in row.cells[rule].values}

    assert named
    assert named <= shipped


def test_priority_never_falls_as_impact_or_urgency_rise() -> None:
    decide = load_for_desk(FOLDER)["priority"].decide
    levels = ("high", "medium", "low")

    matrix = [[decide({"impact": i, "urgency": u}).outputs["priority"] for u in levels] for i in levels]

    assert all(row == sorted(row) for row in matrix)
    assert [list(column) for column in zip(*matrix, strict=True)] == matrix
