"""Every route but signing in and health asks who is there; an agent, a stranger and a viewer get no further."""

import re
from functools import cache

import pytest
from litestar import get
from litestar.enums import ScopeType
from sqlalchemy import text
from tests.server.http.rig import _CURRENT, SCRAPE_TOKEN, Rig

from tocsin_protocol.vocabulary import CLIENT_ROLES, Role
from tocsin_server.access.permissions import Permission, may
from tocsin_server.access.standing import Wish, change
from tocsin_server.errors import Misconfigured, Unprocessable
from tocsin_server.http import alerts
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
    assert answers["/api/v1/tickets"].json()["detail"] == "charlie may not do this as viewer"


async def test_agents_requests_go_to_their_own_part_whole(rig: Rig) -> None:
    async with rig.client(None) as agent:
        answer = await agent.post("/agent/v1/push", content=b"x" * 1_000_000)

    assert answer.status_code == 299
    assert rig.agents == ["/agent/v1/push"]


async def test_another_origin_is_told_nothing_that_would_let_it_in(rig: Rig) -> None:
    async with rig.client("alice", headers={"origin": "https://evil.example"}) as alice:
        answers = [await alice.get("/api/v1/me"), await alice.options("/api/v1/me")]

    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


def test_no_server_starts_with_a_route_that_does_not_say_who_may_call_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    @get("/forgotten")
    async def forgotten() -> None: ...

    monkeypatch.setattr(alerts, "ROUTES", (*alerts.ROUTES, forgotten))

    with pytest.raises(Misconfigured, match="GET /api/v1/forgotten does not say who may call it"):
        routes(rig.deps)


@pytest.mark.parametrize("role", Role)
def test_each_role_has_a_line_in_the_one_table_of_permissions(role: Role) -> None:
    assert may(role, Permission.READ)
    assert not (role in CLIENT_ROLES and may(role, Permission.INSPECT))


async def test_what_is_granted_holds_from_the_next_request_on_in_an_open_session(rig: Rig) -> None:
    async with rig.client("alice") as alice:
        everybodys = [host["client"] for host in (await alice.get("/api/v1/hosts")).json()["hosts"]]
        rig.sees("globex")
        one = [host["client"] for host in (await alice.get("/api/v1/hosts")).json()["hosts"]]
        rig.sees()
        none = (await alice.get("/api/v1/hosts")).json()["hosts"]

    assert (everybodys, one, none) == (["acme", "globex"], ["globex"], [])


async def test_a_clients_person_sees_what_is_granted_by_name_whatever_else_their_row_says(rig: Rig) -> None:
    with pytest.raises(Unprocessable, match="cannot see all"):
        rig.storage.write(lambda session: change(session, "alice", Wish(role=Role.CLIENT_VIEWER)))
    statement = text("UPDATE person SET role = 'client_viewer' WHERE login = 'alice'")
    rig.storage.write(lambda session: session.execute(statement) and None)

    async with rig.client("alice") as alice:
        assert (await alice.get("/api/v1/hosts")).json()["hosts"] == []
