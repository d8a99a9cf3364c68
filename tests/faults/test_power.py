"""The power cut. A life of server and agents is recorded to the byte; then, at many of its moments, the disk is
made as the power may have left it, and the programs start on that.

Every point is opened in this process by the code of a start: migrations, the journal's replay, the writer,
SQLite's own check, the agent's spool. Every tenth starts the real program: the server has to be healthy, tell
its technician all that she knew and take a push twice as one; the agent has to deliver all that it has.

`TOCSIN_FAULT_LOOPS` of 100 and more makes the long form of it; `TOCSIN_FAULT_SEED` repeats the draws of a run,
which prints it, though no life is lived twice.
"""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from bench.fleet import SimulatedAgent
from tests.faults.aftermath import (
    Promised,
    doubled_by_server,
    kept_by_agent,
    kept_by_server,
    lost_by_server,
)
from tests.faults.disk import Disk, Image, Names
from tests.faults.life import Life, recorded_life
from tests.faults.oracle import FULL, SCHEMA, PushingAgent, spooled, stored_frames
from tests.faults.recording import Recorded, lay
from tests.processes import AgentProcess, ServerProcess, until

from tocsin_agent.errors import NotEnrolled
from tocsin_agent.identity import load

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
POINTS, ROUNDS = (max(500, 3 * LOOPS), 12) if LOOPS >= 100 else (30, 2)
REAL_EVERY = 10
SEED = os.environ.get("TOCSIN_FAULT_SEED") or str(time.time_ns())

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800), pytest.mark.xdist_group("power")]


class Point(NamedTuple):
    """The power goes after so many events; what was told before `told_s` was told by then."""

    events: int
    told_s: float
    image: Image


