"""What fault loops need of the system, and how they say what they have counted."""

import shutil
import sys
from collections.abc import Callable

import pytest
from tests.faults.recording import APT
from tests.missing import missing


@pytest.fixture(scope="session")
def strace() -> str:
    """The program; where it is missing the test is skipped, and in CI fails."""
    return shutil.which("strace") or missing("strace", APT)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say it though the test succeeds."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return say
