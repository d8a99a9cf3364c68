"""The picture in memory is that of the tables, and is drawn anew only when they have changed."""

import pytest
from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind
from tocsin_protocol.wire import decode_invitation
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.enrolment import Enrolled, create_enrol_token, enrol
from tocsin_server.estate.estate import AgentFacts, Estate, HostFacts
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.identity import ServerIdentity
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Host, Site
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000


@pytest.fixture
def atlas(storage: Storage, identity: ServerIdentity, berlin: Site) -> Enrolled:
    """An enrolled host of Acme's."""
    return storage.write(lambda session: _enrol(session, identity, berlin, "atlas"))


def _enrol(session: Session, identity: ServerIdentity, site: Site, name: str) -> Enrolled:
    token = create_enrol_token(
        session,
        identity,
        site,
        "http://127.0.0.1:8443",
        kind=HostKind.SERVER,
        now_ms=NOW,
        expires_ms=NOW + 1,
    )
    secret = decode_invitation(token).secret
    return enrol(
        session, secret=secret, public_key=b"k" * 32, name=name, os="Linux", version="0.1.0", now_ms=NOW
    )


@pytest.fixture
def estate(storage: Storage, atlas: Enrolled) -> Estate:
    opened = Estate(storage)
    opened.reload()
    return opened


def test_a_host_is_found_by_id_and_by_its_clients_name_for_it(estate: Estate, atlas: Enrolled) -> None:
    assert atlas.host.id is not None
    expected = HostFacts(
        id=atlas.host.id,
        client_id=1,
        client="acme",
        site_id=1,
        site="berlin",
        name="atlas",
        kind=HostKind.SERVER,
        job="node",
        os="Linux",
        enrolled_ms=NOW,
    )
    assert estate.hosts() == [expected]
    assert estate.host(expected.id) == expected
    assert estate.host_named(1, "atlas") == expected
    assert estate.host_named(2, "atlas") is None


def test_an_agent_is_found_by_its_id_and_by_its_host(estate: Estate, atlas: Enrolled) -> None:
    expected = AgentFacts(
        id=atlas.agent_id,
        client_id=1,
        host_id=atlas.host.id or 0,
        public_key=b"k" * 32,
        revoked=False,
        version="0.1.0",
    )
    assert estate.agent(atlas.agent_id) == expected
    assert estate.agent_of(expected.host_id) == expected


def test_a_reload_without_a_change_keeps_the_picture(estate: Estate) -> None:
    hosts, generation = estate.hosts(), estate.generation

    assert not estate.reload()
    assert estate.hosts() is hosts
    assert estate.generation == generation


def test_a_retired_host_leaves_and_its_agent_is_known_as_revoked(
    storage: Storage, estate: Estate, atlas: Enrolled
) -> None:
    storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", NOW))
    generation = estate.generation

    assert estate.reload()
    assert estate.generation == generation + 1
    assert estate.hosts() == []
    agent = estate.agent(atlas.agent_id)
    assert agent is not None
    assert agent.revoked
    assert estate.agent_of(agent.host_id) is None


def test_clients_are_known_before_they_have_a_host(estate: Estate) -> None:
    assert [client.slug for client in estate.clients()] == ["acme"]
    client = estate.client(1)
    assert client is not None
    assert client.name == "Acme GmbH"


def test_who_has_enrolled_is_admitted_as_a_reload_would_have_it(
    storage: Storage, identity: ServerIdentity, berlin: Site, estate: Estate
) -> None:
    for name in ("bora", "cosmos"):
        come = storage.write(lambda session, name=name: _enrol(session, identity, berlin, name))
        estate.admit()

        assert estate.agent(come.agent_id) is not None
        assert [host.name for host in estate.hosts()][-1] == name
    admitted, generation = estate._picture, estate.generation

    estate.reload()

    assert estate._picture == admitted
    estate.admit()
    assert estate._picture == admitted
    assert estate.generation - generation <= 1  # agents of the same millisecond may stand in another order


def test_who_has_enrolled_after_the_newest_was_retired_is_admitted_once(
    storage: Storage, identity: ServerIdentity, berlin: Site, estate: Estate
) -> None:
    storage.write(lambda session: retire_host(session, client_named(session, "acme"), "atlas", NOW))
    estate.reload()

    storage.write(lambda session: _enrol(session, identity, berlin, "bora"))
    estate.admit()
    estate.admit()

    assert [host.name for host in estate.hosts()] == ["bora"]


def test_with_a_host_of_a_client_that_is_new_or_a_device_everything_is_looked_at(
    storage: Storage, identity: ServerIdentity, estate: Estate, atlas: Enrolled
) -> None:
    def act(session: Session) -> None:
        globex = add_client(session, "globex", "Globex", NOW)
        _enrol(session, identity, add_site(session, globex, "bonn", "Bonn", NOW), "bora")
        device = {"client_id": 1, "site_id": 1, "name": "switch", "kind": HostKind.NETWORK, "job": "network"}
        session.add(Host(**device, os="", enrolled_ms=NOW, prober_id=atlas.host.id))

    storage.write(act)
    estate.admit()

    assert {host.name for host in estate.hosts()} == {"atlas", "bora", "switch"}
    assert estate.client(2) is not None
    assert atlas.host.id is not None
    assert estate.device_of(atlas.host.id, "switch") is not None