@pytest.fixture(scope="module")
def life(strace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with recorded_life(tmp_path_factory.mktemp("life"), seed=SEED, rounds=ROUNDS) as lived:
        yield lived


def points(first: Image, events: Sequence[Recorded]) -> Iterator[Point]:
    """Moments of a life in order, each with what the disk may have then, on either kind of file system."""
    chance = random.Random(SEED)
    disks = [Disk(names, first) for names in Names]
    done = 0
    for until_event in sorted(chance.choices(range(1, len(events) + 1), k=POINTS)):
        for recorded in events[done:until_event]:
            for disk in disks:
                disk.apply(recorded.event)
        done = until_event
        yield Point(done, events[done - 1].at_s, chance.choice(disks).image(chance))


def test_whatever_a_power_cut_leaves_the_server_has_all_that_it_has_acked_and_nothing_twice(
    life: Life, tmp_path: Path, report: Callable[[str], None]
) -> None:
    lost, doubled, unsound, damaged, real = [], [], [], 0, 0

    for number, point in enumerate(points(life.server_first, life.server_events)):
        data = tmp_path / "server"
        lay(point.image, data)
        kept = kept_by_server(data)
        lost += [f"{what} at event {point.events}" for what in lost_by_server(kept, life.told, point.told_s)]
        lost += [f"{what} at event {point.events}" for what in lost_keys(data, life, point.told_s)]
        doubled += doubled_by_server(kept)
        unsound += [*kept.audit, *([kept.said] if kept.said != "ok" else [])]
        damaged += kept.damaged > 0
        if number % REAL_EVERY == 0:
            real += 1
            serve(data, life, point.told_s)
            served = kept_by_server(data)
            lost += [
                f"{what}, served at {point.events}" for what in lost_by_server(served, life.told, point.told_s)
            ]
            doubled += doubled_by_server(served)
        shutil.rmtree(data)

    report(
        f"server: {POINTS} power cuts in {len(life.server_events)} events, {real} started;"
        f" {len(life.told.frames)} frames acked, {len(life.told.comments)} comments;"
        f" {len(lost)} lost, {len(doubled)} doubled, {len(unsound)} unsound,"
        f" {damaged} with damage passed over (seed {SEED})"
    )
    assert (lost, doubled, unsound) == ([], [], [])


def test_whatever_a_power_cut_leaves_the_agent_has_all_that_was_spooled_and_nothing_arrives_twice(
    life: Life, tmp_path: Path, report: Callable[[str], None]
) -> None:
    lost, altered, uncounted, damaged, started = [], 0, 0, 0, set()
    promised, done = Promised(), 0

    with ServerProcess(life.server.data) as server:
        server.port, server.url = life.server.port, life.server.url
        server.start()
        for number, point in enumerate(points(life.agent_first, life.agent_events)):
            for recorded in life.agent_events[done : point.events]:
                promised.apply(recorded.event)
            done = point.events
            state = tmp_path / "agent"
            lay(point.image, state)
            is_enrolled = point.told_s > life.told.agents[life.agent_id]
            lost += [f"identity at event {point.events}"] * (is_enrolled and not knows_itself(state, life))
            if number % REAL_EVERY == 0 and is_enrolled:
                started |= deliver(state)
                shutil.rmtree(state)
                lay(point.image, state)
            kept = kept_by_agent(state, promised.written)
            lost += [f"{key} at event {point.events}" for key in promised.keys() - kept.frames.keys()]
            altered += kept.altered
            damaged += kept.damages > 0
            uncounted += kept.has_unreadable and not kept.damages
            assert max(kept.frames.values(), default=1) == 1
            shutil.rmtree(state)
        assert server.stop() == 0

    stored = stored_frames(life.server.data / "journal")
    report(
        f"agent: {POINTS} power cuts in {len(life.agent_events)} events; {len(promised.written)} spooled,"
        f" {len(started)} of images delivered; {len(lost)} lost, {len(stored) - len(set(stored))} doubled,"
        f" {altered} altered, {damaged} with damage counted (seed {SEED})"
    )
    assert (lost, altered, uncounted) == ([], 0, 0)
    assert started <= {(epoch, seq) for _, epoch, seq in stored}
    assert len(stored) == len(set(stored))


def lost_keys(data: Path, life: Life, told_s: float) -> Iterator[str]:
    """Who the server is, which every agent was told, never changes."""
    for name in ("identity.key", "tls.pem"):
        path = data / name
        was = (life.server.data / name).read_bytes()
        if told_s > life.told.prepared_s and (not path.exists() or path.read_bytes() != was):
            yield name


def serve(data: Path, life: Life, told_s: float) -> None:
    """The real server is healthy, tells what was told, and takes what it has as it takes what is new."""
    with ServerProcess(data) as server:
        server.start()
        if told_s > life.told.prepared_s:
            with server.api(life.told.session) as api:
                said = comments_by(api)
            assert {text for text, at_s in life.told.comments.items() if at_s < told_s} <= said
        for agent in life.agents:
            if life.told.agents[agent.agent.agent] < told_s:
                push_again(server, agent, told_s)
        assert server.stop() == 0


def comments_by(api: httpx.Client) -> set[str]:
    """Every comment on every ticket."""
    tickets = api.get("/tickets").raise_for_status().json()["tickets"]
    details = [api.get(f"/tickets/{row['id']}").raise_for_status().json() for row in tickets]
    return {event["text"] for detail in details for event in detail["events"] if event["kind"] == "commented"}


def push_again(server: ServerProcess, agent: PushingAgent, told_s: float) -> None:
    """What was acked last, and one that is new."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=10) as http:
        again = SimulatedAgent(http, agent.name)
        again.key, again.agent, again.epoch = agent.agent.key, agent.agent.agent, agent.agent.epoch
        again.server_key = agent.agent.server_key
        acked = sorted(seq for (_, _, seq), at_s in agent.oracle.acked_s.items() if at_s < told_s)
        frames = []
        for seq in [*acked[-20:], agent.agent.next_seq]:
            again.next_seq = seq
            frames.append(again.frame(SCHEMA, FULL))
        assert again.push(frames) == 200


def knows_itself(state: Path, life: Life) -> bool:
    """Whether the agent has its identity."""
    try:
        return load(str(state)).agent == life.agent_id
    except NotEnrolled:
        return False


def deliver(state: Path) -> set[tuple[int, int]]:
    """The real agent delivers all that the image has."""
    kept = spooled(state)
    with AgentProcess(state) as agent:
        agent.start()
        until("the agent delivers what was left", lambda: not spooled(state) & kept, seconds=30)
    return kept
