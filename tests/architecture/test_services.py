"""The systemd units name commands that there are and options that they take; the agent sees its whole host."""

import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from tocsin_agent.arguments import read_arguments
from tocsin_agent.cli import _COMMANDS
from tocsin_server.cli import parser

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "config" / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
BIN = "/opt/tocsin/bin/"
OWN_VIEW = {
    *(
        "DynamicUser",
        "PrivateTmp",
        "PrivateDevices",
        "PrivateMounts",
        "PrivateUsers",
        "PrivateNetwork",
        "PrivateIPC",
    ),
    *("ProtectSystem", "ProtectHome", "ProtectProc", "ProcSubset", "ProtectHostname", "ProtectControlGroups"),
    *("ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "TemporaryFileSystem", "RootImage"),
    *(
        "ReadOnlyPaths",
        "ReadWritePaths",
        "InaccessiblePaths",
        "BindPaths",
        "BindReadOnlyPaths",
        "RootDirectory",
    ),
}
"""With any of these a service sees another host than its technicians do."""


def settings(path: Path) -> dict[str, list[str]]:
    """What a unit says, by key; a key may stand there more than once."""
    said = defaultdict(list)
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            said[key].append(value)
    return said


def command(path: Path) -> list[str]:
    (line,) = settings(path)["ExecStart"]
    return line.split()


def test_there_is_a_unit_for_server_agent_and_backup() -> None:
    assert [path.name for path in UNITS] == [
        "tocsin-agent.service",
        "tocsin-backup.service",
        "tocsin-backup.timer",
        "tocsin-server.service",
    ]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_is_installed(path: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    program = command(path)[0]

    assert program.startswith(BIN)
    assert program.removeprefix(BIN) in scripts


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_units_command_takes_the_options_it_is_given(path: Path) -> None:
    program, *words = command(path)

    if program.endswith("tocsin-agent"):
        assert read_arguments(words, _COMMANDS).command == "run"
    else:
        assert parser(words[0]).parse_args(words).data == Path("/var/lib/tocsin")


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_may_write_where_its_command_is_told_to(path: Path) -> None:
    said = settings(path)
    folders = {f"/var/lib/{name}" for name in said["StateDirectory"][0].split()}

    assert {word for word in command(path) if word.startswith("/var/")} == folders
    assert said["StateDirectoryMode"] == ["0700"]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_runs_without_root_and_cannot_become_it(path: Path) -> None:
    said = settings(path)

    assert said["User"] in (["tocsin"], ["tocsin-agent"])
    assert said["NoNewPrivileges"] == ["yes"]
    assert said["CapabilityBoundingSet"] == [""]


def test_the_agent_sees_the_host_as_it_is() -> None:
    """Under ProtectSystem every mount is read-only, and `node_filesystem_readonly` would say so of the host."""
    said = settings(ROOT / "config" / "systemd" / "tocsin-agent.service")

    assert not said.keys() & OWN_VIEW


@pytest.mark.parametrize("name", ["tocsin-server.service", "tocsin-agent.service"])
def test_what_serves_is_started_again_whatever_ends_it(name: str) -> None:
    said = settings(ROOT / "config" / "systemd" / name)

    assert said["Restart"] == ["always"]
    assert said["StartLimitIntervalSec"] == ["0"]
