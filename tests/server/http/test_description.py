"""The API answers as its description says, to requests that fit it and to those that nearly do."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.databases import ON_BOTH
from tests.examples import share
from tests.server.http.rig import Rig
from tests.server.http.test_tickets import TICKETS, opened, ringing

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LEAVING = {f"/api/v1/{path}" for path in ("login", "logout", "me/sessions/{name}", "me/sessions/revoke-all")}
"""After these she would have to sign in again, or could not."""
NEAR = st.sampled_from([1, 2, 3])
"""Ids of what is there."""


class Desk:
    """A signed-in client on a desk with something on it, for tests that are not coroutines."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._runner = asyncio.Runner()
        self.run(self._prepared())

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    def close(self) -> None:
        self._runner.close()

    def ask(self, **request: Any) -> httpx.Response:
        return self.run(self._asked(request))

    async def _asked(self, request: dict[str, Any]) -> httpx.Response:
        async with self._rig.client("alice") as alice:
            answer = await alice.request(**request)
            await answer.aread()
            return answer

    async def _prepared(self) -> None:
        async with self._rig.client("alice") as alice:
            await ringing(self._rig, alice)
            solved = await opened(alice, title="Solved")
            await alice.post(f"{TICKETS}/{solved['id']}/resolve", json={})
            silence = {"matchers": '{alertname="DiskFull"}', "ends_at": "2099-01-01T00:00:00Z"}
            await alice.post("/api/v1/silences", json=silence)


@pytest.fixture
def desk(rig: Rig) -> Iterator[Desk]:
    made = Desk(rig)
    yield made
    made.close()


@pytest.fixture
def described(desk: Desk) -> Any:
    return schemathesis.openapi.from_dict(desk.ask(method="GET", url="/api/v1/openapi.json").json())


def operations(described: Any) -> list[Any]:
    found = [each.ok() for each in described.get_all_operations()]
    return [each for each in found if each.path not in LEAVING]


async def test_every_call_says_who_may_ask_and_how_it_refuses(alice: httpx.AsyncClient) -> None:
    document = (await alice.get("/api/v1/openapi.json")).json()
    calls = {(path, method): call for path, item in document["paths"].items() for method, call in item.items()}

    refusals = {
        (*call, status): list(answer["content"])
        for call, said in calls.items()
        for status, answer in said["responses"].items()
        if status >= "400" and call[0] != "/healthz"
    }
    open_to_all = {path for (path, _), call in calls.items() if "security" not in call}
    take = calls["/api/v1/tickets/{ticket_id}/take", "post"]
    read = calls["/api/v1/tickets/{ticket_id}", "get"]

    assert set(map(tuple, refusals.values())) == {("application/problem+json",)}
    assert open_to_all == {"/healthz", "/api/v1/login"}
    assert [status for status in take["responses"] if status < "500"] == [
        "200", "400", "429", "401", "403", "404", "422", "409", "412", "413",
    ]  # fmt: skip
    assert [each["name"] for each in take["parameters"]] == ["ticket_id", "If-Match", "idempotency-key"]
    assert (
        list(read["responses"]["304"]["headers"]) == list(read["responses"]["200"]["headers"])[-1:] == ["etag"]
    )


async def test_a_server_that_ails_says_so_as_described(rig: Rig) -> None:
    rig.ails.append("rules are not judged")

    async with rig.client(None) as nobody:
        answer = await nobody.get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"status": "ailing", "ails": ["rules are not judged"]})


def bring_near(case: Any, number: int) -> None:
    """Ask about what is there."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = number
    (case.headers or {}).pop("If-Match", None)
    if isinstance(case.body, dict) and "client" in case.body:
        case.body["client"] = "acme"


@ON_BOTH
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_the_answer_is_as_described(desk: Desk, described: Any, mode: GenerationMode) -> None:
    cases = st.one_of([each.as_strategy(generation_mode=mode) for each in operations(described)])

    @settings(max_examples=share(150), deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases, near=NEAR, is_near=st.booleans())
    def asked(case: Any, near: int, is_near: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        if is_near:
            bring_near(case, near)
        request = case.as_transport_kwargs(base_url="http://127.0.0.1:8443")
        request.pop("cookies", None)
        request["headers"].pop("Authorization", None)  # in place of the one that was made up, Alice's
        if isinstance(request.get("data"), bytes | str):
            request["content"] = request.pop("data")
        case.validate_response(desk.ask(**request), checks=CHECKS)

    asked()

    assert desk.ask(method="GET", url="/api/v1/me").status_code == 200
