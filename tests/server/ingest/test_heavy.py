"""One agent that tells very much keeps nobody waiting, and does not fill the server's memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from bench.fleet import pack_schema
from tests.server.ingest.rig import Answer, Rig, RigAgent, enrolled, running

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.ingest import receive
from tocsin_server.ingest.decode import ToldSchema, tell

LOAD = pack_schema([("node_load1", SeriesKind.GAUGE, {})])


@pytest_asyncio.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A server to which two of these schemas are many."""
    monkeypatch.setattr(receive, "LIGHT_BYTES", len(LOAD))
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
def is_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Schemas are not read before this is set; ten seconds are for a server that would wait for ever."""
    may_read = threading.Event()

    def slowly(packed: bytes) -> ToldSchema:
        if len(packed) > len(LOAD):
            may_read.wait(10)
        return tell(packed)

    monkeypatch.setattr(receive, "tell", slowly)
    yield may_read
    may_read.set()


def heavy(agent: RigAgent, seq: int) -> "asyncio.Task[Answer]":
    """A push with two schemas under way."""
    schemas = [pack_schema([(f"application_{seq}_{part}", SeriesKind.GAUGE, {})]) for part in "ab"]
    frames = [agent.frame(2 * seq + at, schema=schema) for at, schema in enumerate(schemas)]
    return asyncio.create_task(agent.push(*frames))


async def test_others_are_answered_while_many_schemas_are_read(rig: Rig, is_read: threading.Event) -> None:
    busy, calm = await enrolled(rig, "atlas"), await enrolled(rig, "borea")
    reading = heavy(busy, 0)
    await asyncio.sleep(0)

    answer = await calm.push(calm.frame(0, schema=LOAD))

    assert (answer.status, reading.done()) == (200, False)
    is_read.set()
    assert (await reading).status == 200
    assert rig.count("stored") == 3


async def test_too_many_that_tell_much_are_asked_for_patience(rig: Rig, is_read: threading.Event) -> None:
    busy = await enrolled(rig)
    waiting = [heavy(busy, seq) for seq in range(receive.MOST_HEAVY)]
    await asyncio.sleep(0)

    answer = await heavy(busy, receive.MOST_HEAVY)

    assert answer.status == 429
    assert "many schemas" in answer.said["detail"]
    is_read.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
    assert (await heavy(busy, receive.MOST_HEAVY)).status == 200


async def test_many_schemas_that_are_nonsense_are_refused_as_few_are(rig: Rig) -> None:
    agent = await enrolled(rig)
    bad = pack_schema([("9 lives", SeriesKind.GAUGE, {"label": "x" * 60})])

    answer = await agent.push(agent.frame(0, schema=bad))

    assert answer.status == 422
    assert "9 lives" in answer.said["detail"]
