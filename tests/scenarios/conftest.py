"""Stories run one after another on one worker: each of them wants the machine to itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import compile_once, migrate_once
from tests.processes import ForkedServer, ServerProcess
from tests.story import found

compile_once()
migrate_once()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that is not yet started, on a folder of its own."""
    with ForkedServer(tmp_path / "server") as process:
        yield process


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with its first client, copied for each story."""
    folder = tmp_path_factory.mktemp("founded") / "data"
    found(folder)
    return folder
