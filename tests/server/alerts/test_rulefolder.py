"""A folder of rules: a change is taken whole or not at all, and looking is cheap."""

import os

import pytest

from tocsin_server.alerts import rulefolder
from tocsin_server.alerts.rulefolder import RuleFolder

RULES = "groups: [{{name: hosts, rules: [{{alert: {}, expr: up == 0}}]}}]\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hosts.yml").write_text(RULES.format("Down"))
    return RuleFolder(tmp_path)


def names(folder):
    return [rule.name for rule in folder.rules.rules()]


def test_a_change_is_seen_once(folder):
    assert folder.reload()
    assert names(folder) == ["Down"]
    assert not folder.reload()

    (folder.folder / "hosts.yml").write_text(RULES.format("Away"))

    assert folder.reload()
    assert names(folder) == ["Away"]


def test_a_new_file_and_one_that_has_gone_are_changes(folder):
    folder.reload()
    (folder.folder / "more.yml").write_text(RULES.format("More"))

    assert folder.reload()
    assert names(folder) == ["Down", "More"]

    (folder.folder / "hosts.yml").unlink()

    assert folder.reload()
    assert names(folder) == ["More"]


def test_a_file_that_is_only_touched_is_no_change(folder):
    folder.reload()
    before = folder.rules

    os.utime(folder.folder / "hosts.yml", ns=(1, 1))

    assert not folder.reload()
    assert folder.rules is before


def test_files_that_have_not_changed_are_not_read_again(folder, monkeypatch):
    folder.reload()
    monkeypatch.setattr(rulefolder, "load_rule_files", lambda _folder: pytest.fail("read again"))

    assert not folder.reload()


def test_a_mistake_leaves_the_last_good_set_in_force_and_is_told(folder):
    folder.reload()
    (folder.folder / "more.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: up, for: soon}]}]\n")

    assert not folder.reload()
    assert names(folder) == ["Down"]
    (problem,) = folder.problems
    assert (problem.group, problem.rule) == ("g", "A")
    assert problem.file.endswith("more.yml")
    assert problem.reason.startswith("line 1: 'for': 'soon' is not a duration")

    (folder.folder / "more.yml").unlink()

    assert not folder.reload()
    assert folder.problems == []


def test_a_folder_that_has_gone_leaves_the_last_good_set_in_force_and_comes_back(folder):
    folder.reload()
    away = folder.folder.with_name("away")
    folder.folder.rename(away)

    assert not folder.reload()
    assert names(folder) == ["Down"]
    assert "cannot be read" in folder.problems[0].reason

    away.rename(folder.folder)

    assert not folder.reload()
    assert folder.problems == []
