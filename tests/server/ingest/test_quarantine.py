"""Two that hold one key: both are refused once it is proven, durably, until an operator releases the agent."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from sqlmodel import select
from tests.server.ingest.rig import Answer, Rig, RigAgent, enrolled, running

from tocsin_protocol import wire
from tocsin_server.errors import Conflict, NotFound, Unavailable
from tocsin_server.estate.agents import record_of, release
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.store import AgentEvent

HERE, THERE = {"run": b"h" * 16, "name": "atlas"}, {"run": b"t" * 16, "name": "atlas-copy"}


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    agent = await enrolled(rig)
    await agent.hello(**HERE)
    return agent


async def copied(agent: RigAgent) -> RigAgent:
    """The same state on another host, started a little later."""
    copy = replace(agent, epoch=agent.epoch + 60 * 10**9)
    assert (await copy.hello(**THERE)).status == 200
    return copy


async def both_push(rig: Rig, one: RigAgent, other: RigAgent, *, times: int) -> list[Answer]:
    """Each once an interval."""
    answers = []
    for seq in range(times):
        for agent in (one, other):
            rig.clock.move(seconds=5)
            answers.append(await agent.push(agent.frame(seq)))
    return answers


def released(rig: Rig, host: str = "atlas") -> None:
    now_ms = rig.clock.now_ms()
    rig.storage.write(lambda s: release(s, client_named(s, "acme"), host, by="alice", now_ms=now_ms))
    rig.estate.reload()


def events(rig: Rig) -> list[tuple[str, str]]:
    return rig.storage.read(lambda s: [(each.kind.value, each.actor) for each in s.exec(select(AgentEvent))])


async def test_both_are_refused_from_the_third_push_of_the_first_on(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)

    answers = await both_push(rig, atlas, copy, times=4)

    assert [answer.status for answer in answers] == [200, 200, 200, 200, 403, 403, 403, 403]
    assert {answer.said["type"] for answer in answers[4:]} == {wire.CLONED}
    assert "delete its state folder" in answers[4].said["remedy"]
    assert "tocsin-server agent release acme atlas" in answers[4].said["remedy"]


async def test_neither_gets_a_new_session(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=3)

    answers = [await atlas.hello(), await copy.hello()]

    assert [(answer.status, answer.said["type"]) for answer in answers] == [(403, wire.CLONED)] * 2


async def test_the_quarantine_outlives_the_server(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=3)

    rig.restart()

    assert (await atlas.hello()).said["type"] == wire.CLONED


async def test_it_is_written_once_with_its_evidence(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=5)

    record = rig.storage.read(lambda s: record_of(s, client_named(s, "acme"), "atlas"))

    assert record.agent.cloned_ms is not None
    assert events(rig) == [("cloned", "server")]
    assert "'atlas' at 192.0.2.7" in record.events[0].text
    assert "'atlas-copy' at 192.0.2.7" in record.events[0].text


async def test_what_a_hello_says_of_its_host_is_cleaned_before_people_see_it(rig: Rig, atlas: RigAgent) -> None:
    copy = replace(atlas, epoch=atlas.epoch + 1)
    await copy.hello(run=b"t" * 16, name="evil\x1b[2J\nname")
    await both_push(rig, atlas, copy, times=3)

    record = rig.storage.read(lambda s: record_of(s, client_named(s, "acme"), "atlas"))

    assert record.events[0].text.isprintable()


@pytest.mark.parametrize("said", [{"run": b"r" * 17}, {"boot": "word"}, {"name": "n" * 201}, {"machine": None}])
async def test_a_hello_that_says_more_than_it_may_of_its_host_is_refused(
    atlas: RigAgent, said: dict[str, object]
) -> None:
    assert (await atlas.hello(**said)).status == 422


async def test_a_restart_is_heard_as_before(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))
    again = await copied(atlas)

    assert [(await again.push(again.frame(seq))).status for seq in range(5)] == [200] * 5


async def test_a_hello_that_somebody_repeats_proves_nothing(rig: Rig, atlas: RigAgent) -> None:
    statuses = []
    for seq in range(6):
        await replace(atlas).hello(**THERE)
        rig.clock.move(seconds=10)
        statuses.append((await atlas.push(atlas.frame(seq))).status)

    assert statuses == [200] * 6


async def test_an_older_agent_that_says_nothing_of_its_host_is_known_by_its_epoch(
    rig: Rig, atlas: RigAgent
) -> None:
    copy = replace(atlas, epoch=atlas.epoch + 1)
    for agent in (atlas, copy):
        assert (await agent.hello()).status == 200

    answers = await both_push(rig, atlas, copy, times=3)

    assert answers[-1].status == 403


async def test_released_and_alone_it_is_heard_again(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=3)

    released(rig)
    await atlas.hello(**HERE)

    assert [(await atlas.push(atlas.frame(seq))).status for seq in range(10, 16)] == [200] * 6
    assert events(rig) == [("cloned", "server"), ("released", "alice")]


async def test_released_while_the_copy_goes_on_it_is_shut_out_again(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=3)

    released(rig)
    answers = await both_push(rig, atlas, copy, times=3)

    assert [answer.status for answer in answers] == [200, 200, 200, 200, 403, 403]
    assert [kind for kind, _ in events(rig)] == ["cloned", "released", "cloned"]


async def test_another_host_is_not_concerned(rig: Rig, atlas: RigAgent) -> None:
    borealis = await enrolled(rig, "borealis")
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=3)

    assert (await borealis.push(borealis.frame(0))).status == 200


async def test_what_cannot_be_written_is_answered_503_and_proven_again(
    rig: Rig, atlas: RigAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=2)

    async def fails(_act: object) -> None:
        raise Unavailable("the database cannot be written now")

    with monkeypatch.context() as patched:
        patched.setattr(rig.storage, "write_soon", fails)
        refused = [answer.status for answer in await both_push(rig, atlas, copy, times=1)]
    then = [answer.status for answer in await both_push(rig, atlas, copy, times=1)]

    assert refused == [503, 503]
    assert then == [403, 403]


async def test_two_pushes_at_once_that_prove_it_write_it_once(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=2)

    answers = await asyncio.gather(atlas.push(atlas.frame(9)), copy.push(copy.frame(9)))

    assert [answer.status for answer in answers] == [403, 403]
    assert [kind for kind, _ in events(rig)] == ["cloned"]


async def test_a_retired_host_is_told_that_it_is_retired(rig: Rig, atlas: RigAgent) -> None:
    copy = await copied(atlas)
    await both_push(rig, atlas, copy, times=3)
    rig.storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", rig.clock.now_ms()))
    rig.estate.reload()

    answer = await atlas.hello()

    assert (answer.status, answer.said["type"]) == (403, "forbidden")


def test_only_what_is_in_quarantine_can_be_released(rig: Rig) -> None:
    with pytest.raises(NotFound, match="no host 'nobody'"):
        released(rig, "nobody")


async def test_an_agent_that_is_heard_cannot_be_released(rig: Rig, atlas: RigAgent) -> None:
    with pytest.raises(Conflict, match="not in quarantine"):
        released(rig)
