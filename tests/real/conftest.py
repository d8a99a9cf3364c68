"""Real parts: where one is missing, its tests are skipped with the line to type.

With TOCSIN_REQUIRE_REAL=1 they fail instead, so that CI cannot skip them by accident.
"""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], str]:
    """`require(binary, apt_package)`: the program's path, or no test today."""

    def find(binary: str, apt_package: str) -> str:
        if path := shutil.which(binary):
            return path
        message = f"{binary} is missing: apt-get install {apt_package}"
        if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
            pytest.fail(message)
        pytest.skip(message)

    return find
