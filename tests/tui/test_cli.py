"""The command answers at once, and what is wrong is one line with status 2."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from tocsin_tui import cli


def test_the_version_is_told(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])

    assert f"tocsin {version('tocsin')}\n" == capsys.readouterr().out


def test_the_help_has_examples(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])

    assert "tocsin --url https://desk.example.org:8443" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://10.0.0.5"], "in the clear"),
        (["--url", "desk"], "no server address"),
        (["--token-file", "/nowhere/session"], "/nowhere/session cannot be read"),
        (["--config", "/nowhere/console.toml"], "there is no file"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(arguments: list[str], said: str, capsys) -> None:
    assert cli.main(arguments) == 2

    told = capsys.readouterr().err
    assert told.startswith("tocsin: ")
    assert said in told
    assert told.count("\n") == 1


def test_up_is_another_room(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["up", "--help"])

    assert "usage: tocsin up" in capsys.readouterr().out


def test_asking_for_the_version_loads_no_screen() -> None:
    code = "import sys\nfrom tocsin_tui import cli\ntry: cli.main(['--version'])\nexcept SystemExit: pass\n"
    code += "print('textual' in sys.modules, 'httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[1] == "False False"


@pytest.mark.scenario
def test_the_first_frame_needs_no_http_client() -> None:
    code = "import sys, tocsin_tui.app\nprint('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
