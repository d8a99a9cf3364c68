"""What agents do is in the audit log, once, and what is refused is not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio
from nacl.signing import SigningKey
from tests.server.ingest.rig import Rig, RigAgent, enrolled, running
from tests.server.ingest.test_quarantine import HERE, both_push, copied
from tests.server.ingest.test_rotation import told

from tocsin_server.access.audit import Entry
from tocsin_server.access.auditlog import entries
from tocsin_server.access.verification import verdict
from tocsin_server.estate.agents import quarantine


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


def log(rig: Rig) -> list[Entry]:
    found = rig.storage.read(lambda session: list(entries(session)))
    assert verdict(found, [], lambda _: False).fault is None
    return found


def facts(entry: Entry) -> tuple[Any, ...]:
    return entry.act, entry.subject, entry.party, entry.actor, entry.source, entry.client_id


async def test_an_enrolment_is_recorded_with_its_key_and_a_refused_one_is_not(rig: Rig) -> None:
    invitation = rig.invite()
    atlas = RigAgent(rig)
    await atlas.enrol(invitation)
    await RigAgent(rig, "borealis").enrol(invitation)

    (entry,) = log(rig)

    assert facts(entry) == ("agent.enrolled", atlas.id, "agent", atlas.id, "192.0.2.7", 1)
    assert bytes(atlas.key.verify_key).hex() in entry.details


async def test_a_change_of_key_is_recorded_once_however_often_it_is_told(rig: Rig) -> None:
    atlas = await enrolled(rig)
    key = SigningKey.generate()
    await told(atlas, key)
    await atlas.hello()
    await told(atlas, key)
    await told(replace(atlas, key=key), SigningKey.generate())  # too soon

    entry = log(rig)[-1]

    assert len(log(rig)) == 2
    assert facts(entry) == ("agent.key_changed", atlas.id, "agent", atlas.id, "", 1)
    assert bytes(key.verify_key).hex() in entry.details


async def test_a_quarantine_that_is_there_already_is_not_recorded_again(rig: Rig) -> None:
    atlas = await enrolled(rig)
    await atlas.hello(**HERE)
    copy = await copied(atlas)
    rig.storage.write(lambda s: quarantine(s, agent_id=atlas.id, evidence="", now_ms=1))  # somebody was first

    answers = await both_push(rig, atlas, copy, times=3)

    assert answers[-1].status == 403
    assert [entry.act for entry in log(rig)] == ["agent.enrolled"]


async def test_a_quarantine_is_recorded_once_with_its_evidence(rig: Rig) -> None:
    atlas = await enrolled(rig)
    await atlas.hello(**HERE)
    await both_push(rig, atlas, await copied(atlas), times=5)

    entry = log(rig)[-1]

    assert len(log(rig)) == 2
    assert facts(entry) == ("agent.cloned", atlas.id, "server", "quarantine", "", 1)
    assert "'atlas-copy' at 192.0.2.7" in entry.details
