"""A real database for every test that wants one, of each kind in turn: migrated once, and copied."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlmodel import SQLModel
from tests.databases import Mould, compile_once, migrated
from tests.reading import read_once

import tocsin_server.access.store
import tocsin_server.alerts.store
import tocsin_server.desk.store
import tocsin_server.estate.store  # noqa: F401 - its tables
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

compile_once()
read_once()
structlog.configure(  # Rich would write pages of what the functions of an error hold
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated database without rows, of SQLite's: for tests of what is about files."""
    path = tmp_path_factory.mktemp("empty") / "tocsin.db"
    migrate(path, SQLModel.metadata)
    return path.read_bytes()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def empty(request: pytest.FixtureRequest) -> Iterator[Mould]:
    """A migrated database without rows: whatever is made of it is tested on both kinds."""
    with migrated(request) as mould:
        yield mould


@pytest.fixture
def storage(tmp_path: Path, empty: Mould) -> Iterator[Storage]:
    with empty.copied(tmp_path) as where, Storage(where) as opened:
        yield opened
