"""Stories run one after another on one worker: each of them wants the machine to itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.processes import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that is not yet started, on a folder of its own."""
    with ServerProcess(tmp_path / "server") as process:
        yield process
