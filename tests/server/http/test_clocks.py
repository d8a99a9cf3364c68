"""What the API says of promises: on a ticket each with its segments, on the queue's rows what is due."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from sqlmodel import Session
from tests.contracts import contract_of
from tests.lifecycle import TABLES
from tests.server.http.rig import Rig

from tocsin_server.access.people import issue_session, person_named
from tocsin_server.desk.promised import Terms

TICKETS = "/api/v1/tickets"
MORNING_MS = 1_700_035_200_000
"""A Wednesday at 09:00 in Paris."""


def signed_in(session: Session) -> str:
    """The token of a session of Alice's that has just begun."""
    alice = person_named(session, "alice")
    assert alice is not None
    return issue_session(session, alice, MORNING_MS)


@pytest.fixture
async def alice(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's hands at a server on which Acme has a contract and Globex has none."""
    rig.clock.move(seconds=(MORNING_MS - rig.clock.now_ms()) / 1000)
    held = Terms({"acme": (contract_of("acme"),)}, TABLES, 0, {})
    rig.tokens["alice"] = rig.storage.write(signed_in)
    rig.deps = replace(rig.deps, terms=lambda: held._replace(now_ms=rig.clock.now_ms()))
    async with rig.client() as client:
        yield client


async def opened(via: httpx.AsyncClient, rig: Rig, client: str) -> str:
    """The path of a ticket that Alice has opened, about the client's atlas, of priority 1."""
    new = {"client": client, "title": "it is slow", "host_id": rig.host_id(client, "atlas"), "priority": 1}
    answer = (await via.post(TICKETS, json=new)).raise_for_status().json()
    return f"{TICKETS}/{answer['ticket']['id']}"


async def test_a_ticket_has_each_of_its_clocks_with_its_segments(rig: Rig, alice: httpx.AsyncClient) -> None:
    path = await opened(alice, rig, "acme")
    rig.clock.move(seconds=1200)
    await alice.post(f"{path}/wait", json={"reason": "customer"})
    rig.clock.move(seconds=600)

    ack, _, resolve = (await alice.get(path)).json()["clocks"]

    assert (ack["kind"], ack["state"], ack["remaining_s"], ack["due_at"]) == (
        "ack",
        "breached",
        -900.0,
        "2023-11-15T08:15:00Z",
    )
    assert resolve == {
        "kind": "resolve",
        "agreement": "gold",
        "counterparty": "acme",
        "type": "sla",
        "priority": 1,
        "round": 1,
        "calendar": "business",
        "zone": "Europe/Paris",
        "state": "paused",
        "reason": "customer",
        "target_s": 14_400.0,
        "elapsed_s": 1200.0,
        "remaining_s": 13_200.0,
        "started_at": "2023-11-15T08:00:00Z",
        "due_at": None,
        "ended_at": None,
        "segments": [
            {
                "reason": "running",
                "from": "2023-11-15T08:00:00Z",
                "to": "2023-11-15T08:20:00Z",
                "counted_s": 1200.0,
            },
            {
                "reason": "paused:customer",
                "from": "2023-11-15T08:20:00Z",
                "to": "2023-11-15T08:30:00Z",
                "counted_s": 0.0,
            },
        ],
    }


async def test_what_an_act_answers_has_the_clocks_as_the_act_has_left_them(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    path = await opened(alice, rig, "acme")

    taken = (await alice.post(f"{path}/take", json={})).json()

    assert [(clock["kind"], clock["state"]) for clock in taken["clocks"]] == [
        ("ack", "met"),
        ("first_response", "running"),
        ("resolve", "running"),
    ]
    assert taken["ticket"]["due_at"] == "2023-11-15T08:30:00Z"


async def test_rows_say_what_is_due_wherever_they_are_shown(rig: Rig, alice: httpx.AsyncClient) -> None:
    for client in ("acme", "globex"):
        await opened(alice, rig, client)
    host_id = rig.host_id("acme", "atlas")

    rows = (await alice.get(TICKETS)).json()["tickets"]
    (of_host,) = (await alice.get(f"/api/v1/hosts/{host_id}")).json()["tickets"]

    assert {(row["client"], row["due_at"], row["due_state"]) for row in rows} == {
        ("acme", "2023-11-15T08:15:00Z", "running"),
        ("globex", None, ""),
    }
    assert of_host in rows


async def test_a_ticket_without_contract_has_no_clock_and_nothing_to_say_of_it(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    answer = (await alice.get(await opened(alice, rig, "globex"))).json()

    assert (answer["clocks"], answer["unclocked"]) == ([], "")
