"""Programs of others that are not there."""

import os
from typing import NoReturn

import pytest


def missing(program: str, apt_package: str) -> NoReturn:
    """Skip the test with the line that installs it; with TOCSIN_REQUIRE_REAL=1, as in CI, fail instead.

    So nothing is left untested in silence.
    """
    reason = f"{program} is missing: sudo apt-get install --no-install-recommends {apt_package}"
    if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
