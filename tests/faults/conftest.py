"""What fault loops need of the system."""

import shutil

import pytest
from tests.faults.recording import APT
from tests.missing import missing


@pytest.fixture(scope="session")
def strace() -> str:
    """The program; where it is missing the test is skipped, and in CI fails."""
    return shutil.which("strace") or missing("strace", APT)
