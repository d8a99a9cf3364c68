"""A real database with two clients of the same making, so that whatever leaks from one to the other shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel
from tests.server.desk.world import World

from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with people and places in which nothing has happened; made once and copied by each test."""
    path = tmp_path_factory.mktemp("quiet") / "tocsin.db"
    migrate(path, SQLModel.metadata)
    with Storage(path) as opened:
        opened.write(World.people_and_places)
    return path.read_bytes()


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, quiet: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the module's `make_busy` has made of it, once for all its tests."""
    path = tmp_path_factory.mktemp("made") / "tocsin.db"
    path.write_bytes(quiet)
    with Storage(path) as opened:
        request.module.make_busy(World(opened))
    return path.read_bytes()


@pytest.fixture
def storage(tmp_path: Path, quiet: bytes) -> Iterator[Storage]:
    yield from _opened(tmp_path / "tocsin.db", quiet)


@pytest.fixture
def world(storage: Storage) -> World:
    return World(storage)


@pytest.fixture
def busy(tmp_path: Path, made: bytes) -> Iterator[World]:
    for storage in _opened(tmp_path / "busy.db", made):
        yield World(storage)


def _opened(path: Path, content: bytes) -> Iterator[Storage]:
    path.write_bytes(content)
    with Storage(path) as opened:
        yield opened
