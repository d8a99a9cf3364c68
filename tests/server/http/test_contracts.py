"""Contracts over HTTP: read by technicians, written by administrators, each seeing their clients only."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contracts import contract_text
from tests.server.http.rig import NOW, Rig

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.auditlog import entries
from tocsin_server.sla.contractfile import load_contract
from tocsin_server.sla.document import document_of
from tocsin_server.sla.register import NO_CONTRACTS, with_others

CONTRACTS = "/api/v1/contracts"
ACMES = f"{CONTRACTS}/ACME-1"


def document(client: str = "acme", **changes: Any) -> dict[str, Any]:
    told: Any = document_of(contract_text(client))
    return {**told, **changes}


async def put(
    rig: Rig, path: str = ACMES, *, who: str = "bob", said: Any = None, **headers: str
) -> httpx.Response:
    async with rig.client(who) as via:
        return await via.put(path, json=document() if said is None else said, headers=headers)


@pytest.fixture
def with_file(rig: Rig, tmp_path: Path) -> Rig:
    """Globex's contract is in a file."""
    file = tmp_path / "globex.yml"
    file.write_text(contract_text("globex"))
    files = with_others(NO_CONTRACTS, [load_contract(file)])
    rig.deps = replace(rig.deps, contracts_of_files=lambda: files)
    return rig


async def test_what_is_put_is_given_back_with_its_version_as_the_tag(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    answer = await put(rig)
    again = await alice.get(ACMES)

    assert (answer.status_code, answer.headers["etag"]) == (200, '"v1"')
    assert answer.json() == {
        "id": "ACME-1",
        "client": "acme",
        "version": 1,
        "author": "bob",
        "kept_at": "2023-11-14T22:13:20Z",
    }
    assert (again.json(), again.headers["etag"]) == (document(), '"v1"')


async def test_a_version_follows_the_one_that_its_author_has_seen(rig: Rig, alice: httpx.AsyncClient) -> None:
    await put(rig)
    second = await put(rig, said=document(title="Servers and more"), **{"if-match": '"v1"'})
    blind = await put(rig, said=document(title="Less"))
    late = await put(rig, said=document(title="Less"), **{"if-match": '"v1"'})
    any_ = await put(rig, said=document(title="Any"), **{"if-match": "*"})

    assert [each.status_code for each in (second, blind, late, any_)] == [200, 412, 412, 200]
    assert late.json()["detail"] == "contract 'ACME-1' has version 2 by bob"
    assert (await alice.get(ACMES, params={"version": 2})).json()["title"] == "Servers and more"
    assert (await alice.get(ACMES, params={"version": 9})).status_code == 404
    told = (await alice.get(f"{ACMES}/versions")).json()["versions"]
    assert [each["version"] for each in told] == [3, 2, 1]


async def test_a_contract_that_is_not_there_has_no_version_to_follow(rig: Rig) -> None:
    for tag in ('"v1"', "*"):
        assert (await put(rig, **{"if-match": tag})).status_code == 412


async def test_all_that_is_wrong_is_told_with_where_it_is(rig: Rig) -> None:
    said = document(currency="euro")
    said["agreements"][0]["targets"]["1"]["ack"] = "soon"

    answer = await put(rig, said=said)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "malformed")
    assert [(each["pointer"], each.get("key")) for each in problem["errors"]] == [
        ("#/agreements/0/targets/1/ack", "agreements/gold"),
        ("#/currency", None),
    ]
    assert problem["errors"][0]["detail"].startswith("'soon' is no open time such as 4h")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, "#"),
        ({"contract": "ACME-1", "nonsense": 1}, "#/nonsense"),
        (document(contract="ACME-2"), "#/contract"),
        (document(currency="euro"), "#/currency"),
        (document(title="half\0"), "#/title"),
    ],
)
async def test_each_mistake_has_its_place(rig: Rig, said: dict[str, Any], pointer: str) -> None:
    answer = await put(rig, said=said)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_files_and_database_are_listed_together_and_a_file_is_given_as_a_document(
    with_file: Rig, alice: httpx.AsyncClient
) -> None:
    await put(with_file)

    page = (await alice.get(CONTRACTS)).json()["contracts"]
    of_acme = (await alice.get(CONTRACTS, params={"client": "acme"})).json()["contracts"]
    globex = await alice.get(f"{CONTRACTS}/GLOBEX-1")

    assert [(each["id"], each["source"], each["version"]) for each in page] == [
        ("ACME-1", "database", 1),
        ("GLOBEX-1", "file", None),
    ]
    assert [each["id"] for each in of_acme] == ["ACME-1"]
    assert globex.json() == document("globex")
    assert "etag" not in globex.headers


async def test_a_contract_of_a_file_is_not_written_here(with_file: Rig) -> None:
    answer = await put(with_file, f"{CONTRACTS}/GLOBEX-1", said=document("globex"))

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("contract 'GLOBEX-1' is in a file, ")


async def test_only_an_administrator_writes_and_the_audit_log_knows_the_text(rig: Rig) -> None:
    refused = await put(rig, who="alice")
    await put(rig)
    again = await put(rig, **{"if-match": '"v1"'})

    assert (refused.status_code, again.json()["version"]) == (403, 1)
    (entry,) = rig.storage.read(lambda session: list(entries(session)))
    assert (entry.act, entry.subject, entry.client_id, entry.at_ms) == ("contract.kept", "ACME-1", 1, NOW)
    assert '"version":1' in entry.details


async def test_contracts_of_other_clients_are_not_there(with_file: Rig, alice: httpx.AsyncClient) -> None:
    await put(with_file)
    with_file.sees("globex")

    assert [each["id"] for each in (await alice.get(CONTRACTS)).json()["contracts"]] == ["GLOBEX-1"]
    for path in (ACMES, f"{ACMES}/versions", f"{ACMES}?version=1"):
        assert (await alice.get(path)).status_code == 404
    with_file.sees("acme")
    assert (await alice.get(f"{CONTRACTS}/GLOBEX-1")).status_code == 404


async def test_who_does_not_see_a_client_writes_no_contract_with_it(rig: Rig) -> None:
    rig.sees("globex", who="bob")

    answer = await put(rig)

    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no client 'acme'")


async def test_a_clients_own_people_read_no_contracts(rig: Rig, alice: httpx.AsyncClient) -> None:
    await put(rig)
    rig.sees("acme", role=Role.CLIENT_APPROVER)

    assert (await alice.get(CONTRACTS)).status_code == 403
    assert (await alice.get(ACMES)).status_code == 403
