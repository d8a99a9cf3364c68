"""`rules check`: what is wrong fails, what is doubtful is told and fails only when it is asked to."""

from pathlib import Path

import pytest

from tocsin_server import cli


class Operator:
    """Somebody who checks one file of rules."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._file = folder / "rules.yml"
        self._capsys = capsys

    def checks(self, expression: str, *words: str | Path) -> tuple[int, str]:
        """Status, and the words of the warning; the errors of a command that cannot be done instead."""
        self._file.write_text(f"groups: [{{name: g, rules: [{{alert: A, expr: '{expression}'}}]}}]\n")
        status = cli.main(["rules", "check", *map(str, words), str(self._file)])
        out, err = self._capsys.readouterr()
        return status, err or out.partition("rule 'A': ")[2].strip()


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_a_warning_does_not_fail_a_check_but_a_strict_one(operator: Operator) -> None:
    said = "nobody sends 'node_laod1'; did you mean 'node_load1'"

    assert operator.checks("node_laod1") == (0, said)
    assert operator.checks("node_laod1", "--strict") == (1, said)
    assert operator.checks("node_load1", "--strict") == (0, "")


def test_metrics_of_other_exporters_are_known_from_a_file(operator: Operator, tmp_path: Path) -> None:
    sent = tmp_path / "sent.txt"
    sent.write_text('# TYPE redis_up gauge\nredis_up{instance="a"} 1\nnode_zfs_*\n')
    known = ("--strict", "--known-metrics", sent)

    assert operator.checks("redis_down + node_zfs_arc", "--strict")[1] == "nobody sends 'node_zfs_arc'"
    assert operator.checks("redis_up + node_zfs_arc + node_load1", *known) == (0, "")
    assert operator.checks("redis_down", *known) == (1, "nobody sends 'redis_down'")


def test_how_long_samples_are_kept_is_the_servers_setting_unless_it_is_typed(
    operator: Operator, tmp_path: Path
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text("samples_days = 6\n")
    week = "rate(node_load1[1w])"

    assert "samples are kept for 6d" in operator.checks(week, "--settings", settings)[1]
    assert operator.checks(week, "--settings", settings, "--retention", "1w") == (0, "")
    assert "samples are kept for 30m" in operator.checks(week, "--retention", "30m")[1]


def test_who_may_not_read_the_servers_settings_checks_rules_without_them(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "server.toml"
    damaged.write_text("colour = 1")
    monkeypatch.setattr("tocsin_server.cli.command.find_config", lambda _name: damaged)

    assert operator.checks("rate(node_load1[30d])") == (0, "")
    assert operator.checks("rate(node_load1[30d])", "--settings", damaged)[0] == 2


def test_a_list_that_cannot_be_read_is_named(operator: Operator, tmp_path: Path) -> None:
    status, said = operator.checks("up", "--known-metrics", tmp_path / "absent")

    assert status == 2
    assert "absent cannot be read (No such file or directory)" in said


def test_a_retention_that_is_none_is_refused(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        operator.checks("up", "--retention", "soon")

    assert "'soon' is not a duration such as 5m" in capsys.readouterr().err


def test_the_help_says_of_which_names_it_is_said_that_nobody_sends_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["rules", "check", "--help"])

    assert "only of names whose first word\ntocsin's agents use" in capsys.readouterr().out
