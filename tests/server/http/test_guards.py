"""Every route but signing in and health asks who is there; an agent, a stranger and a viewer get no further."""

import re
from functools import cache

import pytest
from litestar.enums import ScopeType
from tests.server.http.rig import _CURRENT, SCRAPE_TOKEN, Rig

from tocsin_server.http.build import routes

OWN = ("/api/v1/logout", "/api/v1/me")
"""One's own way in, which is everybody's."""
OPEN = {("GET", "/healthz"), ("POST", "/api/v1/login")}


@cache
def every_route() -> list[tuple[str, str]]:
    """Method and path of all there is, with a number for each id."""
    found = []
    for route in routes(_CURRENT).routes:
        path = re.sub(r"\{[^}]*\}", "1", route.path)
        methods = ["GET"] if route.scope_type is ScopeType.ASGI else sorted(route.methods)
        found += [(method, path) for method in methods if method != "OPTIONS"]
    return found


def is_own(route: tuple[str, str]) -> bool:
    return route[1].startswith(OWN)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer toc_ses_guess",
        "Bearer agt_acme",  # an agent's id
        "Bearer " + "a" * 32,  # what an agent's session looks like
        "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==",
        "Bearer " + "x" * 5000,
    ],
)
async def test_no_route_answers_who_is_not_signed_in(rig: Rig, authorization: str) -> None:
    async with rig.client(None, headers={"authorization": authorization}) as nobody:
        answers = {route: await nobody.request(*route) for route in every_route() if route not in OPEN}

    assert len(answers) > 20
    assert {answer.status_code for answer in answers.values()} == {401}
    assert all(answer.json()["type"] == "unauthenticated" for answer in answers.values())
    assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers.values())


async def test_the_scrape_token_opens_nothing_of_the_desk(rig: Rig) -> None:
    async with rig.client(None, headers={"authorization": f"Bearer {SCRAPE_TOKEN}"}) as prometheus:
        assert (await prometheus.get("/api/v1/tickets")).status_code == 401


async def test_a_technicians_session_does_not_scrape(rig: Rig) -> None:
    async with rig.client("alice") as alice:
        assert (await alice.get("/metrics")).status_code == 401


async def test_a_viewer_reads_but_changes_nothing(rig: Rig) -> None:
    changes = [
        route for route in every_route() if route[0] != "GET" and not is_own(route) and route not in OPEN
    ]
    async with rig.client("charlie") as charlie:
        assert (await charlie.get("/api/v1/tickets")).status_code == 200
        answers = {path: await charlie.request(method, path, json={}) for method, path in changes}

    refused = {path for path, answer in answers.items() if answer.status_code == 403}
    assert refused == {path for _, path in changes}
    assert len(refused) >= 6
    assert answers["/api/v1/tickets"].json()["detail"] == "charlie may read only"


async def test_agents_requests_go_to_their_own_part_whole(rig: Rig) -> None:
    async with rig.client(None) as agent:
        answer = await agent.post("/agent/v1/push", content=b"x" * 1_000_000)

    assert answer.status_code == 299
    assert rig.agents == ["/agent/v1/push"]


async def test_another_origin_is_told_nothing_that_would_let_it_in(rig: Rig) -> None:
    async with rig.client("alice", headers={"origin": "https://evil.example"}) as alice:
        answers = [await alice.get("/api/v1/me"), await alice.options("/api/v1/me")]

    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]
