"""One's own way in: password, codes, sessions and tokens, each for who shows once more who they are."""

from datetime import datetime
from itertools import chain
from typing import Any

import httpx
import pytest
from sqlmodel import select
from tests.databases import ON_BOTH
from tests.server.http.rig import CHEAP, NOW, PASSWORD, Rig
from tests.server.http.test_guards import every_route
from tests.server.http.test_signin import code_at, enrolled, log, sign_in

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.attempts import PAIR
from tocsin_server.access.people import IDLE_MS, issue_session, person_named
from tocsin_server.access.permissions import SCOPES, Permission
from tocsin_server.access.store import ApiTokenRow, PersonRow
from tocsin_server.access.tokens import DAY_MS, MOST_EACH, TOUCH_EVERY_MS
from tocsin_server.clock import moment
from tocsin_server.http.build import routes
from tocsin_server.http.fitness import scope_for
from tocsin_server.http.permitted import handlers

ME = "/api/v1/me"
NEW = "four quite other words"
TOKEN = {"name": "wallboard", "scopes": ["read"], "password": PASSWORD}
OWN_ACTS = {
    ("POST", f"{ME}/password"),
    ("POST", f"{ME}/totp"),
    ("POST", f"{ME}/totp/confirm"),
    ("DELETE", f"{ME}/sessions/1"),
    ("POST", f"{ME}/sessions/revoke-all"),
    ("POST", f"{ME}/tokens"),
    ("DELETE", f"{ME}/tokens/1"),
}
"""What is changed here. All but `POST totp`, which by itself changes nothing, is recorded: see below."""


def another_session(rig: Rig, login: str = "alice", source: str = "192.0.2.9") -> str:
    return rig.storage.write(lambda s: issue_session(s, person_named(s, login), NOW, source=source))


async def is_good(rig: Rig, token: str) -> bool:
    async with rig.client(None, headers={"authorization": f"Bearer {token}"}) as somebody:
        return (await somebody.get(ME)).status_code == 200


