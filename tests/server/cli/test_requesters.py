"""`requester`, and the lists of clients and sites that it needs."""

import json
from pathlib import Path

import pytest
from sqlmodel import Session
from tests.server.cli.operators import Operator

from tocsin_server.access.auditlog import entries
from tocsin_server.cli import requesters
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database, look
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.sites import add_site

pytestmark = pytest.mark.scenario


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    database(tmp_path).path.write_bytes(empty_database)
    clock = FakeClock()
    monkeypatch.setattr(requesters, "SystemClock", lambda: clock)

    def found(session: Session) -> None:
        add_site(session, add_client(session, "acme", "Acme GmbH", 0), "berlin", "Berlin", 0)

    administer(tmp_path, found)
    return Operator("requester", tmp_path, clock, capsys)


def test_requesters_come_change_and_leave(operator: Operator) -> None:
    eve = "eve@acme.example"
    assert operator.types("list acme") == "nobody is known yet: tocsin-server requester add CLIENT MAIL\n"
    assert operator.types(f"add acme {eve} --name Eve --site berlin") == f"requester {eve} of acme added\n"
    assert operator.types(f"change acme {eve} --name 'Eve Adams'") == f"requester {eve} of acme changed\n"

    assert operator.types("list acme").splitlines() == [
        "mail              name       site",
        "eve@acme.example  Eve Adams  berlin",
    ]
    assert json.loads(operator.types("list acme --json")) == [
        {"name": "Eve Adams", "mail": eve, "site": "berlin"}
    ]
    assert operator.fails(f"change acme {eve}").endswith("give --name, --mail or --site")
    assert operator.types(f"remove acme {eve}") == f"requester {eve} of acme removed\n"
    assert operator.fails(f"remove acme {eve}").endswith("tocsin-server requester list shows them")
    acts = look(operator.data, lambda session: [(each.act, each.client_id) for each in entries(session)])
    assert acts == [("requester.added", 1), ("requester.changed", 1), ("requester.removed", 1)]


def test_clients_and_sites_are_listed(operator: Operator) -> None:
    assert (
        Operator("client", operator.data, operator.clock, operator._capsys).types("list") == "acme  Acme GmbH\n"
    )
    assert (
        Operator("site", operator.data, operator.clock, operator._capsys).types("list acme")
        == "berlin  Berlin\n"
    )
