"""A real database with Acme and its site in Berlin, and a server's identity."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import tocsin_server.access.store
import tocsin_server.alerts.store
import tocsin_server.desk.store
import tocsin_server.estate.store  # noqa: F401 - its tables
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.identity import ServerIdentity, open_identity
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Site
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

NOW = 1_700_000_000_000


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> ServerIdentity:
    return open_identity(tmp_path_factory.mktemp("identity"))


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
def berlin(storage: Storage) -> Site:
    """A site of the client Acme."""
    return storage.write(
        lambda s: add_site(s, add_client(s, "acme", "Acme GmbH", NOW), "berlin", "Berlin", NOW)
    )
