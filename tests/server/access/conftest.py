"""Alice the technician, and hashes that cost next to nothing."""

import pytest

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.people import add_person
from tocsin_server.access.store import PersonRow
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000


@pytest.fixture(scope="session")
def cheap() -> Passwords:
    """argon2id still, with as little work as it allows."""
    return Passwords(time_cost=1, memory_kib=8, lanes=1)


@pytest.fixture
def alice(storage: Storage, cheap: Passwords) -> PersonRow:
    return storage.write(
        lambda s: add_person(
            s, "alice", "Alice", "correct horse battery", Role.TECHNICIAN, NOW, passwords=cheap
        )
    )
