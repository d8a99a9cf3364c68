"""What fault loops need of the system, and how they say what they have counted."""

import os
import shutil
import sys
from collections.abc import Callable

import pytest
from tests.faults.recording import APT


@pytest.fixture(scope="session")
def strace() -> str:
    """The program; where it is missing the test is skipped, and in CI fails."""
    found = shutil.which("strace")
    if found is not None:
        return found
    reason = f"strace is missing: sudo apt-get install --no-install-recommends {APT}"
    if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say it though the test succeeds."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return say
