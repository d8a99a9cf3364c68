"""Teams over HTTP: read by whoever is signed in."""

import httpx
import pytest
from sqlmodel import Session
from tests.server.http.rig import NOW, Rig

from tocsin_protocol.vocabulary import TeamAssign
from tocsin_server.desk.teams import MemberWish, Wish, add_team, join

TEAMS = "/api/v1/teams"


@pytest.fixture(autouse=True)
def two_teams(rig: Rig) -> None:
    """Servers with Alice, and a network team in which nobody is."""

    def made(session: Session) -> None:
        add_team(session, "servers", Wish(mail="servers@example.net", assign=TeamAssign.LOAD), NOW)
        add_team(session, "network", Wish(), NOW)
        join(session, "servers", "alice", MemberWish(is_lead=True, most_open=5), NOW)

    rig.storage.write(made)


async def test_teams_are_told_with_their_members(alice: httpx.AsyncClient) -> None:
    servers = {
        "slug": "servers",
        "name": "servers",
        "mail": "servers@example.net",
        "assign": "load",
        "members": [
            {
                "login": "alice",
                "name": "Alice",
                "lead": True,
                "since": "2023-11-14T22:13:20Z",
                "away_until": None,
                "most_open": 5,
            }
        ],
    }
    page = (await alice.get(TEAMS)).raise_for_status().json()

    assert [each["slug"] for each in page["teams"]] == ["network", "servers"]
    assert page["teams"][1] == servers
    assert (await alice.get(f"{TEAMS}/servers")).json() == servers


async def test_ones_own_teams_can_be_asked_for(rig: Rig, alice: httpx.AsyncClient) -> None:
    async with rig.client("bob") as bob:
        bobs = (await bob.get(TEAMS, params={"mine": True})).json()
    alices = (await alice.get(TEAMS, params={"mine": True})).json()

    assert [each["slug"] for each in alices["teams"]] == ["servers"]
    assert bobs == {"teams": []}


async def test_a_team_that_is_not_there_is_not_found(alice: httpx.AsyncClient) -> None:
    answer = await alice.get(f"{TEAMS}/cooks")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no team 'cooks'"
