"""kill -9 of server and agent while frames are on their way: nothing acked is lost, nothing is there twice."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from tests.faults.oracle import PushingAgent, said_by_sqlite, spooled, stored_frames, titles_of_tickets
from tests.processes import AgentProcess, ServerProcess, until

from tocsin_agent.frames import pack_frame, pack_schema
from tocsin_agent.spool import Spool
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.ingest.replay import replay

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
AGENTS = 6
BACKLOG = 10_000

pytestmark = pytest.mark.faults


@pytest.fixture
def server(tmp_path: Path):
    with ServerProcess(tmp_path / "server", toml="interval_s = 1\n") as made:
        made.prepare()
        yield made.start()


def stored_of(server: ServerProcess) -> list[tuple[int, int]]:
    return [(epoch, seq) for _, epoch, seq in stored_frames(server.data / "journal")]


def test_killing_the_server_loses_nothing_acked_and_doubles_nothing(
    server: ServerProcess, tmp_path: Path
) -> None:
    agents = [PushingAgent(server, f"atlas-{number}", tmp_path) for number in range(AGENTS)]
    for agent in agents:
        agent.start()
    chance = random.Random(LOOPS)

    for _ in range(LOOPS):
        time.sleep(chance.uniform(0.2, 1.5))  # real time: the moment of the kill is what is tested
        server.kill()
        server.start()
    for agent in agents:
        agent.end()
    database = server.data / "tocsin.db"
    until("every host has its ticket", lambda: len(titles_of_tickets(database)) >= AGENTS)

    assert server.stop() == 0
    stored = stored_frames(server.data / "journal")
    acked = set().union(*[agent.oracle.acked for agent in agents])
    sent = set().union(*[agent.oracle.sent for agent in agents])
    assert len(acked) > LOOPS * AGENTS
    assert acked <= set(stored) <= sent
    assert len(stored) == len(set(stored))
    replayed = replay(server.data / "journal")
    assert all(replayed.received.holds(*key) for key in acked)
    assert (replayed.damaged, replayed.repeated) == (0, 0)
    assert said_by_sqlite(database) == "ok"
    tickets = titles_of_tickets(database)
    assert len(tickets) == len(set(tickets)) == AGENTS
    assert not any(agent.refusals for agent in agents)


def test_killing_the_agent_loses_nothing_spooled_and_doubles_nothing(
    server: ServerProcess, tmp_path: Path
) -> None:
    chance = random.Random(LOOPS)
    seen: set[tuple[int, int]] = set()
    with AgentProcess(tmp_path / "agent").enrol(server.invite(), name="atlas") as agent:
        for loop in range(LOOPS):
            # Every other time the server stands still, so that there is something in the spool.
            if loop % 2:
                server.process.send_signal(signal.SIGSTOP)
            agent.start()
            time.sleep(chance.uniform(0.3, 1.8))  # real time: the moment of the kill is what is tested
            agent.kill()
            seen |= spooled(agent.state)
            server.process.send_signal(signal.SIGCONT)
        agent.start()
        until("the spool is empty", lambda: not (spooled(agent.state) & seen), seconds=60)
        agent.kill()

    assert server.stop() == 0
    stored = stored_of(server)
    assert seen
    assert seen <= set(stored)
    assert len(stored) == len(set(stored))


def test_a_backlog_of_ten_thousand_frames_is_stored_once(server: ServerProcess, tmp_path: Path) -> None:
    epoch = time.time_ns() - 10**12
    schema = pack_schema([((f"node_backlog_{n}", ()), SeriesKind.GAUGE) for n in range(20)])
    with AgentProcess(tmp_path / "agent").enrol(server.invite(), name="atlas") as agent:
        spool = Spool(str(agent.state / "spool"), epoch=epoch)
        began_ms = time.time_ns() // 1_000_000 - BACKLOG * 1000
        for seq in range(BACKLOG):
            values = [float(seq + n) for n in range(20)]
            at = began_ms + seq * 1000
            spool.append(pack_frame(epoch=epoch, seq=seq, schema=schema, time_ms=at, values=values), schema)
        spool.close()

        agent.start()
        until(
            "the backlog is delivered",
            lambda: not any(e == epoch for e, _ in spooled(agent.state)),
            seconds=100,
        )
        agent.kill()

    assert server.stop() == 0
    stored = [seq for e, seq in stored_of(server) if e == epoch]
    assert sorted(stored) == list(range(BACKLOG))
    # The newest come first: what happened last is what a technician needs first.
    assert stored.index(BACKLOG - 1) < BACKLOG // 10
