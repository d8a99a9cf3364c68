"""Watching over HTTP: whoever asks, and nobody for another."""

import httpx
from tests.server.http.rig import Rig
from tests.server.http.test_tickets import TICKETS, opened


async def test_who_watches_is_told_with_the_ticket_which_does_not_change(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    ticket = await opened(alice)
    path = f"{TICKETS}/{ticket['id']}"
    rig.notices.told.clear()

    mine = (await alice.post(f"{path}/watch")).json()
    async with rig.client("bob") as bob:
        both = (await bob.post(f"{path}/watch")).json()
    his = (await alice.post(f"{path}/unwatch")).json()

    assert [detail["watchers"] for detail in (mine, both, his)] == [["alice"], ["alice", "bob"], ["bob"]]
    assert {detail["ticket"]["version"] for detail in (mine, both, his)} == {ticket["version"]}
    assert rig.notices.told == []


async def test_what_is_not_there_is_not_watched(rig: Rig, alice: httpx.AsyncClient) -> None:
    missing = [await alice.post(f"{TICKETS}/4711/{act}") for act in ("watch", "unwatch")]
    async with rig.client("charlie") as charlie:
        viewer = await charlie.post(f"{TICKETS}/1/watch")

    assert [answer.status_code for answer in (*missing, viewer)] == [404, 404, 403]
