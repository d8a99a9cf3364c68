"""A client's sites and requesters over HTTP, for who sees the client."""

import httpx
from tests.server.http.rig import Rig

from tocsin_protocol.vocabulary import Role

ACME = "/api/v1/clients/acme"
EVE = {"mail": "eve@acme.example", "name": "Eve", "site": "berlin"}


async def test_a_requester_is_added_listed_and_named_by_a_ticket(alice: httpx.AsyncClient) -> None:
    made = await alice.post(f"{ACME}/requesters", json=EVE)
    new = {"client": "acme", "title": "the printer jams", "requester": EVE["mail"]}
    ticket = await alice.post("/api/v1/tickets", json=new)

    assert (made.status_code, made.json()) == (201, EVE)
    assert (await alice.get(f"{ACME}/requesters")).json() == {"requesters": [EVE]}
    assert ticket.json()["requester"] == EVE


async def test_a_clients_sites_are_told(alice: httpx.AsyncClient) -> None:
    assert (await alice.get(f"{ACME}/sites")).json() == {"sites": [{"slug": "berlin", "name": "Berlin"}]}


async def test_of_a_client_that_is_not_seen_nothing_is_there(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.sees("globex")

    for path in (f"{ACME}/sites", f"{ACME}/requesters", "/api/v1/clients/nobody/sites"):
        assert (await alice.get(path)).status_code == 404
    assert (await alice.post(f"{ACME}/requesters", json=EVE)).status_code == 404


async def test_a_requester_of_another_client_is_not_there(alice: httpx.AsyncClient) -> None:
    await alice.post(f"{ACME}/requesters", json=EVE)

    new = {"client": "globex", "title": "the printer jams", "requester": EVE["mail"]}
    answer = await alice.post("/api/v1/tickets", json=new)

    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "the client has no requester 'eve@acme.example'",
    )


async def test_who_may_only_read_adds_nobody(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.sees("acme", role=Role.VIEWER)

    assert (await alice.post(f"{ACME}/requesters", json=EVE)).status_code == 403
    assert (await alice.get(f"{ACME}/requesters")).status_code == 200
