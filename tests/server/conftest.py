"""A real database for every test that wants one, of each kind in turn: migrated once, and copied."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from sqlmodel import SQLModel
from tests.databases import FileMould, Mould, Rack, compile_once, empty_mould, migrate_once, migrated_on
from tests.postgres import Cluster
from tests.reading import read_once

import tocsin_server.access.store
import tocsin_server.alerts.store
import tocsin_server.desk.store
import tocsin_server.estate.store  # noqa: F401 - its tables
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

compile_once()
migrate_once()
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


@pytest.fixture(scope="session")
def empty_sqlite(empty_database: bytes) -> Mould:
    return FileMould(empty_database)


@pytest.fixture(scope="session")
def empty_postgresql(cluster: Cluster) -> Iterator[Mould]:
    with migrated_on(cluster) as mould:
        yield mould


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def empty(request: pytest.FixtureRequest) -> Mould:
    """A migrated database without rows: whatever is made of it is tested on both kinds."""
    return empty_mould(request)


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    """For the moulds that a module makes of its own."""
    with closing(Rack()) as opened:
        yield opened


@pytest.fixture
def storage(tmp_path: Path, empty: Mould) -> Iterator[Storage]:
    with empty.copied(tmp_path) as where, Storage(where) as opened:
        yield opened
