"""An agent asks what it is to probe: it gets its own devices, and nobody else gets them."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import msgpack
import pytest
import pytest_asyncio
from tests.server.ingest.rig import Answer, Rig, RigAgent, enrolled, running

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import HostKind
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.devices import Device, Probe, SiteProbes
from tocsin_server.estate.hosts import retire_host

SNMP = Probe("snmp", "snmp", {"address": "192.0.2.1", "community": "sealed:secret-of-acme", "timeout_s": 5})
ASKED = {"v": wire.VERSION, "now_ms": 1}


def a_file(*names: str, client: str = "acme", agent: str = "atlas") -> SiteProbes:
    devices = tuple(Device(name, HostKind.NETWORK, 30, (), (SNMP,)) for name in names)
    return SiteProbes(f"{client}-{agent}.yml", client, "main", agent, devices)


async def asks(agent: RigAgent, said: object = ASKED, **changed: str) -> Answer:
    """The question, with the domain of the wire; the answer's MAC is checked."""
    domain = changed.pop("domain", wire.PROBES_DOMAIN.decode()).encode()
    answer = await agent.question(wire.PROBES_PATH, domain, said)
    if answer.status == 200:
        message = wire.answer_message(
            wire.PROBES_ANSWER_DOMAIN, agent.session, msgpack.packb(said), answer.content
        )
        expected = hmac.new(agent.mac_key, message, hashlib.sha256).hexdigest()
        assert answer.headers[wire.MAC_HEADER] == expected
    return answer


def names(answer: Answer) -> list[str]:
    assert answer.status == 200
    return [device["name"] for device in answer.said["devices"]]


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    """Acme's atlas, which probes switch-1."""
    agent = await enrolled(rig)
    rig.declare(a_file("switch-1"))
    return agent


async def test_an_agent_gets_its_devices_as_the_contract_has_them(rig: Rig, atlas: RigAgent) -> None:
    answer = await asks(atlas)

    assert answer.said["devices"] == [
        {
            "name": "switch-1",
            "every_s": 30,
            "probes": [{"kind": "snmp", "name": "snmp", **SNMP.options}],
        }
    ]
    assert len(bytes.fromhex(answer.said["digest"])) == 16


async def test_another_clients_agent_of_the_same_name_gets_nothing(rig: Rig, atlas: RigAgent) -> None:
    globex = await enrolled(rig, client="globex")
    borea = await enrolled(rig, "borea")

    for other in (globex, borea):
        answer = await asks(other)

        assert names(answer) == []
        assert b"secret-of-acme" not in answer.content
        assert "probes" not in (await other.push(other.frame(0))).said


async def test_a_push_is_answered_with_the_digest_of_what_is_to_be_probed(rig: Rig, atlas: RigAgent) -> None:
    digest = (await asks(atlas)).said["digest"]

    assert (await atlas.push(atlas.frame(0))).said["probes"] == digest

    rig.declare(a_file("switch-1", "switch-2"))
    other = (await atlas.push(atlas.frame(1))).said["probes"]
    assert other != digest
    assert names(await asks(atlas)) == ["switch-1", "switch-2"]

    rig.declare(a_file("switch-1"))
    assert (await atlas.push(atlas.frame(2))).said["probes"] == digest


async def test_an_agent_whose_devices_have_gone_is_told_so_after_a_restart_too(
    rig: Rig, atlas: RigAgent
) -> None:
    rig.declare()
    gone = (await atlas.push(atlas.frame(0))).said["probes"]
    assert names(await asks(atlas)) == []

    rig.restart()
    rig.declare()
    await atlas.hello()

    assert (await atlas.push(atlas.frame(1))).said["probes"] == gone


async def test_what_cannot_be_read_is_not_taken_for_nothing(rig: Rig, atlas: RigAgent) -> None:
    rig.restart()  # and nobody has read the files yet
    await atlas.hello()

    answer = await asks(atlas)

    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert "config/probes" in answer.said["remedy"]
    assert "probes" not in (await atlas.push(atlas.frame(0))).said


async def test_a_question_without_the_sessions_mac_is_refused(rig: Rig, atlas: RigAgent) -> None:
    body = msgpack.packb(ASKED)
    pushed = atlas.headers(body)
    wrong = {**pushed, wire.MAC_HEADER: "0" * 64}

    for headers in (pushed, wrong, {}):
        assert (await rig.post(wire.PROBES_PATH, body, headers)).status == 401
    assert (await asks(atlas, domain=wire.ASK_DOMAIN.decode())).status == 401


@pytest.mark.parametrize("said", [{}, {"v": 2, "now_ms": 1}, {**ASKED, "agent": "agt_globex"}, [1]])
async def test_a_question_that_makes_no_sense_is_refused(atlas: RigAgent, said: object) -> None:
    assert (await asks(atlas, said)).status == 422


async def test_a_revoked_agent_gets_nothing(rig: Rig, atlas: RigAgent) -> None:
    rig.storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", rig.clock.now_ms()))
    rig.estate.reload()

    assert (await asks(atlas)).status == 403
