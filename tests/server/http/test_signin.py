"""A password, then a code, each counted and written down; and no session before both were right."""

import json

import httpx
import pyotp
import pytest
from sqlmodel import select, update
from tests.server.http.rig import NOW, PASSWORD, VAULT, Rig

from tocsin_protocol.vocabulary import Role
from tocsin_server.access import totp
from tocsin_server.access.attempts import PAIR
from tocsin_server.access.auditlog import entries
from tocsin_server.access.people import issue_session, person_named
from tocsin_server.access.store import LoginSession, PersonRow, TryRow

LOGIN = "/api/v1/login"


def code_at(secret: str, now_ms: int) -> str:
    return pyotp.TOTP(secret).generate_otp(now_ms // totp.STEP_MS)


def enrolled(rig: Rig, login: str = "alice") -> tuple[str, list[str]]:
    """A device that was enrolled an hour ago: its secret, and the recovery codes."""

    def act(session):
        person, then_ms = person_named(session, login), NOW - 3_600_000
        secret = totp.begin(session, person, VAULT, then_ms).secret
        return secret, totp.confirm(session, person.id, code_at(secret, then_ms), VAULT, then_ms)

    return rig.storage.write(act)


async def sign_in(rig: Rig, password: str = PASSWORD, login: str = "alice", **more: str) -> httpx.Response:
    async with rig.client(None) as nobody:
        return await nobody.post(LOGIN, json={"login": login, "password": password, **more})


def sessions(rig: Rig) -> int:
    return len(rig.storage.read(lambda s: s.exec(select(LoginSession)).all()))


def log(rig: Rig) -> list[tuple[str, dict]]:
    told = rig.storage.read(lambda s: list(entries(s)))
    return [(entry.act, json.loads(entry.details)) for entry in told]


async def test_a_right_password_without_a_code_gives_no_session_and_says_what_is_needed(rig: Rig) -> None:
    enrolled(rig)
    before = sessions(rig)

    answer = await sign_in(rig)

    assert (answer.status_code, answer.json()["type"]) == (401, "code-required")
    assert "token" not in answer.text
    assert (sessions(rig), log(rig)) == (before, [])


async def test_with_the_code_one_is_signed_in(rig: Rig) -> None:
    secret, _ = enrolled(rig)

    answer = await sign_in(rig, code=code_at(secret, NOW))

    assert answer.status_code == 200
    assert not answer.json()["must_enrol"]
    assert log(rig) == [("person.signed_in", {"factor": "code"})]


async def test_a_code_that_was_used_is_refused_and_written_down(rig: Rig) -> None:
    secret, _ = enrolled(rig)
    await sign_in(rig, code=code_at(secret, NOW))
    before = sessions(rig)

    again = await sign_in(rig, code=code_at(secret, NOW))

    assert (again.status_code, again.json()["type"]) == (401, "code-required")
    assert again.json()["detail"] == "the code is wrong, or was used already"
    assert sessions(rig) == before
    assert log(rig)[-1] == ("person.sign_in_failed", {"at": "code"})


async def test_a_recovery_code_is_good_once_and_the_log_says_how_many_are_left(rig: Rig) -> None:
    _, codes = enrolled(rig)

    assert (await sign_in(rig, code=codes[3])).status_code == 200
    assert log(rig) == [("person.signed_in", {"factor": "recovery code", "left": 9})]
    assert (await sign_in(rig, code=codes[3])).status_code == 401


async def test_a_right_code_with_a_wrong_password_says_no_more_than_any_wrong_password(rig: Rig) -> None:
    secret, _ = enrolled(rig)

    with_code = await sign_in(rig, "wrong horse battery", code=code_at(secret, NOW))
    nobody = await sign_in(rig, login="mallory", code="123456")

    assert with_code.json() == nobody.json()
    assert with_code.json()["type"] == "unauthenticated"
    assert (await sign_in(rig, code=code_at(secret, NOW))).status_code == 200  # it was not used up


async def test_codes_cannot_be_guessed_faster_than_passwords(rig: Rig) -> None:
    enrolled(rig)
    guesses = [await sign_in(rig, code=f"{number:06}") for number in range(PAIR.free)]

    hasty = await sign_in(rig, code="999999")

    assert {guess.status_code for guess in guesses} == {401}
    assert (hasty.status_code, hasty.headers["retry-after"]) == (429, "1")
    assert log(rig)[-1] == ("person.sign_in_failed", {"at": "code", "wait_s": 1})


async def test_asking_for_the_code_forgets_no_failure_and_adds_none(rig: Rig) -> None:
    enrolled(rig)
    for number in range(PAIR.free - 1):
        await sign_in(rig, code=f"{number:06}")
        assert (await sign_in(rig)).json()["type"] == "code-required"

    await sign_in(rig, code="999999")
    assert (await sign_in(rig)).status_code == 429


async def test_waiting_is_told_alike_whether_there_is_such_a_login_or_not(rig: Rig) -> None:
    answers = {}
    for login in ("alice", "mallory"):
        for _ in range(PAIR.free):
            await sign_in(rig, "wrong horse battery", login)
        answers[login] = await sign_in(rig, "wrong horse battery", login)

    assert answers["alice"].json() == answers["mallory"].json()
    assert answers["alice"].status_code == answers["mallory"].status_code == 429


async def test_what_comes_too_early_does_not_get_to_the_writer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(PAIR.free):
        await sign_in(rig, "wrong horse battery")

    monkeypatch.setattr(rig.storage, "write_soon", None)
    assert (await sign_in(rig, "wrong horse battery")).status_code == 429


async def test_no_header_makes_somebody_come_from_elsewhere(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        for number in range(PAIR.free + 1):
            answer = await nobody.post(
                LOGIN,
                json={"login": "alice", "password": "wrong horse battery"},
                headers={"x-forwarded-for": f"203.0.113.{number}", "forwarded": f"for=203.0.113.{number}"},
            )

    assert answer.status_code == 429


async def test_what_was_typed_as_a_login_is_not_to_be_found_in_the_database(rig: Rig) -> None:
    await sign_in(rig, "alice", login="correct horse battery")

    kept = rig.storage.read(lambda s: [row.model_dump_json() for row in s.exec(select(TryRow))])
    assert len(kept) == 3
    assert not [row for row in kept if "horse" in row]


async def test_a_password_that_is_changed_meanwhile_is_no_longer_right(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_right(_kept: str | None, _password: str) -> bool:
        rig.storage.write(lambda s: s.exec(update(PersonRow).values(password_hash="another")) and None)
        return True

    monkeypatch.setattr(type(rig.deps.passwords), "is_right", lambda _self, kept, word: is_right(kept, word))

    assert (await sign_in(rig)).status_code == 401


@pytest.fixture
def strict(rig: Rig) -> Rig:
    """Technicians need codes."""
    rig.deps.settings.require_totp.append(Role.TECHNICIAN)
    return rig


async def test_whose_role_needs_codes_may_sign_in_to_enrol_and_do_nothing_else(strict: Rig) -> None:
    answer = await sign_in(strict)
    headers = {"authorization": f"Bearer {answer.json()['token']}"}

    assert answer.json()["must_enrol"]
    async with strict.client(None, headers=headers) as alice:
        refused = [
            await alice.get("/api/v1/tickets"),
            await alice.get("/api/v1/query", params={"query": "up"}),
            await alice.get("/api/v1/events"),
            await alice.get("/api/v1/me/tokens"),
            await alice.post("/api/v1/tickets", json={"client": "acme", "title": "t"}),
            await alice.post("/api/v1/me/password", json={"old": PASSWORD, "new": "four other words"}),
        ]
        assert {each.status_code for each in refused} == {403}
        assert {each.json()["type"] for each in refused} == {"enrolment-required"}
        assert (await alice.get("/api/v1/me")).status_code == 200

        offer = (await alice.post("/api/v1/me/totp", json={"password": PASSWORD})).json()
        code = code_at(offer["secret"], NOW)
        done = await alice.post("/api/v1/me/totp/confirm", json={"code": code})
        assert len(done.json()["codes"]) == 10
        assert (await alice.get("/api/v1/tickets")).status_code == 200


async def test_who_has_a_device_and_whose_role_needs_none_are_let_in(strict: Rig) -> None:
    secret, _ = enrolled(strict)

    assert not (await sign_in(strict, code=code_at(secret, NOW))).json()["must_enrol"]
    assert not (await sign_in(strict, login="bob")).json()["must_enrol"]


async def test_a_session_that_the_operator_gives_needs_no_device(strict: Rig) -> None:
    token = strict.storage.write(lambda s: issue_session(s, person_named(s, "alice"), NOW, unlimited=True))
    async with strict.client(None, headers={"authorization": f"Bearer {token}"}) as alice:
        assert (await alice.get("/api/v1/tickets")).status_code == 200


@pytest.mark.parametrize("login", ["\x00", "a\x00b", "é" * 70, "' OR 1=1 --", "x" * 10_000])
async def test_what_can_be_no_login_is_answered_as_any_wrong_one(rig: Rig, login: str) -> None:
    assert (await sign_in(rig, login=login)).json()["detail"] == "the login or the password is wrong"


@pytest.mark.parametrize(
    "path", ["tokens/99999999999999999999", "tokens/-1", "sessions/%00", "sessions/" + "x" * 999]
)
async def test_what_can_be_no_id_is_not_there(rig: Rig, path: str) -> None:
    async with rig.client("alice") as alice:
        assert (await alice.delete(f"/api/v1/me/{path}")).status_code in {400, 404}
