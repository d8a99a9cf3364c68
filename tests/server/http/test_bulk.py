"""One act on many tickets: each is done or refused for itself, and all are told at once."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.databases import ON_BOTH
from tests.server.http.rig import Rig
from tests.server.http.test_tickets import TICKETS, opened, ringing

from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.access.store import AUDIT

BULK = f"{TICKETS}/bulk"


async def several(via: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    return [await opened(via, title=f"Bell {number}") for number in range(count)]


def named(tickets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": ticket["id"], "version": ticket["version"]} for ticket in tickets]


@ON_BOTH
async def test_what_can_be_done_is_done_and_what_is_refused_says_why(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    free, taken, changed = await several(alice, 3)
    async with rig.client("bob") as bob:
        await bob.post(f"{TICKETS}/{taken['id']}/take", json={})
        await bob.post(f"{TICKETS}/{changed['id']}/comment", json={"text": "looking"})
    rig.notices.told.clear()
    wanted = [*named([free, changed]), {"id": taken["id"]}, {"id": 4711}]

    answer = await alice.post(BULK, json={"act": "take", "tickets": wanted})

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [result["id"] for result in results] == [free["id"], changed["id"], taken["id"], 4711]
    assert [result["status"] for result in results] == [200, 412, 409, 404]
    assert (results[0]["version"], results[0]["problem"]) == (2, None)
    assert "commented by bob" in results[1]["problem"]["detail"]
    assert results[3]["problem"] == {
        "title": "Not Found",
        "status": 404,
        "type": "not-found",
        "detail": "there is no ticket 4711",
    }
    assert [(each.ticket_id, each.kind) for each in rig.notices.told] == [(free["id"], TicketEventKind.TAKEN)]
    owners = [
        (await alice.get(f"{TICKETS}/{each['id']}")).json()["ticket"]["owner"] for each in (free, changed)
    ]
    assert owners == ["alice", None]


@ON_BOTH
async def test_each_is_recorded_as_if_it_was_asked_for_alone(rig: Rig, alice: httpx.AsyncClient) -> None:
    tickets = await several(alice, 3)

    await alice.post(BULK, json={"act": "resolve", "text": "one cause", "tickets": named(tickets)})

    asked = select(AUDIT.c.subject).where(AUDIT.c.act == "ticket.solved").order_by(AUDIT.c.id)
    recorded = rig.storage.read(lambda session: session.execute(asked).scalars().all())
    last = [(await alice.get(f"{TICKETS}/{each['id']}")).json()["events"][-1] for each in tickets]
    assert recorded == [str(each["id"]) for each in tickets]
    assert {(event["kind"], event["text"], event["actor"]) for event in last} == {
        ("solved", "one cause", "alice")
    }


@pytest.mark.parametrize(
    ("act", "fields", "state", "kind"),
    [
        ("take", {}, "in_progress", "taken"),
        ("comment", {"text": "a word", "public": True}, "new", "commented"),
        ("wait", {"reason": "vendor", "until": "2099-01-01T00:00:00Z", "text": "a disk"}, "pending", "waiting"),
        ("resolve", {"text": "rung by hand"}, "solved", "solved"),
        ("acknowledge", {"text": "known"}, "new", "acknowledged"),
    ],
)
async def test_an_act_has_the_fields_that_it_has_alone(
    rig: Rig, alice: httpx.AsyncClient, act: str, fields: dict[str, Any], state: str, kind: str
) -> None:
    ticket, _ = await ringing(rig, alice)

    answer = await alice.post(BULK, json={"act": act, "tickets": [{"id": ticket["id"]}], **fields})

    after = (await alice.get(f"{TICKETS}/{ticket['id']}")).json()
    assert answer.json()["results"] == [{"id": ticket["id"], "status": 200, "version": 2, "problem": None}]
    assert after["ticket"]["state"] == state
    assert (after["events"][-1]["kind"], after["events"][-1]["text"]) == (kind, fields.get("text", ""))
    assert after["events"][-1]["public"] is fields.get("public", False)


async def test_what_was_begun_is_given_back_gone_on_with_and_closed(alice: httpx.AsyncClient) -> None:
    tickets = named(await several(alice, 2))
    plain = [{"id": ticket["id"]} for ticket in tickets]

    for act, fields in (("take", {}), ("release", {}), ("wait", {"reason": "vendor"}), ("resume", {})):
        await alice.post(BULK, json={"act": act, "tickets": plain, **fields})
    await alice.post(BULK, json={"act": "resolve", "tickets": plain})
    closed = await alice.post(BULK, json={"act": "close", "tickets": plain})

    assert [result["version"] for result in closed.json()["results"]] == [7, 7]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"act": "take", "tickets": []}, 400, "tickets"),
        ({"act": "take", "tickets": [{"id": number} for number in range(201)]}, 400, "tickets"),
        ({"act": "burn", "tickets": [{"id": 1}]}, 400, "act"),
        ({"act": "take", "tickets": [{"id": 1}, {"id": 1}]}, 422, "ticket 1 is named twice"),
        (
            {"act": "take", "tickets": [{"id": 1}], "text": "mine", "public": True},
            422,
            "takes no public and no text",
        ),
        (
            {"act": "wait", "tickets": [{"id": 1}], "reason": "vendor", "until": "2099-01-01T00:00:00"},
            422,
            "time zone",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_as_a_whole(
    rig: Rig, alice: httpx.AsyncClient, body: dict[str, Any], status: int, detail: str
) -> None:
    await opened(alice)
    rig.notices.told.clear()

    answer = await alice.post(BULK, json=body)

    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True)
    assert rig.notices.told == []


@ON_BOTH
async def test_under_one_key_it_is_done_once(rig: Rig, alice: httpx.AsyncClient) -> None:
    tickets = named(await several(alice, 2))
    body = {"act": "comment", "text": "once", "tickets": tickets}

    first, again = [await alice.post(BULK, json=body, headers={"idempotency-key": '"k"'}) for _ in range(2)]

    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    events = select(func.count()).select_from(AUDIT).where(AUDIT.c.act == "ticket.commented")
    assert rig.storage.read(lambda session: session.execute(events).scalar()) == 2


async def test_a_viewer_does_nothing_to_many_either(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)

    async with rig.client("charlie") as charlie:
        refused = await charlie.post(BULK, json={"act": "take", "tickets": [{"id": ticket["id"]}]})

    assert refused.status_code == 403
