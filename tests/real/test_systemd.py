"""systemd itself finds nothing wrong with the units."""

import subprocess
import sys
from pathlib import Path

import pytest

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "systemd"
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.real


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units with the commands of this checkout, so that they are found."""
    for path in SHIPPED.iterdir():
        text = path.read_text().replace("/opt/tocsin/bin", str(BIN))
        (tmp_path / path.name).write_text(text)
    return sorted(tmp_path.iterdir())


def test_systemd_takes_the_units_as_they_are(require, units: list[Path]) -> None:
    program = require("systemd-analyze", "systemd")

    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["tocsin-server.service", "tocsin-agent.service", "tocsin-backup.service"])
def test_systemd_calls_the_exposure_of_a_unit_at_most_medium(require, units: list[Path], name: str) -> None:
    program = require("systemd-analyze", "systemd")
    (unit,) = [path for path in units if path.name == name]

    done = subprocess.run(
        [program, "security", "--offline=true", "--threshold=50", "--no-pager", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_systemd_understands_when_the_backup_is_due(require) -> None:
    program = require("systemd-analyze", "systemd")
    (when,) = [
        line.removeprefix("OnCalendar=")
        for line in (SHIPPED / "tocsin-backup.timer").read_text().splitlines()
        if line.startswith("OnCalendar=")
    ]

    done = subprocess.run([program, "calendar", when], capture_output=True, text=True, timeout=60, check=True)

    assert "Normalized form: *-*-* 02:15:00" in done.stdout
