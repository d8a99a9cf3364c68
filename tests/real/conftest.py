"""Programs of others that tests stand beside: asked for by name, never faked."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], str]:
    """`require(binary, apt_package)`: the program's path from PATH.

    Where it is missing the test is skipped with the line that installs it; with TOCSIN_REQUIRE_REAL=1, as in
    CI, it fails instead, so that nothing is left untested in silence.
    """

    def ask(binary: str, apt_package: str) -> str:
        found = shutil.which(binary)
        if found is not None:
            return found
        reason = f"{binary} is missing: sudo apt-get install --no-install-recommends {apt_package}"
        if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return ask
