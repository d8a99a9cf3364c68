"""Clients and sites are found by slug, and a mistake is said with the line to type."""

import pytest

from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.sites import add_site, site_named
from tocsin_server.estate.store import Site
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000


def test_a_client_is_found_by_its_slug(storage: Storage, berlin: Site) -> None:
    assert storage.read(lambda s: client_named(s, "acme").name) == "Acme GmbH"


def test_a_second_client_of_a_slug_is_refused(storage: Storage, berlin: Site) -> None:
    with pytest.raises(Conflict, match="'acme' already"):
        storage.write(lambda s: add_client(s, "acme", "Another", NOW))


def test_an_unknown_client_is_said_with_the_line_that_adds_it(storage: Storage) -> None:
    with pytest.raises(NotFound, match="tocsin-server client add globex"):
        storage.read(lambda s: client_named(s, "globex"))


def test_who_allows_for_it_gets_nothing_for_what_is_missing(storage: Storage, berlin: Site) -> None:
    assert storage.read(lambda s: client_named(s, "globex", missing_ok=True)) is None
    assert storage.read(lambda s: site_named(s, client_named(s, "acme"), "oslo", missing_ok=True)) is None


def test_a_site_is_found_in_its_own_client_only(storage: Storage, berlin: Site) -> None:
    storage.write(lambda s: add_client(s, "globex", "Globex", NOW))

    assert storage.read(lambda s: site_named(s, client_named(s, "acme"), "berlin").name) == "Berlin"
    with pytest.raises(NotFound, match="tocsin-server site add globex berlin"):
        storage.read(lambda s: site_named(s, client_named(s, "globex"), "berlin"))


def test_a_second_site_of_a_slug_is_refused(storage: Storage, berlin: Site) -> None:
    with pytest.raises(Conflict, match="acme has a site 'berlin' already"):
        storage.write(lambda s: add_site(s, client_named(s, "acme"), "berlin", "Again", NOW))


def test_a_slug_that_cannot_be_one_is_refused(storage: Storage, berlin: Site) -> None:
    with pytest.raises(Unprocessable, match="slug of a site"):
        storage.write(lambda s: add_site(s, client_named(s, "acme"), "Berlin Mitte", "Berlin", NOW))


def test_a_host_that_is_not_there_cannot_be_retired(storage: Storage, berlin: Site) -> None:
    with pytest.raises(NotFound, match="acme has no host 'atlas' in service"):
        storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", NOW))
