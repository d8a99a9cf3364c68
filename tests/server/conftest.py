"""A real database for every test that wants one: migrated once, and copied."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import tocsin_server.access.store
import tocsin_server.alerts.store
import tocsin_server.desk.store
import tocsin_server.estate.store  # noqa: F401 - its tables
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated database without rows."""
    path = tmp_path_factory.mktemp("empty") / "tocsin.db"
    migrate(path, SQLModel.metadata)
    return path.read_bytes()


@pytest.fixture
def storage(tmp_path: Path, empty_database: bytes) -> Iterator[Storage]:
    path = tmp_path / "tocsin.db"
    path.write_bytes(empty_database)
    with Storage(path) as opened:
        yield opened
