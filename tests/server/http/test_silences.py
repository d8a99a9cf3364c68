"""Silences over HTTP: made, changed, ended, in force before the answer, and of clients that one sees only."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.http.rig import NOW, Rig

from tocsin_protocol.silences import NewSilence
from tocsin_server.errors import Refused
from tocsin_server.http import silences
from tocsin_server.http.silences import Reach

SILENCES = "/api/v1/silences"
DISKS = '{alertname="DiskFull"}'
AT = datetime.fromtimestamp(NOW / 1000, tz=UTC)


def when(**later: float) -> str:
    return (AT + timedelta(**later)).isoformat()


def asked(**values: Any) -> dict[str, Any]:
    """Acme's disks are to be silent for two hours."""
    return {"client": "acme", "matchers": DISKS, "ends_at": when(hours=2), **values}


async def made(via: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    answer = await via.post(SILENCES, json=asked(**values))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def ids(via: httpx.AsyncClient, **question: str) -> list[int]:
    page = (await via.get(SILENCES, params=question)).raise_for_status().json()
    return [each["id"] for each in page["silences"]]


@pytest.fixture
def acmes(rig: Rig) -> Rig:
    """Where people see Acme only."""
    rig.sees("acme")
    return rig


async def test_a_silence_is_told_as_it_is_kept(rig: Rig, alice: httpx.AsyncClient) -> None:
    told = await made(alice, matchers='alertname = "DiskFull", instance=~db-.+', comment=" disk swap ")

    assert told == {
        "id": told["id"],
        "client": "acme",
        "matchers": '{alertname="DiskFull",instance=~"db-.+"}',
        "state": "active",
        "starts_at": "2023-11-14T22:13:20Z",
        "ends_at": "2023-11-15T00:13:20Z",
        "author": "alice",
        "comment": "disk swap",
    }
    assert (await alice.get(f"{SILENCES}/{told['id']}")).json() == told
    assert (await alice.get(SILENCES)).json() == {"silences": [told]}


async def test_a_silence_is_in_force_before_the_answer_and_consoles_look_again(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    before = rig.deps.broker.count
    told = await made(alice)
    kept, heard = rig.deps.silences.kept(), rig.deps.broker.count

    await alice.delete(f"{SILENCES}/{told['id']}")

    assert [silence.id for silence in kept] == [told["id"]]
    assert rig.deps.silences.kept() == ()
    assert len({before, heard, rig.deps.broker.count}) == 3


async def test_ending_a_silence_twice_is_ending_it_once(rig: Rig, alice: httpx.AsyncClient) -> None:
    told = await made(alice)
    rig.clock.move(seconds=60)

    once = await alice.delete(f"{SILENCES}/{told['id']}")
    rig.clock.move(seconds=60)
    twice = await alice.delete(f"{SILENCES}/{told['id']}")

    assert (once.status_code, twice.status_code) == (200, 200)
    assert once.json() == twice.json()
    assert (once.json()["state"], once.json()["ends_at"]) == ("expired", "2023-11-14T22:14:20Z")


async def test_expired_ones_are_listed_only_where_all_are_asked_for(rig: Rig, alice: httpx.AsyncClient) -> None:
    old, pending, everywhere = [
        (await made(alice, **values))["id"]
        for values in ({}, {"starts_at": when(hours=1), "client": "globex"}, {"client": None})
    ]
    await alice.delete(f"{SILENCES}/{old}")

    assert sorted(await ids(alice)) == sorted(await ids(alice, which="active")) == [pending, everywhere]
    assert sorted(await ids(alice, which="all")) == [old, pending, everywhere]
    assert await ids(alice, client="acme") == [everywhere]
    assert sorted(await ids(alice, client="acme", which="all")) == [old, everywhere]
    assert sorted(await ids(alice, client="globex")) == [pending, everywhere]


async def test_another_end_and_other_words_change_it_in_place(rig: Rig, alice: httpx.AsyncClient) -> None:
    told = await made(alice)
    rig.clock.move(seconds=60)

    async with rig.client("bob") as bob:
        changed = await made(bob, id=told["id"], ends_at=when(hours=5), comment="takes longer")

    assert changed == told | {
        "ends_at": "2023-11-15T03:13:20Z",
        "author": "bob",
        "comment": "takes longer",
    }
    assert await ids(alice, which="all") == [told["id"]]


async def test_one_that_has_not_begun_keeps_its_start_unless_another_is_given(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    told = await made(alice, starts_at=when(hours=1))

    kept = await made(alice, id=told["id"], comment="later")
    moved = await made(alice, id=told["id"], starts_at=when(minutes=30))

    assert (kept["id"], kept["starts_at"]) == (told["id"], told["starts_at"])
    assert (moved["id"], moved["starts_at"]) == (told["id"], "2023-11-14T22:43:20Z")


@pytest.mark.parametrize(
    "change", [{"matchers": 'alertname="LoadHigh"'}, {"client": "globex"}, {"starts_at": when(minutes=5)}]
)
async def test_a_change_of_its_past_ends_it_and_makes_another(
    rig: Rig, alice: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    told = await made(alice)
    rig.clock.move(seconds=60)

    other = await made(alice, id=told["id"], **change)

    old = (await alice.get(f"{SILENCES}/{told['id']}")).json()
    assert other["id"] != told["id"]
    assert (old["state"], old["ends_at"]) == ("expired", "2023-11-14T22:14:20Z")


async def test_one_that_has_expired_becomes_another_that_begins_now(rig: Rig, alice: httpx.AsyncClient) -> None:
    told = await made(alice)
    await alice.delete(f"{SILENCES}/{told['id']}")
    rig.clock.move(seconds=60)

    again = await made(alice, id=told["id"])

    assert again["id"] != told["id"]
    assert (again["state"], again["starts_at"]) == ("active", "2023-11-14T22:14:20Z")


@pytest.mark.parametrize(
    ("values", "status", "why"),
    [
        ({"matchers": "disk full"}, 422, "matchers: 'disk full' is not a matcher"),
        ({"matchers": 'a=~"("'}, 422, "matchers: "),
        ({"matchers": "{}"}, 422, "a silence needs a matcher"),
        ({"matchers": 'a=~".*"'}, 422, "does not match the empty word"),
        ({"matchers": "a=" + "b" * 10_000}, 422, "are longer than 8192"),
        ({"ends_at": when(hours=-1)}, 422, "has to end after it starts"),
        ({"ends_at": when(hours=-1), "starts_at": when(hours=-2)}, 422, "cannot end in the past"),
        ({"ends_at": "2023-11-15T00:00:00"}, 422, "ends_at 2023-11-15T00:00:00 has no time zone"),
        ({"starts_at": "2023-11-15T00:00:00"}, 422, "starts_at 2023-11-15T00:00:00 has no time zone"),
        ({"ends_at": "9999-12-31T23:59:59-23:00"}, 422, "before the year 9999"),
        ({"ends_at": "soon"}, 400, "RFC3339"),
        ({"comment": "x" * 2001}, 413, "the comment has 2001 characters"),
        ({"client": "nobody"}, 404, "no client is called 'nobody'"),
        ({"id": 77}, 404, "there is no silence 77"),
        ({"id": -1}, 404, "there is no silence -1"),
        ({"id": 1 << 63}, 404, "there is no silence 9223372036854775808"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    rig: Rig, alice: httpx.AsyncClient, values: dict[str, Any], status: int, why: str
) -> None:
    answer = await alice.post(SILENCES, json=asked(**values))

    assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
    assert await ids(alice, which="all") == []


async def test_a_question_that_is_none_names_the_word(alice: httpx.AsyncClient) -> None:
    answer = await alice.get(SILENCES, params={"which": "some"})

    assert (answer.status_code, answer.json()["detail"].startswith("which: ")) == (400, True)


@pytest.mark.parametrize("silence_id", ["77", str(1 << 70)])
async def test_what_is_not_there_is_not_found(alice: httpx.AsyncClient, silence_id: str) -> None:
    answers = [await alice.request(method, f"{SILENCES}/{silence_id}") for method in ("GET", "DELETE")]

    assert all(answer.status_code in (400, 404) for answer in answers)


async def test_a_viewer_reads_silences_and_makes_none(rig: Rig, alice: httpx.AsyncClient) -> None:
    told = await made(alice)

    async with rig.client("charlie") as charlie:
        read = await charlie.get(f"{SILENCES}/{told['id']}")
        refused = [
            await charlie.post(SILENCES, json=asked()),
            await charlie.delete(f"{SILENCES}/{told['id']}"),
        ]

    assert read.json() == told
    assert [answer.status_code for answer in refused] == [403, 403]
    assert await ids(alice) == [told["id"]]


# -- whose they are


async def test_a_foreign_silence_is_as_one_that_nobody_has(rig: Rig, alice: httpx.AsyncClient) -> None:
    foreign = (await made(alice, client="globex"))["id"]
    rig.sees("acme")
    async with rig.client() as narrow:

        async def tries(silence_id: int) -> list[tuple[int, str]]:
            path = f"{SILENCES}/{silence_id}"
            answers = [
                await narrow.get(path),
                await narrow.delete(path),
                await narrow.post(SILENCES, json=asked(id=silence_id)),
            ]
            return [(each.status_code, each.text.replace(str(silence_id), "…")) for each in answers]

        assert await tries(foreign) == await tries(foreign + 1000)
        assert {status for status, _ in await tries(foreign)} == {404}
        assert await ids(narrow, which="all") == []

    rig.sees("globex")
    async with rig.client() as globex:
        assert (await globex.get(f"{SILENCES}/{foreign}")).json()["state"] == "active"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_is_not_seen_is_not_there(acmes: Rig, method: str) -> None:
    async with acmes.client() as narrow:
        answers = [
            await narrow.request(method, SILENCES, params={"client": slug}, json=asked(client=slug))
            for slug in ("globex", "nobody!")
        ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text.replace("nobody!", "globex")


async def test_a_silence_does_not_move_to_a_client_that_is_not_seen(acmes: Rig) -> None:
    async with acmes.client() as narrow:
        told = await made(narrow)
        moved = await narrow.post(SILENCES, json=asked(id=told["id"], client="globex"))

    assert moved.status_code == 404
    assert [(each.id, each.client_id) for each in acmes.deps.silences.kept()] == [(told["id"], 1)]


async def test_only_who_sees_all_clients_makes_or_ends_a_silence_for_all(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    everywhere = await made(alice, client=None)
    rig.sees("acme")

    async with rig.client() as narrow:
        own = await made(narrow)
        seen = await ids(narrow)
        refused = [
            await narrow.post(SILENCES, json=asked(client=None)),
            await narrow.post(SILENCES, json=asked(id=own["id"], client=None)),
            await narrow.post(SILENCES, json=asked(id=everywhere["id"])),
            await narrow.delete(f"{SILENCES}/{everywhere['id']}"),
        ]

    assert everywhere["client"] is None
    assert sorted(seen) == [everywhere["id"], own["id"]]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert {each.client_id for each in rig.deps.silences.kept()} == {None, 1}


# -- whatever is sent


@settings(max_examples=share(60))
@given(
    st.builds(
        NewSilence,
        matchers=st.text(max_size=40) | st.just(DISKS),
        ends_at=st.datetimes(timezones=st.none() | st.timezones()),
        starts_at=st.none() | st.datetimes(timezones=st.none() | st.timezones()),
        comment=st.text(max_size=40),
    )
)
def test_whatever_is_sent_is_a_wish_or_is_refused(data: NewSilence) -> None:
    with contextlib.suppress(Refused):
        wish = silences._wish(data, Reach("alice", {}, is_everywhere=True), NOW)

        # In UTC: a moment that a clock shows twice is equal to none of another zone.
        ends_at = data.ends_at.astimezone(UTC)
        ends_at = ends_at.replace(microsecond=ends_at.microsecond // 1000 * 1000)
        assert AT + timedelta(milliseconds=wish.ends_ms - NOW) == ends_at
