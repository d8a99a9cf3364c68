"""Programs of others that tests stand beside: asked for by name, never faked."""

import shutil
from collections.abc import Callable

import pytest
from tests.missing import missing


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], str]:
    """`require(binary, apt_package)`: the program's path from PATH.

    Where it is missing the test is skipped, and in CI fails.
    """

    def ask(binary: str, apt_package: str) -> str:
        return shutil.which(binary) or missing(binary, apt_package)

    return ask