async def make(alice: httpx.AsyncClient, **changes: Any) -> str:
    answer = await alice.post(f"{ME}/tokens", json=TOKEN | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


# Password


async def test_a_new_password_ends_all_other_sessions(rig: Rig, alice: httpx.AsyncClient) -> None:
    other = another_session(rig)

    answer = await alice.post(f"{ME}/password", json={"old": PASSWORD, "new": NEW})

    assert answer.json() == {"sessions": 1}
    assert not await is_good(rig, other)
    assert (await alice.get(ME)).status_code == 200
    assert (await sign_in(rig)).status_code == 401
    assert (await sign_in(rig, NEW)).status_code == 200
    assert ("person.changed", {"password": "new", "sessions": 1}) in log(rig)


@pytest.mark.parametrize(("old", "new", "status"), [("wrong horse", NEW, 401), (PASSWORD, "short", 422)])
async def test_without_the_old_one_or_with_a_short_one_nothing_changes(
    rig: Rig, alice: httpx.AsyncClient, old: str, new: str, status: int
) -> None:
    answer = await alice.post(f"{ME}/password", json={"old": old, "new": new})

    assert answer.status_code == status
    kept = rig.storage.read(lambda s: person_named(s, "alice").password_hash)
    assert CHEAP.is_right(kept, PASSWORD)


async def test_who_has_a_device_needs_its_code_for_a_new_password(rig: Rig, alice: httpx.AsyncClient) -> None:
    secret, _ = enrolled(rig)
    wish = {"old": PASSWORD, "new": NEW}

    refused = await alice.post(f"{ME}/password", json=wish)
    done = await alice.post(f"{ME}/password", json=wish | {"code": code_at(secret, NOW)})

    assert refused.json()["type"] == "code-required"
    assert done.status_code == 200


async def test_a_stolen_session_cannot_guess_the_password_fast(rig: Rig, alice: httpx.AsyncClient) -> None:
    answers = [
        await alice.post(f"{ME}/password", json={"old": f"guess {number}", "new": NEW}) for number in range(6)
    ]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


# Codes


async def test_a_device_is_enrolled_by_its_first_code_and_sessions_without_one_end(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    other = another_session(rig)
    assert (await alice.get(f"{ME}/totp")).json() == {
        "since": None,
        "recovery_codes": 0,
        "is_required": False,
    }
    offer = (await alice.post(f"{ME}/totp", json={"password": PASSWORD})).json()
    assert await is_good(rig, other)
    assert (await sign_in(rig)).status_code == 200  # it is not in force yet

    wrong = await alice.post(f"{ME}/totp/confirm", json={"code": "000000"})
    done = await alice.post(f"{ME}/totp/confirm", json={"code": code_at(offer["secret"], NOW)})

    assert (wrong.status_code, done.status_code) == (422, 200)
    assert not await is_good(rig, other)
    told = (await alice.get(f"{ME}/totp")).json()
    assert (datetime.fromisoformat(told["since"]), told["recovery_codes"]) == (moment(NOW), 10)
    assert (await sign_in(rig)).json()["type"] == "code-required"
    assert log(rig)[-1] == ("person.codes_begun", {"sessions": 2})


async def test_the_first_code_of_a_device_cannot_be_guessed_at_leisure(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    offer = (await alice.post(f"{ME}/totp", json={"password": PASSWORD})).json()
    right = {"code": code_at(offer["secret"], NOW)}
    guesses = [await alice.post(f"{ME}/totp/confirm", json={"code": "00000x"}) for _ in range(PAIR.free)]

    hasty = await alice.post(f"{ME}/totp/confirm", json=right)
    rig.clock.move(seconds=1)
    patient = await alice.post(f"{ME}/totp/confirm", json=right)

    assert {guess.status_code for guess in guesses} == {422}
    assert (hasty.status_code, hasty.headers["retry-after"], patient.status_code) == (429, "1", 200)


async def test_another_device_needs_a_code_of_the_one_before(rig: Rig, alice: httpx.AsyncClient) -> None:
    _, recovery = enrolled(rig)

    refused = await alice.post(f"{ME}/totp", json={"password": PASSWORD})
    begun = await alice.post(f"{ME}/totp", json={"password": PASSWORD, "code": recovery[0]})

    assert (refused.status_code, refused.json()["type"]) == (401, "code-required")
    assert begun.status_code == 200


async def test_a_session_alone_enrols_nothing(alice: httpx.AsyncClient) -> None:
    begun = await alice.post(f"{ME}/totp", json={"password": "wrong horse battery"})
    confirmed = await alice.post(f"{ME}/totp/confirm", json={"code": "123456"})

    assert (begun.status_code, confirmed.status_code) == (401, 409)


# Sessions


async def test_one_sees_where_one_is_signed_in_and_ends_one_of_them(rig: Rig, alice: httpx.AsyncClient) -> None:
    other = another_session(rig)
    listed = (await alice.get(f"{ME}/sessions")).json()["sessions"]
    assert {(each["source"], each["is_current"]) for each in listed} == {("", True), ("192.0.2.9", False)}

    name = next(each["id"] for each in listed if not each["is_current"])
    assert (await alice.delete(f"{ME}/sessions/{name}")).status_code == 204

    assert not await is_good(rig, other)
    assert (await alice.delete(f"{ME}/sessions/{name}")).status_code == 404
    assert log(rig) == [("person.signed_out", {"sessions": 1})]


async def test_a_session_that_has_ended_is_not_listed(rig: Rig, alice: httpx.AsyncClient) -> None:
    another_session(rig)
    rig.clock.move(seconds=IDLE_MS / 2000)
    await alice.get(ME)
    rig.storage.write(lambda session: None)  # what was submitted before is written
    rig.clock.move(seconds=IDLE_MS / 2000)

    listed = (await alice.get(f"{ME}/sessions")).json()["sessions"]
    assert [each["is_current"] for each in listed] == [True]


async def test_another_persons_session_is_not_there(rig: Rig, alice: httpx.AsyncClient) -> None:
    async with rig.client("bob") as bob:
        name = (await bob.get(f"{ME}/sessions")).json()["sessions"][0]["id"]

        assert (await alice.delete(f"{ME}/sessions/{name}")).status_code == 404
        assert (await bob.get(ME)).status_code == 200


@ON_BOTH
async def test_revoking_all_signs_one_out_everywhere_and_nobody_else(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    other = another_session(rig)

    assert (await alice.post(f"{ME}/sessions/revoke-all")).json() == {"sessions": 2}

    assert not await is_good(rig, other)
    assert (await alice.get(ME)).status_code == 401
    assert await is_good(rig, rig.tokens["bob"])
    assert log(rig) == [("person.signed_out", {"sessions": 2})]


# Tokens


@ON_BOTH
async def test_a_token_acts_as_its_person_for_what_it_is_for(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice, scopes=["read", "tickets:write"])
    async with rig.client(None, headers={"authorization": f"Bearer {token}"}) as program:
        opened = await program.post("/api/v1/tickets", json={"client": "acme", "title": "from a program"})
        silenced = await program.post("/api/v1/silences", json={})

    assert token.startswith("toc_api_")
    assert opened.status_code == 201
    assert (silenced.status_code, silenced.json()["detail"]) == (403, "this token is not for silences:write")
    assert [act for act, _ in log(rig)] == ["token.made", "ticket.opened"]
    assert log(rig)[0][1] == {
        "login": "alice",
        "name": "wallboard",
        "scopes": "read tickets:write",
        "expires_ms": NOW + 90 * DAY_MS,
    }


@ON_BOTH
async def test_a_token_may_no_more_than_its_person(rig: Rig) -> None:
    async with rig.client("charlie") as charlie:
        token = await make(charlie, scopes=["read", "tickets:write"])
    async with rig.client(None, headers={"authorization": f"Bearer {token}"}) as program:
        assert (await program.get("/api/v1/tickets")).status_code == 200
        assert (await program.post("/api/v1/tickets", json={})).status_code == 403


async def test_without_the_scope_to_read_a_token_reads_nothing(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice, scopes=["tickets:write"])
    async with rig.client(None, headers={"authorization": f"Bearer {token}"}) as program:
        assert (await program.get("/api/v1/tickets")).status_code == 403


async def test_no_token_reaches_its_persons_way_in(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice, scopes=["read", "tickets:write", "silences:write"])
    own = [(method, path) for method, path in every_route() if path.startswith(f"{ME}/")]
    async with rig.client(None, headers={"authorization": f"Bearer {token}"}) as program:
        answers = [await program.request(*route, json={}) for route in (*own, ("POST", "/api/v1/logout"))]

    assert len(answers) > 10
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["detail"] for answer in answers} == {"no token is for this"}


def test_no_permission_is_two_scopes_and_a_token_that_reads_changes_nothing(rig: Rig) -> None:
    """One that is in no scope is for no token."""
    permitted = list(chain.from_iterable(SCOPES.values()))
    assert len(permitted) == len(set(permitted))
    assert Permission.CONTRACT not in permitted
    reading = {method for method, _, handler in handlers(routes(rig.deps)) if scope_for(handler) == "read"}
    assert reading <= {"GET", "HEAD"}


@ON_BOTH
async def test_a_token_ends_on_its_day(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice, days=1)
    rig.clock.move(seconds=DAY_MS / 1000 - 1)
    assert await is_good(rig, token)

    rig.clock.move(seconds=1)
    assert not await is_good(rig, token)


@pytest.mark.parametrize("change", [{"days": 0}, {"days": 367}, {"scopes": []}, {"name": " "}])
async def test_a_token_that_makes_no_sense_is_refused_and_is_no_failed_attempt(
    alice: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    answers = [await alice.post(f"{ME}/tokens", json=TOKEN | change) for _ in range(7)]

    assert {answer.status_code for answer in answers} == {422}


async def test_a_token_asks_for_the_password_and_the_code(rig: Rig, alice: httpx.AsyncClient) -> None:
    secret, _ = enrolled(rig)

    wrong = await alice.post(f"{ME}/tokens", json=TOKEN | {"password": "wrong horse battery"})
    without = await alice.post(f"{ME}/tokens", json=TOKEN)
    await make(alice, code=code_at(secret, NOW))

    assert (wrong.json()["type"], without.json()["type"]) == ("unauthenticated", "code-required")


@ON_BOTH
async def test_a_revoked_token_is_nobodys_and_anothers_is_not_there(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice)
    listed = (await alice.get(f"{ME}/tokens")).json()["tokens"]
    async with rig.client("bob") as bob:
        assert (await bob.delete(f"{ME}/tokens/{listed[0]['id']}")).status_code == 404
    assert await is_good(rig, token)

    assert (await alice.delete(f"{ME}/tokens/{listed[0]['id']}")).status_code == 204

    assert not await is_good(rig, token)
    assert (await alice.get(f"{ME}/tokens")).json() == {"tokens": []}
    assert log(rig)[-1] == ("token.revoked", {"login": "alice", "name": "wallboard"})


@ON_BOTH
async def test_a_token_of_who_is_disabled_is_nobodys(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice)

    def disable(session) -> None:
        session.exec(select(PersonRow).where(PersonRow.login == "alice")).one().disabled_ms = NOW

    rig.storage.write(disable)
    assert not await is_good(rig, token)


@ON_BOTH
async def test_when_it_was_last_used_is_kept_to_an_hour(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice)
    seen = []
    for _ in range(3):
        assert await is_good(rig, token)
        rig.storage.write(lambda session: None)  # what was submitted before is written
        seen.append(rig.storage.read(lambda s: s.exec(select(ApiTokenRow.used_ms)).one()))
        rig.clock.move(seconds=TOUCH_EVERY_MS / 2000)

    assert seen == [NOW, NOW, NOW + TOUCH_EVERY_MS]


@ON_BOTH
async def test_nobody_has_more_tokens_than_can_be_looked_over(rig: Rig, alice: httpx.AsyncClient) -> None:
    def fill(session) -> None:
        session.add_all(
            ApiTokenRow(
                digest=str(n), person_id=1, name="n", scopes="read", created_ms=NOW, expires_ms=NOW + DAY_MS
            )
            for n in range(MOST_EACH)
        )

    rig.storage.write(fill)
    assert (await alice.post(f"{ME}/tokens", json=TOKEN)).status_code == 409


async def test_a_token_of_whose_role_needs_a_device_is_good_only_with_one(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    token = await make(alice)
    rig.deps.settings.require_totp.append(Role.TECHNICIAN)
    async with rig.client(None, headers={"authorization": f"Bearer {token}"}) as program:
        before = await program.get("/api/v1/tickets")
        enrolled(rig)
        after = await program.get("/api/v1/tickets")

    assert (before.status_code, after.status_code) == (403, 200)


@ON_BOTH
async def test_the_database_does_not_know_the_token(rig: Rig, alice: httpx.AsyncClient) -> None:
    token = await make(alice)

    kept = rig.storage.read(lambda s: s.exec(select(ApiTokenRow)).one().model_dump_json())
    assert token not in kept
    assert token not in str(log(rig))
