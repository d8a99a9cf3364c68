"""A range is an expression at each step, over what hosts have sent, for whom it concerns."""

from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.server.http.rig import INTERVAL_MS, NOW, OPERATOR_TOKEN, Rig
from tests.server.http.test_query import both_push

from tocsin_server.clock import moment
from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.stretches import HOUR_MS, hours_of

MINUTE = 60_000


async def ask(console: httpx.AsyncClient, text: str, start: str, step: float, **more: Any) -> httpx.Response:
    asked = {"query": text, "start": start, "step": step, **more}
    return await console.get("/api/v1/query_range", params=asked)


async def lines(console: httpx.AsyncClient, text: str, **more: Any) -> list[tuple[str, list[str | None]]]:
    """Client and values of each line."""
    told = (await ask(console, text, **more)).raise_for_status().json()
    return [(line["client"], line["values"]) for line in told["lines"]]


async def test_each_step_is_what_the_expression_gave_then(rig: Rig, alice: httpx.AsyncClient) -> None:
    both_push(rig, minutes=10)

    told = (await ask(alice, "node_load1 * 2", "-4m", 120, client="acme")).json()

    assert datetime.fromisoformat(told["start"]) == moment(NOW - 4 * MINUTE)
    assert told["step_s"] == 120
    (line,) = told["lines"]
    assert (line["client"], line["host"], line["values"]) == ("acme", "atlas", ["12", "16", "20"])
    assert line["labels"] == {"instance": "atlas", "job": "node", "site": "berlin"}


async def test_it_ends_where_it_is_told_to_and_says_where_nothing_was(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    both_push(rig, minutes=10)

    told = await lines(alice, "node_load1", start="-20m", step=600, end="-5m", client="acme")
    more = await lines(alice, "node_load1 > 7", start="-5m", step=60, client="acme")

    assert told == [("acme", [None, "0"])]
    assert more == [("acme", [None, None, None, "8", "9", "10"])]


async def test_the_operator_sees_all_clients_and_a_person_her_own(rig: Rig, alice: httpx.AsyncClient) -> None:
    both_push(rig)
    async with rig.client(None) as nobody:
        refused = await ask(nobody, "up", "-1m", 60)
        nobody.headers["authorization"] = f"Bearer {OPERATOR_TOKEN}"
        all_of_them = await lines(nobody, "node_load1", start="-1m", step=60)

    assert refused.status_code == 401
    assert {client for client, _ in all_of_them} == {"acme", "globex"}


async def test_written_hours_and_the_journal_are_one(rig: Rig, alice: httpx.AsyncClient) -> None:
    both_push(rig, minutes=150)
    before = await lines(alice, "avg_over_time(node_load1[10m])", start="-2h", step=300, client="acme")
    written_ms = NOW - NOW % HOUR_MS
    atlas = rig.host_id("acme", "atlas")
    for hour_ms, stretch in hours_of([frame for frame in rig.journal.frames if frame.host_id == atlas]).items():
        if hour_ms < written_ms:
            client = rig.estate.host(atlas).client_id
            Days(rig.storage.path.with_name("history")).write([Closing(client, atlas, stretch)])
    rig.journal.frames[:] = [frame for frame in rig.journal.frames if frame.times_ms[0] >= written_ms]
    rig.journal.written_ms = written_ms

    after = await lines(alice, "avg_over_time(node_load1[10m])", start="-2h", step=300, client="acme")

    assert after == before
    assert None not in after[0][1]


@pytest.mark.parametrize(
    ("question", "status", "said"),
    [
        ({"start": "-1m", "step": 0}, 400, "step"),
        ({"start": "soon", "step": 60}, 422, "no time"),
        ({"start": "-1m", "end": "-2m", "step": 60}, 422, "0 steps"),
        ({"start": "-1w", "step": 1}, 422, "604801 steps"),
        ({"start": "-1m", "step": 60, "client": "nobody"}, 404, "no client"),
        ({"start": "-1m", "step": 60, "query": "ALERTS"}, 422, "made by rules"),
        ({"start": "-1m", "step": 60, "query": "sum("}, 422, ""),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_why(
    rig: Rig, alice: httpx.AsyncClient, question: dict[str, Any], status: int, said: str
) -> None:
    answer = await alice.get("/api/v1/query_range", params={"query": "up", **question})

    assert answer.status_code == status
    assert said in answer.text


async def test_too_much_to_read_is_refused_before_it_is_read(rig: Rig, alice: httpx.AsyncClient) -> None:
    answer = await ask(alice, "node_load1", "-30d", 3600)

    assert answer.status_code == 422
    assert "more than can be read at once" in answer.text
    assert INTERVAL_MS == 10_000
