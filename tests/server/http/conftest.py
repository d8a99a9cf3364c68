"""The rig, and Alice's hands on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.databases import Mould, empty_mould
from tests.server.http.rig import Rig, found, make_rig

from tocsin_server.storage.engine import Storage


@pytest.fixture(scope="session")
def empty(request: pytest.FixtureRequest) -> Mould:
    """A migrated database without rows: SQLite's, and PostgreSQL's too where a test says `ON_BOTH`."""
    return empty_mould(request)


@pytest.fixture(scope="session")
def founded(empty: Mould, tmp_path_factory: pytest.TempPathFactory) -> tuple[Mould, dict[str, str]]:
    """A database with estate and people, made once and copied, and the people's tokens."""

    @contextmanager
    def make() -> Iterator[tuple[Mould, dict[str, str]]]:
        tokens: dict[str, str] = {}
        folder = tmp_path_factory.mktemp("founded")
        with empty.filled(folder, lambda opened: tokens.update(opened.write(found))) as mould:
            yield mould, tokens

    return empty.rack.once("founded", make)


@pytest.fixture
def storage(tmp_path: Path, founded: tuple[Mould, dict[str, str]]) -> Iterator[Storage]:
    with founded[0].copied(tmp_path) as where, Storage(where) as opened:
        yield opened


@pytest.fixture
def rig(storage: Storage, founded: tuple[Mould, dict[str, str]], tmp_path: Path) -> Rig:
    return make_rig(storage, dict(founded[1]), tmp_path)


@pytest.fixture
async def alice(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's client: a technician."""
    async with rig.client() as client:
        yield client
