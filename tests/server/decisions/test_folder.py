"""The folder of tables: taken whole or not at all, and the last good set stays in force."""

import shutil
from pathlib import Path

import pytest

from tocsin_server.config import CHECKOUT
from tocsin_server.decisions.folder import desk_shelf, load_for_desk, load_table, table_files
from tocsin_server.decisions.sheet import DecisionFileErrors

TOLD = {"impact": "high", "urgency": "high"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped tables, to be changed."""
    return Path(shutil.copytree(CHECKOUT / "decisions", tmp_path / "decisions"))


def change(path: Path, was: str, now: str) -> None:
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, now))


def complaints(folder: Path) -> list[str]:
    with pytest.raises(DecisionFileErrors) as refused:
        load_for_desk(folder)
    return list(map(str, refused.value.errors))


def test_tables_are_known_by_their_names(folder: Path) -> None:
    (folder / "mine.csv").write_text("U,a:bool,=> b:bool\nx,-,true\n")

    tables = load_for_desk(folder)

    assert {"routing", "priority", "mine"} <= tables.keys()
    assert tables["priority"].decide(TOLD).outputs["priority"] == 1


def test_what_is_wrong_in_all_files_is_told_together(folder: Path) -> None:
    change(folder / "priority.csv", "high-high,high", "high-high,hihg")
    change(folder / "routing.test.csv", "incident,server,FilesystemFull,server", "incident,server,X,desktop")
    (folder / "escalation.csv").unlink()
    (folder / "escalation.test.csv").unlink()
    (folder / "rooting.test.csv").write_text("a,=> rows\n")

    assert [line.split(": ")[0] for line in complaints(folder)] == [
        "priority.csv:4:impact",
        "rooting.csv:1:file",
        "routing.test.csv:10:=> rows",
        "escalation.csv:1:file",
    ]


def test_a_table_that_the_desk_cannot_ask_keeps_the_set_out(folder: Path) -> None:
    change(folder / "routing.csv", "rule:string", "moon:string")
    change(folder / "routing.test.csv", "rule", "moon")

    (told,) = complaints(folder)

    assert told.startswith("routing.csv:1:moon: the desk does not tell this; there are client, site")


def test_files_are_read_with_the_cases_beside_them(folder: Path) -> None:
    by_table, by_cases = table_files([folder / "priority.csv"]), table_files([folder / "priority.test.csv"])

    assert by_table == by_cases == table_files([folder / "priority.csv", folder / "priority.test.csv"])
    assert len(load_table(by_table[0])[1]) == 9


def test_a_table_may_have_no_cases(folder: Path) -> None:
    (folder / "priority.test.csv").unlink()

    assert load_table(table_files([folder / "priority.csv"])[0])[1] == ()


def test_a_change_comes_into_force_and_no_change_is_read_again(folder: Path) -> None:
    shelf = desk_shelf(lambda: folder)

    assert shelf.look()
    assert not shelf.look()
    before = shelf.contents
    change(folder / "priority.csv", "high-high,high,high,1", "high-high,high,high,2")
    assert shelf.look()

    assert [tables["priority"].decide(TOLD).outputs["priority"] for tables in (before, shelf.contents)] == [
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("file", "was", "now"),
    [
        ("priority.csv", "high-high,high,high,1", "high-high,high,high,9"),
        ("priority.test.csv", "high,high,high-high", "high,high,low-low"),
    ],
)
def test_one_mistake_keeps_the_last_good_set_in_force_until_it_is_mended(
    folder: Path, file: str, was: str, now: str
) -> None:
    shelf = desk_shelf(lambda: folder)
    shelf.look()
    good = shelf.contents
    change(folder / "routing.csv", "unplaced,-,none,-,servicedesk", "unplaced,-,none,-,nobody")

    change(folder / file, was, now)

    assert not shelf.look()
    assert shelf.contents is good
    assert [error.file for error in shelf.errors] == [file]
    change(folder / file, now, was)
    assert shelf.look()
    assert shelf.errors == ()
    assert shelf.contents["routing"].decide({"kind": "change", "host_kind": "none", "rule": ""}).outputs == {
        "team": "nobody"
    }


def test_a_case_that_is_added_is_looked_at(folder: Path) -> None:
    shelf = desk_shelf(lambda: folder)
    (folder / "priority.test.csv").unlink()
    shelf.look()

    (folder / "priority.test.csv").write_text("impact,urgency,=> rows\nhigh,high,low-low\n")

    assert not shelf.look()
    assert [error.file for error in shelf.errors] == ["priority.test.csv"]


def test_a_folder_that_has_gone_changes_nothing(folder: Path) -> None:
    shelf = desk_shelf(lambda: folder)
    shelf.look()
    good = shelf.contents

    shutil.rmtree(folder)

    assert not shelf.look()
    assert shelf.contents is good
    assert shelf.unread == "cannot be read (No such file or directory)"


def test_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "priority.csv").unlink()
    (folder / "priority.csv").symlink_to(folder / "priority.csv")

    assert complaints(folder) == ["priority.csv:1:file: cannot be read (Too many levels of symbolic links)"]
