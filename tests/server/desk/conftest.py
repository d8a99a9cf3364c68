"""A real database with two clients of the same making, so that whatever leaks from one to the other shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel
from tests.server.desk.world import World

from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated database, made once and copied by each test."""
    path = tmp_path_factory.mktemp("empty") / "tocsin.db"
    migrate(path, SQLModel.metadata)
    return path.read_bytes()


@pytest.fixture
def storage(tmp_path: Path, empty: bytes) -> Iterator[Storage]:
    path = tmp_path / "tocsin.db"
    path.write_bytes(empty)
    with Storage(path) as opened:
        yield opened


@pytest.fixture
def world(storage: Storage) -> World:
    return World(storage)
