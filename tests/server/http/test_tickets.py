"""What people do to a ticket over HTTP: everybody is told, and nobody overwrites anybody."""

from typing import Any

import httpx
import pytest
from sqlmodel import Session
from tests.server.http.rig import NOW, Rig

from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.desk.store import TicketAlert
from tocsin_server.desk.teams import MemberWish, Wish, add_team, join

TICKETS = "/api/v1/tickets"


async def opened(via: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    """A ticket of Acme's that Alice has opened."""
    new = {"client": "acme", "title": "The bell is silent"} | values
    detail: dict[str, Any] = (await via.post(TICKETS, json=new)).raise_for_status().json()
    return detail["ticket"]


async def test_a_ticket_goes_its_way_and_every_step_is_told(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice, host_id=rig.host_id("acme", "atlas"))
    path = f"{TICKETS}/{ticket['id']}"

    taken = (await alice.post(f"{path}/take", json={"version": ticket["version"]})).json()
    said = (await alice.post(f"{path}/comment", json={"text": "looking"})).json()
    solved = (await alice.post(f"{path}/resolve", json={"text": "rung by hand"})).json()
    again = (await alice.post(f"{path}/reopen", json={})).json()
    free = (await alice.post(f"{path}/release", json={})).json()

    assert (ticket["host"], ticket["site"], ticket["client"]) == ("atlas", "berlin", "acme")
    assert taken["ticket"]["owner"] == "alice"
    assert said["events"][-1]["text"] == "looking"
    assert solved["ticket"]["state"] == "solved"
    assert again["ticket"]["state"] == "in_progress"
    assert free["ticket"]["owner"] is None
    assert [happening.kind for happening in rig.notices.told] == [
        TicketEventKind.OPENED,
        TicketEventKind.TAKEN,
        TicketEventKind.COMMENTED,
        TicketEventKind.SOLVED,
        TicketEventKind.REOPENED,
        TicketEventKind.RELEASED,
    ]


async def test_a_ticket_that_has_changed_since_is_not_overwritten(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}"
    await alice.post(f"{path}/comment", json={"text": "first"})
    rig.notices.told.clear()

    late = await alice.post(f"{path}/resolve", json={"version": ticket["version"]})

    assert late.status_code == 412
    assert "commented by alice" in late.json()["detail"]
    assert rig.notices.told == []


async def test_a_ticket_that_somebody_else_has_is_not_taken(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    await alice.post(f"{TICKETS}/{ticket['id']}/take", json={})

    async with rig.client("bob") as bob:
        refused = await bob.post(f"{TICKETS}/{ticket['id']}/take", json={})

    assert refused.status_code == 409
    assert "alice" in refused.json()["detail"]


async def test_the_queue_is_asked_by_client_host_owner_and_state(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    mine = await opened(alice, host_id=atlas)
    other = await opened(alice, client="globex", title="Another")
    await alice.post(f"{TICKETS}/{mine['id']}/take", json={})
    await alice.post(f"{TICKETS}/{other['id']}/resolve", json={})

    async def ids(**question: Any) -> list[int]:
        page = (await alice.get(TICKETS, params=question)).raise_for_status().json()
        return [ticket["id"] for ticket in page["tickets"]]

    assert await ids() == [mine["id"]]
    assert await ids(state="solved") == [other["id"]]
    assert await ids(state="all", client="globex") == [other["id"]]
    assert await ids(host=atlas) == [mine["id"]]
    assert await ids(owner="alice") == [mine["id"]]
    assert await ids(owner="bob") == []


async def test_the_queue_of_ones_own_teams(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice, host_id=rig.host_id("acme", "atlas"))
    await opened(alice)

    def made(session: Session) -> None:
        for slug in ("servers", "network"):
            add_team(session, slug, Wish(), NOW)
            join(session, slug, "alice", MemberWish(), NOW)

    rig.storage.write(made)

    async def ids(via: httpx.AsyncClient) -> list[int]:
        page = (await via.get(TICKETS, params={"my_teams": True})).raise_for_status().json()
        return [row["id"] for row in page["tickets"]]

    async with rig.client("bob") as bob:
        assert (await ids(alice), await ids(bob)) == ([ticket["id"]], [])


async def test_the_queue_is_narrowed_by_team_kind_priority_age_and_words(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    first = await opened(alice, title="Gate jammed", priority=1)
    second = await opened(alice, title="Gate open", priority=2)
    await opened(alice, title="Bell", priority=4)

    async def ids(**question: Any) -> list[int]:
        page = (await alice.get(TICKETS, params=question)).raise_for_status().json()
        return [ticket["id"] for ticket in page["tickets"]]

    assert await ids(priority=[2, 1]) == [first["id"], second["id"]]
    assert await ids(q="gate") == [second["id"], first["id"]]
    assert await ids(q="gate", priority=1) == [first["id"]]
    assert await ids(q=f"#{second['id']}") == [second["id"]]
    assert await ids(kind="request") == []
    assert await ids(team="nobodys") == []
    assert (
        await ids(due="breached") == await ids(within="1h") == await ids(due="breached", within="1h30m") == []
    )
    assert await ids(order="due", priority=1) == [first["id"]]
    assert await ids(since=first["opened_at"], priority=1) == [first["id"]]


@pytest.mark.parametrize(
    "question",
    [
        {"q": "?"},
        {"q": "x" * 201},
        {"q": " ".join(map(str, range(13)))},
        {"q": "gate", "cursor": "1-2-3"},
        {"priority": 9},
        {"priority": [1, 2, 3, 4, 1]},
        {"kind": "complaint"},
        {"since": "yesterday"},
        {"due": "soon"},
        {"within": "an hour"},
        {"within": "2y"},
        {"within": "1h", "state": "all"},
        {"order": "id"},
        {"order": "due", "q": "gate"},
        {"since": "2026-11-26T22:00:00"},
    ],
)
async def test_a_filter_that_means_nothing_is_refused(
    alice: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    answer = await alice.get(TICKETS, params=question)

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_the_queue_comes_in_pages(alice: httpx.AsyncClient) -> None:
    ids = [(await opened(alice, title=f"Bell {number}"))["id"] for number in range(3)]

    first = (await alice.get(TICKETS, params={"limit": 2})).json()
    second = (await alice.get(TICKETS, params={"limit": 2, "cursor": first["next"]})).json()

    assert [ticket["id"] for ticket in first["tickets"] + second["tickets"]] == ids
    assert second["next"] is None
    assert first["counts"]["open"] == 3


async def test_a_page_says_which_events_it_holds_already(rig: Rig, alice: httpx.AsyncClient) -> None:
    broker = rig.deps.broker
    before = (await alice.get(TICKETS)).json()["seen"]
    broker.publish("rules", None)
    after = (await alice.get(TICKETS)).json()["seen"]

    assert [broker.join(seen).place for seen in (before, after)] == [0, 1]


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ({"client": "nobody", "title": "x"}, 404),
        ({"client": "acme", "title": ""}, 422),
        ({"client": "acme", "title": "x", "priority": 9}, 422),
        ({"client": "acme"}, 400),
    ],
)
async def test_a_ticket_that_makes_no_sense_is_refused(
    rig: Rig, alice: httpx.AsyncClient, new: dict[str, Any], status: int
) -> None:
    assert (await alice.post(TICKETS, json=new)).status_code == status
    assert rig.notices.told == []


async def test_a_ticket_cannot_be_about_another_clients_host(rig: Rig, alice: httpx.AsyncClient) -> None:
    new = {"client": "acme", "title": "x", "host_id": rig.host_id("globex", "atlas")}

    assert (await alice.post(TICKETS, json=new)).status_code == 404


async def test_alerts_carry_the_value_of_this_second(rig: Rig, alice: httpx.AsyncClient) -> None:
    alert_id = rig.alert()
    rig.judge.values[alert_id] = 7.5

    one = (await alice.get(f"/api/v1/alerts/{alert_id}")).json()
    page = (await alice.get("/api/v1/alerts", params={"client": "acme"})).json()["alerts"]
    elsewhere = (await alice.get("/api/v1/alerts", params={"client": "globex"})).json()["alerts"]

    assert one["value"] == page[0]["value"] == 7.5
    assert (one["host"], one["rule_group"], one["expression"]) == ("atlas", "host", "node_load1 > 4")
    assert elsewhere == []


async def ringing(rig: Rig, via: httpx.AsyncClient) -> tuple[dict[str, Any], str]:
    """A ticket with an alert that fires, and where the alert is."""
    ticket, alert_id = await opened(via), rig.alert()
    rig.storage.write(
        lambda session: session.add(TicketAlert(ticket_id=ticket["id"], alert_id=alert_id, client_id=1))
    )
    return ticket, f"/api/v1/alerts/{alert_id}"


async def test_who_acknowledges_a_ticket_knows_of_its_alerts(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket, alert = await ringing(rig, alice)
    answer = await alice.post(f"{TICKETS}/{ticket['id']}/acknowledge", json={"text": "the disk is on its way"})

    assert answer.status_code == 200
    event = answer.json()["events"][-1]
    assert (event["kind"], event["actor"], event["text"]) == (
        "acknowledged",
        "alice",
        "the disk is on its way",
    )
    assert answer.json()["alerts"][0]["acknowledged_by"] == "alice"
    assert (await alice.get(alert)).json()["acknowledged_at"] == "2023-11-14T22:13:20Z"
    assert rig.notices.told[-1].kind is TicketEventKind.ACKNOWLEDGED


async def test_nothing_is_acknowledged_twice_or_where_nothing_rings(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket, _ = await ringing(rig, alice)
    quiet = await opened(alice, title="Nothing rings")
    await alice.post(f"{TICKETS}/{ticket['id']}/acknowledge", json={})
    rig.notices.told.clear()

    refused = [
        await alice.post(f"{TICKETS}/{number}/acknowledge", json={}) for number in (ticket["id"], quiet["id"])
    ]

    assert [answer.status_code for answer in refused] == [409, 409]
    assert "no alert that fires and is not acknowledged" in refused[1].json()["detail"]
    assert rig.notices.told == []
    assert (await alice.get(f"{TICKETS}/{quiet['id']}")).json()["ticket"]["version"] == quiet["version"]


async def test_an_acknowledgement_of_what_has_changed_since_is_refused(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    ticket, alert = await ringing(rig, alice)
    path = f"{TICKETS}/{ticket['id']}"
    await alice.post(f"{path}/comment", json={"text": "first"})

    late = await alice.post(f"{path}/acknowledge", json={"version": ticket["version"]})

    assert late.status_code == 412
    assert (await alice.get(alert)).json()["acknowledged_by"] is None


async def test_a_viewer_acknowledges_nothing_and_nobody_what_is_not_there(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    ticket, alert = await ringing(rig, alice)

    async with rig.client("charlie") as charlie:
        refused = await charlie.post(f"{TICKETS}/{ticket['id']}/acknowledge", json={})
    missing = await alice.post(f"{TICKETS}/{ticket['id'] + 1000}/acknowledge", json={})
    long = await alice.post(f"{TICKETS}/{ticket['id']}/acknowledge", json={"text": "x" * 20_001})

    assert [answer.status_code for answer in (refused, missing, long)] == [403, 404, 413]
    assert (await alice.get(alert)).json()["acknowledged_by"] is None


async def test_a_ticket_waits_for_the_vendor_and_everybody_sees_it(rig: Rig, alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}"
    until = "2099-01-01T08:00:00+01:00"

    waiting = (
        await alice.post(f"{path}/wait", json={"reason": "vendor", "until": until, "text": "a disk"})
    ).json()
    (listed,) = (await alice.get(TICKETS)).json()["tickets"]
    gone_on = (await alice.post(f"{path}/resume", json={})).json()

    assert (listed["state"], listed["waits_for"]) == ("pending", "vendor")
    assert listed["wakes_at"] == "2099-01-01T07:00:00Z"
    assert (waiting["events"][-1]["kind"], waiting["events"][-1]["text"]) == ("waiting", "a disk")
    assert (gone_on["ticket"]["state"], gone_on["ticket"]["waits_for"]) == ("new", "")
    assert [happening.kind for happening in rig.notices.told[1:]] == [
        TicketEventKind.WAITING,
        TicketEventKind.RESUMED,
    ]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"reason": "godot"}, 422, "cannot wait for 'godot'"),
        ({"reason": "vendor", "until": "2099-01-01T08:00:00"}, 422, "has no time zone"),
        ({"reason": "vendor", "until": "2001-01-01T08:00:00Z"}, 422, "a time that is past"),
        ({"reason": "vendor", "version": 9}, 412, "it has version 1"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused(
    alice: httpx.AsyncClient, body: dict[str, Any], status: int, detail: str
) -> None:
    ticket = await opened(alice)

    answer = await alice.post(f"{TICKETS}/{ticket['id']}/wait", json=body)

    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True)


async def test_a_reply_is_public_and_a_note_is_not(alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}"

    await alice.post(f"{path}/comment", json={"text": "he calls every hour"})
    told = (await alice.post(f"{path}/comment", json={"text": "it rings again", "public": True})).json()
    refused = await alice.post(f"{path}/comment", json={"text": "perhaps", "public": "yes"})

    assert [event["public"] for event in told["events"]] == [False, False, True]
    assert refused.status_code == 400


async def test_a_solved_ticket_says_when_it_closes_by_itself(alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}"

    solved = (await alice.post(f"{path}/resolve", json={})).json()
    again = (await alice.post(f"{path}/reopen", json={})).json()

    assert solved["ticket"]["closes_at"] == "2023-11-17T22:13:20Z"  # three days on
    assert solved["events"][-1]["data"]["decided"][0].endswith(" row incident")
    assert again["ticket"]["closes_at"] is None


async def test_a_ticket_is_closed_once_it_is_solved(alice: httpx.AsyncClient) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}"

    early = await alice.post(f"{path}/close", json={})
    await alice.post(f"{path}/resolve", json={})
    closed = await alice.post(f"{path}/close", json={})

    assert early.status_code == 409
    assert "what can be done with it" in early.json()["remedy"]
    assert closed.json()["ticket"]["state"] == "closed"


async def test_a_ticket_is_solved_with_its_children_and_everybody_is_told_of_each(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    parent, child = await opened(alice), await opened(alice)
    link = {"kind": "parent", "other": parent["id"], "version": 1, "other_version": 1}
    (await alice.post(f"{TICKETS}/{child['id']}/link", json=link)).raise_for_status()
    rig.notices.told.clear()

    asked = {"text": "a new switch", "children": True, "version": 2}
    solved = (await alice.post(f"{TICKETS}/{parent['id']}/resolve", json=asked)).json()

    assert solved["ticket"]["state"] == "solved"
    assert [(tie["tie"], tie["ticket"], tie["state"]) for tie in solved["ties"]] == [
        ("child", child["id"], "solved")
    ]
    assert [happening.ticket_id for happening in rig.notices.told] == [parent["id"], child["id"]]
