"""A real database with two clients of the same making, so that whatever leaks from one to the other shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import Mould, Rack
from tests.server.desk.world import World

from tocsin_server.storage.engine import Storage


@pytest.fixture(scope="session")
def quiet(empty: Mould, tmp_path_factory: pytest.TempPathFactory) -> Mould:
    """A database with people and places in which nothing has happened; made once and copied by each test."""
    folder = tmp_path_factory.mktemp("quiet")
    return empty.rack.once(
        "quiet", lambda: empty.filled(folder, lambda opened: opened.write(World.people_and_places))
    )


@pytest.fixture(scope="module")
def made(
    request: pytest.FixtureRequest, quiet: Mould, rack: Rack, tmp_path_factory: pytest.TempPathFactory
) -> Mould:
    """What the module's `make_busy` has made of it, once for all its tests."""
    folder = tmp_path_factory.mktemp("made")
    return rack.once(
        quiet, lambda: quiet.filled(folder, lambda opened: request.module.make_busy(World(opened)))
    )


@pytest.fixture
def storage(tmp_path: Path, quiet: Mould) -> Iterator[Storage]:
    with quiet.copied(tmp_path) as where, Storage(where) as opened:
        yield opened


@pytest.fixture
def world(storage: Storage) -> World:
    return World(storage)


@pytest.fixture
def busy(tmp_path_factory: pytest.TempPathFactory, made: Mould) -> Iterator[World]:
    with made.copied(tmp_path_factory.mktemp("busy")) as where, Storage(where) as opened:
        yield World(opened)
