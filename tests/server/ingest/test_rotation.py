"""A new key is accepted at once, the old one for a day more; what is forged or repeated changes nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio
from nacl.signing import SigningKey
from sqlmodel import select
from tests.server.ingest.rig import Answer, Rig, RigAgent, enrolled, running

from tocsin_protocol import wire
from tocsin_server.estate.agents import OVERLAP_MS, REST_MS, quarantine, record_of
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.store import AgentEvent

DAY_S = OVERLAP_MS // 1000


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    return await enrolled(rig)


async def told(agent: RigAgent, new: SigningKey, *, by: SigningKey | None = None, **changed: Any) -> Answer:
    """The agent tells of a new key, signed by the one it has or another."""
    message = wire.new_key_message(agent.session, bytes(new.verify_key))
    said = {
        "v": wire.VERSION,
        "key": bytes(new.verify_key),
        "by_old": (by or agent.key).sign(message).signature,
        "by_new": new.sign(message).signature,
        "now_ms": agent.rig.clock.now_ms(),
        **changed,
    }
    return await agent.question(wire.KEY_PATH, wire.KEY_DOMAIN, said)


def stored(rig: Rig) -> bytes:
    return rig.storage.read(lambda s: record_of(s, client_named(s, "acme"), "atlas")).agent.public_key


def changes(rig: Rig) -> int:
    return len(rig.storage.read(lambda s: s.exec(select(AgentEvent)).all()))


async def test_both_keys_are_accepted_for_a_day_and_then_the_new_one_only(rig: Rig, atlas: RigAgent) -> None:
    renewed = replace(atlas, key=SigningKey.generate())

    answer = await told(atlas, renewed.key)
    at_once = [(await renewed.hello()).status, (await atlas.hello()).status]
    rig.clock.move(seconds=DAY_S - 1)
    at_last = [(await renewed.hello()).status, (await atlas.hello()).status]
    rig.clock.move(seconds=1)
    then = [(await renewed.hello()).status, (await atlas.hello()).status]

    assert answer.said["overlap_s"] == DAY_S
    assert (at_once, at_last, then) == ([200, 200], [200, 200], [200, 403])


async def test_the_session_goes_on_under_the_key_that_has_begun_it(rig: Rig, atlas: RigAgent) -> None:
    await told(atlas, SigningKey.generate())

    assert (await atlas.push(atlas.frame(0))).status == 200


async def test_no_session_of_the_old_key_outlives_it(rig: Rig, atlas: RigAgent) -> None:
    await told(atlas, SigningKey.generate())
    rig.clock.move(seconds=DAY_S - 100)

    greeted = await atlas.hello()
    rig.clock.move(seconds=100)
    pushed = await atlas.push(atlas.frame(0))

    assert greeted.said["expires_s"] == 100
    assert pushed.status == 401


async def test_told_again_because_the_answer_was_lost_it_is_changed_once(rig: Rig, atlas: RigAgent) -> None:
    key = SigningKey.generate()
    await told(atlas, key)
    rig.clock.move(seconds=30)
    await atlas.hello()

    again = await told(atlas, key)

    assert (again.status, again.said["overlap_s"]) == (200, DAY_S - 30)
    assert changes(rig) == 1


async def test_the_change_is_kept_over_a_restart_and_written_with_its_event(rig: Rig, atlas: RigAgent) -> None:
    renewed = replace(atlas, key=SigningKey.generate())
    await told(atlas, renewed.key)

    rig.restart()

    assert (await renewed.hello()).status == 200
    record = rig.storage.read(lambda s: record_of(s, client_named(s, "acme"), "atlas"))
    assert [(each.kind.value, each.actor) for each in record.events] == [("key-changed", "agent")]
    assert record.agent.public_key.hex()[:16] in record.events[0].text


async def test_a_key_that_only_one_of_the_two_has_signed_changes_nothing(rig: Rig, atlas: RigAgent) -> None:
    before, key, mallory = stored(rig), SigningKey.generate(), SigningKey.generate()

    answers = [
        await told(atlas, key, by=mallory),
        await told(atlas, key, by_new=bytes(64)),
        await told(atlas, key, key=bytes(mallory.verify_key)),
        await told(atlas, key, key=bytes(32)),
        await told(atlas, key, by_old=b"short"),
    ]

    assert [answer.status for answer in answers] == [422] * 5
    assert stored(rig) == before


async def test_signatures_of_another_session_are_good_for_nothing(rig: Rig, atlas: RigAgent) -> None:
    key = SigningKey.generate()
    message = wire.new_key_message(atlas.session, bytes(key.verify_key))
    await atlas.hello()

    answer = await told(
        atlas, key, by_old=atlas.key.sign(message).signature, by_new=key.sign(message).signature
    )

    assert answer.status == 422


async def test_the_old_key_takes_no_third_one_in(rig: Rig, atlas: RigAgent) -> None:
    await told(atlas, SigningKey.generate())
    rig.clock.move(seconds=2 * REST_MS // 1000)

    answer = await told(atlas, SigningKey.generate())

    assert answer.status == 409
    assert changes(rig) == 1


async def test_a_key_can_be_changed_again_after_a_minute(rig: Rig, atlas: RigAgent) -> None:
    second, third = SigningKey.generate(), SigningKey.generate()
    await told(atlas, second)

    soon = await told(atlas, third, by=second)
    rig.clock.move(seconds=REST_MS // 1000)
    later = await told(atlas, third, by=second)

    assert (soon.status, later.status) == (429, 200)
    assert (await replace(atlas, key=second).hello()).status == 200
    assert (await atlas.hello()).status == 403


async def test_retiring_a_host_refuses_both_of_its_keys(rig: Rig, atlas: RigAgent) -> None:
    renewed = replace(atlas, key=SigningKey.generate())
    await told(atlas, renewed.key)
    await renewed.hello()
    rig.storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", rig.clock.now_ms()))
    rig.estate.reload()

    answers = [
        await atlas.hello(),
        await renewed.hello(),
        await atlas.push(atlas.frame(0)),
        await renewed.push(renewed.frame(1)),
        await told(renewed, SigningKey.generate()),
    ]

    assert [answer.status for answer in answers] == [403] * 5


async def test_an_agent_in_quarantine_gets_no_other_key(rig: Rig, atlas: RigAgent) -> None:
    rig.storage.write(lambda s: quarantine(s, agent_id=atlas.id, evidence="", now_ms=1))

    answer = await told(atlas, SigningKey.generate())

    assert answer.status in {403, 409}
    assert changes(rig) == 1
