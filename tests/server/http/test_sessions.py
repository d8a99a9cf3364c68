"""Signing in, being somebody, and signing out."""

from datetime import datetime

import httpx
import pytest
from tests.server.http.rig import NOW, PASSWORD, Rig

from tocsin_server.access.attempts import PAIR
from tocsin_server.access.people import IDLE_MS, SESSION_MS
from tocsin_server.clock import moment

LOGIN = "/api/v1/login"


async def test_who_knows_the_password_gets_a_session(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        answer = (await nobody.post(LOGIN, json={"login": "alice", "password": PASSWORD})).json()
        me = await nobody.get("/api/v1/me", headers={"authorization": f"Bearer {answer['token']}"})

    assert me.json() == answer["person"] == {"id": 1, "login": "alice", "name": "Alice", "role": "technician"}
    assert datetime.fromisoformat(answer["expires_at"]) == moment(NOW + SESSION_MS)


@pytest.mark.parametrize(
    ("login", "password"), [("alice", "wrong horse battery"), ("mallory", PASSWORD), ("alice", ""), ("", "")]
)
async def test_who_does_not_is_told_no_more_than_that(rig: Rig, login: str, password: str) -> None:
    async with rig.client(None) as nobody:
        answer = await nobody.post(LOGIN, json={"login": login, "password": password})

    assert answer.status_code == 401
    assert answer.json()["detail"] == "the login or the password is wrong"


async def test_guessing_is_slowed_down_with_the_time_to_wait(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        for _ in range(PAIR.free):
            await nobody.post(LOGIN, json={"login": "alice", "password": "wrong horse battery"})
        hasty = await nobody.post(LOGIN, json={"login": "alice", "password": PASSWORD})
        rig.clock.move(seconds=1)
        patient = await nobody.post(LOGIN, json={"login": "alice", "password": PASSWORD})

    assert (hasty.status_code, hasty.headers["retry-after"]) == (429, "1")
    assert patient.status_code == 200


async def test_after_logging_out_the_token_is_nobodys(alice: httpx.AsyncClient) -> None:
    assert (await alice.post("/api/v1/logout")).status_code == 204

    assert (await alice.get("/api/v1/me")).status_code == 401


async def test_a_viewer_may_log_out_too(rig: Rig) -> None:
    async with rig.client("charlie") as charlie:
        assert (await charlie.post("/api/v1/logout")).status_code == 204


async def test_a_session_that_is_used_does_not_go_idle(rig: Rig, alice: httpx.AsyncClient) -> None:
    for _ in range(4):
        rig.clock.move(seconds=IDLE_MS / 2000)
        assert (await alice.get("/api/v1/me")).status_code == 200
        rig.storage.write(lambda session: None)  # what was submitted before is written

    rig.clock.move(seconds=IDLE_MS / 1000)
    assert (await alice.get("/api/v1/me")).status_code == 401


async def test_answers_about_people_are_not_kept_by_anybody_between(alice: httpx.AsyncClient) -> None:
    assert (await alice.get("/api/v1/me")).headers["cache-control"] == "no-store"
