"""`prepare --demo`: a provider whose clients are simulated, and are called so."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from tocsin_protocol.vocabulary import HostKind
from tocsin_protocol.wire import decode_invitation
from tocsin_server import cli
from tocsin_server.cli.democontracts import contract_text
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import administer, database
from tocsin_server.desk.kept import draft_of_text, keep, newest
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.enrolment import enrol
from tocsin_server.estate.store import Client, Site
from tocsin_server.sla.register import NO_CONTRACTS

pytestmark = pytest.mark.scenario

URL = "http://127.0.0.1:8443"
Prepare = Callable[..., dict[str, Any]]


@pytest.fixture
def data(tmp_path: Path, empty_database: bytes) -> Path:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    database(data).path.write_bytes(empty_database)
    return data


@pytest.fixture
def prepare(data: Path, capsys: pytest.CaptureFixture[str]) -> Prepare:
    def prepared(*words: str) -> dict[str, Any]:
        assert cli.main(["prepare", "--demo", "--url", URL, *words, "--data", str(data)]) == 0
        return json.loads(capsys.readouterr().out)

    return prepared


def test_every_client_is_called_simulated_and_has_two_sites(prepare: Prepare, data: Path) -> None:
    prepare()

    clients = administer(data, lambda session: [client.name for client in session.exec(select(Client))])
    sites = administer(data, lambda session: Counter(site.client_id for site in session.exec(select(Site))))
    assert len(clients) == 5
    assert all(name.endswith(" (simulated)") for name in clients)
    assert set(sites.values()) == {2}


def test_every_client_has_a_contract_and_one_that_was_changed_stays_so(prepare: Prepare, data: Path) -> None:
    prepare()
    changed = contract_text("acme").replace("first_response: 30m", "first_response: 20m")

    def change(session: Session) -> None:
        keep(session, draft_of_text("", changed), versions=None, files=NO_CONTRACTS, author="eve", now_ms=1)

    administer(data, change)
    prepare()

    found = {each.client: (each.version, each.text) for each in administer(data, newest)}
    assert set(found) == {"acme", "globex", "initech", "soylent", "hooli"}
    assert found.pop("acme") == (2, changed)
    assert {version for version, _ in found.values()} == {1}


def test_every_host_gets_an_invitation_of_its_own(prepare: Prepare) -> None:
    hosts = prepare()["hosts"]

    secrets = {decode_invitation(host["invitation"]).secret for host in hosts}
    assert len(secrets) == len(hosts)
    assert {host["kind"] for host in hosts} == {HostKind.SERVER, HostKind.DESKTOP}
    assert all((host["kind"] == HostKind.DESKTOP) == ("desk" in host["name"]) for host in hosts)
    assert all(4 <= count <= 20 for count in Counter(host["client"] for host in hosts).values())


def test_a_second_time_only_who_has_not_enrolled_is_invited(prepare: Prepare, data: Path) -> None:
    first = prepare()["hosts"][0]
    administer(data, lambda session: come(session, first))

    again = prepare()["hosts"]

    assert [host["name"] for host in again if not host["invitation"]] == [first["name"]]


def come(session: Session, host: dict[str, str]) -> None:
    """A host enrols."""
    enrol(
        session,
        secret=decode_invitation(host["invitation"]).secret,
        public_key=bytes(32),
        name=host["name"],
        os="simulated",
        version="0",
        now_ms=SystemClock().now_ms(),
    )


@pytest.mark.parametrize("count", [1, 61, 300])
def test_as_many_hosts_as_are_asked_for_have_names_of_their_own(prepare: Prepare, count: int) -> None:
    hosts = prepare("--hosts", str(count))["hosts"]

    assert len({(host["client"], host["name"]) for host in hosts}) == count


def test_a_folder_with_a_real_client_is_refused_and_stays_as_it_was(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    administer(data, lambda session: add_client(session, "home", "Home", 1))

    status = cli.main(["prepare", "--demo", "--url", URL, "--data", str(data)])

    said = capsys.readouterr()
    assert status == 2
    assert "has real clients (home)" in said.err
    assert "--data" in said.err
    assert administer(data, lambda session: len(session.exec(select(Client)).all())) == 1
