"""Idempotency keys: however often a request comes, it has one effect and one answer."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests.databases import ON_BOTH
from tests.examples import EXAMPLES
from tests.server.http.rig import NOW, Rig, make_rig
from tests.server.http.test_tickets import TICKETS, opened

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.grants import Grant
from tocsin_server.access.standing import Wish, change
from tocsin_server.access.store import ANSWERS, AUDIT
from tocsin_server.errors import Refused
from tocsin_server.http import once
from tocsin_server.http.once import MAX_KEY, read_key
from tocsin_server.storage.engine import Storage

KEY = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}
DAY_MS = 24 * 3_600_000
SILENCE = {"matchers": '{alertname="DiskFull"}', "ends_at": "2099-01-01T00:00:00Z"}


def count(rig: Rig, table: Any) -> int:
    return int(
        rig.storage.read(lambda session: session.execute(select(func.count()).select_from(table)).scalar())
    )


class Deaf(httpx.AsyncBaseTransport):
    """The request arrives and is done; the answer is lost."""

    def __init__(self, rig: Rig) -> None:
        self._there = rig.client()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._there.send(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        raise httpx.ReadError(f"the line broke, and {answer.status_code} is lost")


@ON_BOTH
async def test_a_repeat_is_answered_as_the_first_was_and_does_nothing(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}/comment"
    said, audited = {"text": "a disk is on its way"}, count(rig, AUDIT)

    first = await alice.post(path, json=said, headers=KEY)
    again = await alice.post(path, json=said, headers=KEY)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (await alice.get(f"{TICKETS}/{ticket['id']}")).json()["ticket"]["version"] == 2
    assert count(rig, AUDIT) == audited + 1
    assert len(rig.notices.told) == 2


@ON_BOTH
async def test_what_is_opened_or_silenced_twice_is_there_once(rig: Rig, alice: httpx.AsyncClient) -> None:
    new = {"client": "acme", "title": "The bell is silent"}

    tickets = [await alice.post(TICKETS, json=new, headers=KEY) for _ in range(3)]
    silences = [
        await alice.post("/api/v1/silences", json=SILENCE, headers={"idempotency-key": '"other"'})
        for _ in range(3)
    ]

    assert {answer.status_code for answer in (*tickets, *silences)} == {201}
    assert len({answer.content for answer in tickets}) == len({answer.content for answer in silences}) == 1
    assert len((await alice.get(TICKETS)).json()["tickets"]) == 1
    assert len((await alice.get("/api/v1/silences")).json()["silences"]) == 1


@ON_BOTH
async def test_an_answer_that_is_lost_after_the_commit_is_told_by_the_server_that_comes_after(
    rig: Rig, alice: httpx.AsyncClient, tmp_path: Path
) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}/comment"
    headers = dict(alice.headers) | KEY
    async with httpx.AsyncClient(transport=Deaf(rig), base_url=alice.base_url) as deaf:
        with pytest.raises(httpx.ReadError, match="200 is lost"):
            await deaf.post(path, json={"text": "rung by hand"}, headers=headers)
    rig.storage.close()

    with Storage(rig.storage.address) as opened_again:
        async with make_rig(opened_again, rig.tokens, tmp_path).client() as alice_again:
            told = await alice_again.post(path, json={"text": "rung by hand"}, headers=KEY)

    assert told.headers["idempotency-replayed"] == "true"
    assert [event["text"] for event in told.json()["events"][1:]] == ["rung by hand"]


async def test_where_the_answer_cannot_be_kept_nothing_is_done(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await opened(alice)

    def full(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(once, "keep_answer", full)
        failed = await alice.post(f"{TICKETS}/{ticket['id']}/take", json={}, headers=KEY)
    untouched = (await alice.get(f"{TICKETS}/{ticket['id']}")).json()
    done = await alice.post(f"{TICKETS}/{ticket['id']}/take", json={}, headers=KEY)

    assert failed.status_code == 500
    assert untouched["ticket"] == ticket
    assert (done.status_code, done.json()["ticket"]["owner"]) == (200, "alice")


@pytest.mark.parametrize(
    ("verb", "body", "more"),
    [
        ("comment", {"text": "another"}, {}),
        ("resolve", {"text": "one"}, {}),
        ("comment", {"text": "one"}, {"if-match": '"v1"'}),
    ],
)
async def test_a_key_stands_for_one_request(
    alice: httpx.AsyncClient, verb: str, body: dict[str, Any], more: dict[str, str]
) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}"
    await alice.post(f"{path}/comment", json={"text": "one"}, headers=KEY)

    other = await alice.post(f"{path}/{verb}", json=body, headers=KEY | more)

    assert other.status_code == 422
    assert "was used for another request" in other.json()["detail"]
    assert (await alice.get(path)).json()["ticket"]["version"] == 2


@ON_BOTH
async def test_a_key_is_its_persons_own(rig: Rig, alice: httpx.AsyncClient) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}/comment"
    await alice.post(path, json={"text": "mine"}, headers=KEY)

    async with rig.client("bob") as bob:
        his = await bob.post(path, json={"text": "mine"}, headers=KEY)

    assert his.json()["ticket"]["version"] == 3
    assert "idempotency-replayed" not in his.headers


@ON_BOTH
async def test_what_was_refused_is_tried_again(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    async with rig.client("bob") as bob:
        await bob.post(f"{TICKETS}/{ticket['id']}/take", json={})
        refused = await alice.post(f"{TICKETS}/{ticket['id']}/take", json={}, headers=KEY)
        await bob.post(f"{TICKETS}/{ticket['id']}/release", json={})

    done = await alice.post(f"{TICKETS}/{ticket['id']}/take", json={}, headers=KEY)

    assert (refused.status_code, done.status_code) == (409, 200)
    assert "idempotency-replayed" not in done.headers


async def test_a_repeat_that_comes_while_the_first_is_in_work_is_told_to_wait(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}/comment"

    answers = await asyncio.gather(
        *(alice.post(path, json={"text": "once"}, headers=KEY) for _ in range(5)),
        alice.post(path, json={"text": "another"}, headers={"idempotency-key": '"other"'}),
    )
    later = await alice.post(path, json={"text": "once"}, headers=KEY)

    *same, other = answers
    early = [answer for answer in same if answer.status_code == 409]
    assert {answer.json()["type"] for answer in early} == {"in-work"}
    assert {answer.status_code for answer in same} == {200, 409}
    assert other.status_code == 200
    assert later.headers["idempotency-replayed"] == "true"
    assert sorted(event["text"] for event in other.json()["events"][1:])[:1] == ["another"]
    assert [event["text"] for event in later.json()["events"]].count("once") == 1


@ON_BOTH
async def test_after_a_day_a_key_is_as_good_as_new(rig: Rig, alice: httpx.AsyncClient) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}/comment"
    await alice.post(path, json={"text": "monday"}, headers=KEY)
    rig.clock.move(seconds=DAY_MS / 1000)
    token = await alice.post("/api/v1/login", json={"login": "alice", "password": "correct horse battery"})
    alice.headers["authorization"] = f"Bearer {token.json()['token']}"

    tuesday = await alice.post(path, json={"text": "tuesday"}, headers=KEY)
    again = await alice.post(path, json={"text": "tuesday"}, headers=KEY)

    assert tuesday.json()["ticket"]["version"] == 3
    assert again.content == tuesday.content
    assert count(rig, ANSWERS) == 1


@ON_BOTH
async def test_an_answer_about_a_client_that_is_not_seen_any_more_is_not_given(rig: Rig) -> None:
    async with rig.client() as alice:
        path = f"{TICKETS}/{(await opened(alice))['id']}/comment"
        await alice.post(path, json={"text": "secret"}, headers=KEY)
    rig.sees("globex")

    async with rig.client() as alice:
        again = await alice.post(path, json={"text": "secret"}, headers=KEY)

    assert again.status_code == 404
    assert "secret" not in again.text


async def test_an_answer_is_not_given_again_in_another_role(rig: Rig, alice: httpx.AsyncClient) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}/comment"
    await alice.post(path, json={"text": "among technicians"}, headers=KEY)
    wish = Wish(role=Role.CLIENT_APPROVER, sees=Grant(clients=["acme"]))
    rig.storage.write(lambda session: change(session, "alice", wish))

    again = await alice.post(path, json={"text": "among technicians"}, headers=KEY)

    assert again.status_code == 422
    assert "technicians" not in again.text


@pytest.mark.parametrize(
    "key", ["bare", "", '""', '"open', f'"{"x" * (MAX_KEY + 1)}"', '"a"; p=1', '"a", "b"', '"\\x"', '"\xe9"']
)
async def test_what_is_no_key_is_refused(alice: httpx.AsyncClient, key: str) -> None:
    headers = {"idempotency-key": key.encode("latin-1")}

    answer = await alice.post(TICKETS, json={"client": "acme", "title": "x"}, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (400, "refused")
    assert "in double quotes" in answer.json()["remedy"]


async def test_two_keys_are_none(alice: httpx.AsyncClient) -> None:
    answer = await alice.post(
        TICKETS,
        json={"client": "acme", "title": "x"},
        headers=[("idempotency-key", '"a"'), ("idempotency-key", '"a"')],
    )

    assert answer.status_code == 400


@settings(max_examples=EXAMPLES)
@given(key=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=MAX_KEY))
def test_any_printable_key_is_read_as_it_was_written(key: str) -> None:
    spelled = key.replace("\\", "\\\\").replace('"', '\\"')

    assert read_key([f' "{spelled}"\t']) == key


@settings(max_examples=EXAMPLES)
@given(text=st.text(st.characters(max_codepoint=0xFF), max_size=20) | st.text('"\\ a', max_size=8))
def test_whatever_stands_for_a_key_it_is_read_or_refused(text: str) -> None:
    try:
        key = read_key([text])
    except Refused:
        return
    assert key


async def test_no_token_is_kept_with_an_answer(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        who = {"login": "alice", "password": "correct horse battery"}
        tokens = {(await nobody.post("/api/v1/login", json=who, headers=KEY)).json()["token"] for _ in range(2)}

    assert len(tokens) == 2
    assert count(rig, ANSWERS) == 0
    assert rig.clock.now_ms() == NOW
