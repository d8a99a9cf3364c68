"""Frames of devices: stored under the device, and only where their agent is declared to probe it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from bench.fleet import pack_schema
from sqlmodel import Session, select
from structlog.testing import capture_logs
from tests.server.ingest.rig import Rig, RigAgent, enrolled, running

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server.estate.devices import Device, Probe, SiteProbes
from tocsin_server.estate.store import Host
from tocsin_server.ingest.sessions import MAX_DEVICE_SCHEMAS

ICMP = Probe("icmp", "icmp", {"address": "192.0.2.1", "timeout_s": 5})


def schema_of(name: str, *, width: int = 1) -> bytes:
    return pack_schema(
        [("probe_success", SeriesKind.GAUGE, {"probe": f"p{n}"}) for n in range(width)], host=name
    )


SWITCH = schema_of("switch-1")


def a_file(*names: str, client: str = "acme", agent: str = "atlas", every_s: int = 30) -> SiteProbes:
    devices = tuple(Device(name, HostKind.NETWORK, every_s, (), (ICMP,)) for name in names)
    return SiteProbes(f"{client}-{agent}.yml", client, "main", agent, devices)


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


def host_id(rig: Rig, name: str, client: str = "acme") -> int:
    return next(host.id for host in rig.estate.hosts() if (host.client, host.name) == (client, name))


def arrived(rig: Rig) -> list[tuple[int, int]]:
    """Host and columns of what has been stored since the last time."""
    return [(frame.host_id, frame.matrix.shape[1]) for frame in rig.inbox.drain()]


def is_undeclared(answer: Any) -> bool:
    return (answer.status, answer.said["type"]) == (422, "undeclared-device")


async def test_a_devices_frame_is_stored_under_the_device_and_the_agents_own_under_its_host(
    rig: Rig, atlas: RigAgent
) -> None:
    answer = await atlas.push(atlas.frame(0), atlas.frame(1, schema=SWITCH))

    switch, own = host_id(rig, "switch-1"), host_id(rig, "atlas")
    now_ms = rig.clock.now_ms()
    assert (answer.status, answer.said["acked"]) == (200, 2)
    assert arrived(rig) == [(own, 2), (switch, 1)]
    assert [frame.times_ms for frame in rig.journal.frames_of(switch, now_ms, now_ms)] == [[now_ms]]
    assert [frame.schema.host for frame in rig.journal.frames_of(own, now_ms, now_ms)] == [""]


async def test_a_frame_of_a_device_that_is_pushed_again_is_acked_without_effect(
    rig: Rig, atlas: RigAgent
) -> None:
    await atlas.push(atlas.frame(0, schema=SWITCH))
    arrived(rig)

    again = await atlas.push(atlas.frame(0, schema=SWITCH))

    assert (again.status, arrived(rig)) == (200, [])
    assert rig.count("repeated") == 1


async def test_after_a_restart_the_journal_knows_the_device_as_before(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0), atlas.frame(1, schema=SWITCH))
    rig.clock.move(seconds=5)

    rig.restart()
    await atlas.hello()
    again = await atlas.push(atlas.frame(1, schema=SWITCH), atlas.frame(2, schema=SWITCH))

    switch = host_id(rig, "switch-1")
    assert again.status == 200
    assert arrived(rig) == [(switch, 1)]
    assert rig.count("repeated") == 1
    since = list(rig.journal.frames_since(0))
    assert [(frame.host_id, frame.schema.host) for frame in since if frame.host_id == switch] == [
        (switch, "switch-1"),
        (switch, "switch-1"),
    ]


async def test_a_restart_remembers_when_a_device_was_heard(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0, schema=SWITCH))
    heard_ms = rig.clock.now_ms()
    rig.clock.move(seconds=5)

    rig.restart()

    assert rig.presence.last_seen_ms(host_id(rig, "switch-1")) == heard_ms


# -- whose it is


async def test_a_device_that_nobody_declared_is_refused_and_the_agent_itself_goes_on(
    rig: Rig, atlas: RigAgent
) -> None:
    refused = await atlas.push(atlas.frame(0), atlas.frame(1, schema=schema_of("printer-1")))
    alone = await atlas.push(atlas.frame(0))

    assert is_undeclared(refused)
    assert "'printer-1'" in refused.said["detail"]
    assert "config/probes" in refused.said["remedy"]
    assert alone.status == 200
    assert arrived(rig) == [(host_id(rig, "atlas"), 2)]


async def test_a_device_of_another_agent_of_the_same_client_is_refused(rig: Rig, atlas: RigAgent) -> None:
    borea = await enrolled(rig, "borea")

    assert is_undeclared(await borea.push(borea.frame(0, schema=SWITCH)))
    assert arrived(rig) == []


async def test_a_device_of_another_client_is_refused_and_one_of_the_same_name_is_its_own(
    rig: Rig, atlas: RigAgent
) -> None:
    globex = await enrolled(rig, client="globex")

    refused = await globex.push(globex.frame(0, schema=SWITCH))
    rig.declare(a_file("switch-1"), a_file("switch-1", client="globex"))
    taken = await globex.push(globex.frame(0, schema=SWITCH))

    assert is_undeclared(refused)
    assert taken.status == 200
    assert arrived(rig) == [(host_id(rig, "switch-1", "globex"), 1)]


async def test_a_device_that_the_tables_put_under_another_clients_agent_is_refused(
    rig: Rig, atlas: RigAgent
) -> None:
    globex = await enrolled(rig, client="globex")
    theirs = host_id(rig, "atlas", "globex")

    def cross(session: Session) -> None:
        session.exec(select(Host).where(Host.name == "switch-1")).one().prober_id = theirs

    rig.storage.write(cross)
    rig.estate.reload()

    assert is_undeclared(await globex.push(globex.frame(0, schema=SWITCH)))
    assert is_undeclared(await atlas.push(atlas.frame(0, schema=SWITCH)))
    assert arrived(rig) == []


async def test_an_enrolled_host_is_nobodys_device(rig: Rig, atlas: RigAgent) -> None:
    await enrolled(rig, "borea")

    for name in ("borea", "atlas"):
        assert is_undeclared(await atlas.push(atlas.frame(0, schema=schema_of(name))))


async def test_a_device_that_is_taken_away_within_a_session_is_refused_from_then_on(
    rig: Rig, atlas: RigAgent
) -> None:
    assert (await atlas.push(atlas.frame(0, schema=SWITCH))).status == 200

    rig.declare()

    assert is_undeclared(await atlas.push(atlas.frame(1, schema=SWITCH), schemas=False))
    assert (await atlas.push(atlas.frame(2))).status == 200


async def test_an_undeclared_device_is_told_once_a_minute_and_of_few_names(rig: Rig, atlas: RigAgent) -> None:
    async def pushed(name: str) -> list[str]:
        with capture_logs() as logs:
            await atlas.push(atlas.frame(0, schema=schema_of(name)))
        return [line["device"] for line in logs if line["action"] == "undeclared_device"]

    assert await pushed("printer\n1") == [r"'printer\n1'"]
    assert await pushed("printer\n1") == []
    rig.clock.move(seconds=60)
    assert await pushed("printer\n1") == [r"'printer\n1'"]
    assert sum([len(await pushed(f"made-up-{n}")) for n in range(50)]) == 7


async def test_many_devices_never_take_each_others_schemas_away(rig: Rig, atlas: RigAgent) -> None:
    names = [f"d{n}" for n in range(100)]
    rig.declare(a_file(*names))
    seqs = range(len(names))

    first = await atlas.push(*(atlas.frame(seq, schema=schema_of(names[seq])) for seq in seqs))
    again = await atlas.push(
        *(atlas.frame(100 + seq, schema=schema_of(names[seq])) for seq in seqs), schemas=False
    )

    assert (first.status, again.status) == (200, 200)
    assert len(rig.inbox) == 200


async def test_a_device_whose_series_come_and_go_makes_room_for_its_newest_schemas(
    rig: Rig, atlas: RigAgent
) -> None:
    for width in range(1, MAX_DEVICE_SCHEMAS + 2):
        await atlas.push(atlas.frame(width, schema=schema_of("switch-1", width=width)))

    oldest = await atlas.push(atlas.frame(50, schema=schema_of("switch-1", width=1)), schemas=False)
    newest = await atlas.push(atlas.frame(51, schema=schema_of("switch-1", width=5)), schemas=False)

    assert (oldest.status, newest.status) == (409, 200)


# -- is it there?


async def test_a_device_is_there_while_its_frames_come_and_silent_without_them(
    rig: Rig, atlas: RigAgent
) -> None:
    switch, own = host_id(rig, "switch-1"), host_id(rig, "atlas")
    rig.presence.expect({switch: 30})
    rig.clock.move(seconds=3000)
    await atlas.push(atlas.frame(0, schema=SWITCH))

    rig.clock.move(seconds=92)
    assert rig.presence.is_up(switch, rig.clock.now_ms())
    assert not rig.presence.is_up(own, rig.clock.now_ms())
    await atlas.push(atlas.frame(1))
    rig.clock.move(seconds=0.001)

    assert not rig.presence.is_up(switch, rig.clock.now_ms())
    assert rig.presence.is_up(own, rig.clock.now_ms())


async def test_a_backlog_of_a_device_says_nothing_of_now(rig: Rig, atlas: RigAgent) -> None:
    switch = host_id(rig, "switch-1")
    now_ms = rig.clock.now_ms()
    await atlas.push(atlas.frame(0, schema=SWITCH, at_ms=now_ms - 1000))

    await atlas.push(atlas.frame(1, schema=SWITCH, at_ms=now_ms - 3_600_000))

    assert rig.presence.last_seen_ms(switch) == now_ms - 1000
    assert len(rig.inbox) == 2


@pytest.mark.parametrize("ahead_ms", [-600_000, 600_000])
async def test_a_prober_whose_clock_is_wrong_makes_no_device_silent(
    rig: Rig, atlas: RigAgent, ahead_ms: int
) -> None:
    now_ms = rig.clock.now_ms()

    await atlas.push(atlas.frame(0, schema=SWITCH, at_ms=now_ms + ahead_ms - 2000), ahead_ms=ahead_ms)

    switch = host_id(rig, "switch-1")
    assert rig.presence.last_seen_ms(switch) == now_ms - 2000
    assert rig.presence.skew_s(switch) is None
