"""The rig, and Alice's hands on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.http.rig import Rig, found, make_rig

from tocsin_server.storage.engine import Storage


@pytest.fixture(scope="session")
def founded(empty_database: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, str]]:
    """A database with estate and people, made once and copied, and the people's tokens."""
    path = tmp_path_factory.mktemp("founded") / "tocsin.db"
    path.write_bytes(empty_database)
    with Storage(path) as opened:
        tokens = opened.write(found)
    return path.read_bytes(), tokens


@pytest.fixture
def storage(tmp_path: Path, founded: tuple[bytes, dict[str, str]]) -> Iterator[Storage]:
    path = tmp_path / "tocsin.db"
    path.write_bytes(founded[0])
    with Storage(path) as opened:
        yield opened


@pytest.fixture
def rig(storage: Storage, founded: tuple[bytes, dict[str, str]]) -> Rig:
    return make_rig(storage, dict(founded[1]))


@pytest.fixture
async def alice(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's client: a technician."""
    async with rig.client() as client:
        yield client
