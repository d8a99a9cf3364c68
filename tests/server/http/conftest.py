"""The rig, and Alice's hands on it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.server.http.rig import Rig, make_rig

from tocsin_server.storage.engine import Storage


@pytest.fixture
def rig(storage: Storage) -> Rig:
    return make_rig(storage)


@pytest.fixture
async def alice(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's client: a technician."""
    async with rig.client() as client:
        yield client
