"""Acme and its site in Berlin, and a server's identity."""

import pytest

from tocsin_server.estate.clients import add_client
from tocsin_server.estate.identity import ServerIdentity, open_identity
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Site
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> ServerIdentity:
    return open_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture
def berlin(storage: Storage) -> Site:
    """A site of the client Acme."""
    return storage.write(
        lambda s: add_site(s, add_client(s, "acme", "Acme GmbH", NOW), "berlin", "Berlin", NOW)
    )
