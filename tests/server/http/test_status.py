"""The status, the health and the description of the API."""

from dataclasses import replace

import httpx
from tests.server.http.rig import NOW, Rig

from tocsin_protocol.status import RuleProblem


async def test_the_status_counts_what_is_there(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.push(rig.host_id("acme", "atlas"), {("node_load1", ()): 0.5})
    rig.judge.rules = ["HighLoad"]
    rig.judge.problems = [RuleProblem(file="desktop.yml", reason="is not YAML")]

    status = (await alice.get("/api/v1/status")).json()

    assert status["version"] == "0.1.0"
    assert status["now"] == "2023-11-14T22:13:20Z"
    assert (status["hosts"], status["hosts_silent"], status["rules"]) == (2, 0, 1)
    assert status["series"] >= 1
    assert status["rule_problems"][0]["reason"] == "is not YAML"
    assert status["evaluation_ms"] == 4


async def test_files_of_devices_that_are_not_in_force_stand_beside_those_of_rules(rig: Rig) -> None:
    rig.judge.problems = [RuleProblem(file="desktop.yml", reason="is not YAML")]
    refused = RuleProblem(file="acme.yml", reason="there is no client 'acme'")
    rig.deps = replace(rig.deps, other_problems=lambda: [refused])

    async with rig.client() as alice:
        status = (await alice.get("/api/v1/status")).json()

    assert [problem["file"] for problem in status["rule_problems"]] == ["desktop.yml", "acme.yml"]


async def test_a_host_that_has_stopped_pushing_is_counted_as_silent(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.presence.heard(rig.host_id("acme", "atlas"), at_ms=NOW - 60_000, skew_ms=0)

    assert (await alice.get("/api/v1/status")).json()["hosts_silent"] == 1


async def test_health_is_open_and_says_what_is_wrong(rig: Rig) -> None:
    async with rig.client(None) as anybody:
        well = await anybody.get("/healthz")
        rig.ails.append("the journal cannot be written")
        ill = await anybody.get("/healthz")

    assert (well.status_code, well.json()) == (200, {"status": "ok", "ails": []})
    assert (ill.status_code, ill.json()["ails"]) == (503, ["the journal cannot be written"])


async def test_the_api_describes_itself_to_who_is_signed_in(alice: httpx.AsyncClient) -> None:
    described = (await alice.get("/api/v1/openapi.json")).json()

    assert described["openapi"].startswith("3.")
    assert "/api/v1/tickets/{ticket_id}/take" in described["paths"]
    assert "TicketDetail" in str(described["components"]["schemas"].keys())
