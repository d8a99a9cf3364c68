"""`suppressions check`: files are read as the server reads them, and everything that is wrong is told."""

from pathlib import Path

import pytest

from tocsin_server import cli

NIGHTS = """\
time_intervals:
- name: nights
  time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]
"""
ACME = """\
maintenance_windows:
- {name: patches, client: acme, site: berlin, time_intervals: [nights], reason: monthly}
- name: move
  matchers: [job="node"]
  from: 2026-11-01T00:00+01:00
  until: 2026-11-02T00:00Z
  reason: a new rack
inhibit_rules:
- name: full
  source_matchers: [a="Full"]
  target_matchers: [a="Filling"]
  equal: [instance, mountpoint]
host_parents:
- {name: rack 7, client: acme, hosts: [atlas, borea], parents: [switch-a, switch-b]}
"""


class Operator:
    """Somebody with a folder of files."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def writes(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def checks(self, *words: str | Path) -> tuple[int, list[str]]:
        """Status and lines; the line of an error instead."""
        status = cli.main(["suppressions", "check", *map(str, words)])
        out, err = self._capsys.readouterr()
        return status, (err or out).splitlines()


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_what_is_in_good_files_is_told(operator: Operator) -> None:
    operator.writes("nights.yml", NIGHTS)
    operator.writes("acme.yaml", ACME)
    operator.writes("notes.txt", "not read")

    assert operator.checks(operator.folder) == (
        0,
        [
            "time interval nights",
            "maintenance window patches: acme/berlin within 1 interval",
            'maintenance window move: {job="node"} from 2026-10-31T23:00:00Z until 2026-11-02T00:00:00Z',
            'inhibition rule full: {a="Full"} withholds {a="Filling"} of equal instance, mountpoint',
            "parent list rack 7 of acme: atlas, borea through switch-a, switch-b",
            "1 time interval, 2 maintenance windows, 1 inhibition rule, 1 parent list in 2 files",
        ],
    )


def test_files_are_read_together(operator: Operator) -> None:
    nights, acme = operator.writes("nights.yml", NIGHTS), operator.writes("acme.yml", ACME)

    together, alone = operator.checks(acme, nights), operator.checks(acme)

    assert together[0] == 0
    assert alone[0] == 1
    assert alone[1] == [
        f"{acme}:2, maintenance_windows/patches: there is no time interval 'nights'; there are none"
    ]


def test_everything_that_is_wrong_is_told_with_file_line_key_and_reason(operator: Operator) -> None:
    acme = operator.writes("acme.yml", ACME.replace("equal:", "eqal:").replace("client: acme, hosts", "hosts"))
    broken = operator.writes("broken.yml", "time_intervals: [")
    absent = operator.folder / "absent.yml"
    latin = operator.folder / "latin.yml"
    latin.write_bytes(b"# \xe4")

    status, lines = operator.checks(acme, operator.writes("nights.yml", NIGHTS), broken, absent, latin)

    assert status == 1
    assert [line.partition(": ")[0] for line in lines] == [
        f"{absent}:1",
        f"{latin}:1",
        f"{broken}:2",
        f"{acme}:12, inhibit_rules/full",
        f"{acme}:14, host_parents/rack 7",
    ]
    assert "did you mean 'equal'" in lines[3]


def test_what_files_say_is_harmless_to_a_terminal(operator: Operator) -> None:
    acme = operator.writes("acme.yml", NIGHTS.replace("name: nights", r'name: "\e[31mred"'))

    assert operator.checks(acme)[1][0] == r"time interval \u001b[31mred"


def test_a_folder_that_holds_nothing_says_nothing(operator: Operator) -> None:
    assert operator.checks(operator.folder) == (
        0,
        ["0 time intervals, 0 maintenance windows, 0 inhibition rules, 0 parent lists in 0 files"],
    )


def test_without_files_the_folder_of_the_server_is_meant(operator: Operator) -> None:
    (operator.folder / "suppressions").mkdir()
    operator.writes("suppressions/nights.yml", NIGHTS)

    assert operator.checks("--config", operator.folder)[1][0] == "time interval nights"


def test_the_help_has_examples(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["suppressions", "check", "--help"])

    assert "examples:\n  tocsin-server suppressions check\n" in capsys.readouterr().out
