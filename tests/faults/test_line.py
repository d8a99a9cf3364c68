"""A line that loses answers after the server has stored what they were about, and breaks in mid-sentence."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.oracle import PushingAgent, spooled, stored_frames
from tests.faults.proxy import Break, Proxy
from tests.processes import AgentProcess, ServerProcess, until

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
LOST = 1000 if LOOPS >= 100 else 60
AGENTS = 3

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def test_answers_that_are_lost_on_the_way_double_nothing_and_lose_nothing(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    with (
        ServerProcess(tmp_path / "server", toml="interval_s = 1\n") as server,
        Proxy(server.port, seed=LOST, share=0) as proxy,
        AgentProcess(tmp_path / "agent") as real,
    ):
        server.prepare()
        server.start()
        server.url = proxy.url  # which its invitations carry
        agents = [PushingAgent(server, f"host-{number}", tmp_path) for number in range(AGENTS)]
        real.enrol(server.invite(), name="atlas").start()
        proxy.share = 0.5
        for agent in agents:
            agent.start()
        until("enough answers are lost", lambda: proxy.breaks[Break.ANSWER_LOST] >= LOST, seconds=400)
        proxy.share = 0
        for agent in agents:
            agent.end()
        left = spooled(real.state)
        until("the agent has delivered", lambda: not spooled(real.state) & left, seconds=60)
        real.kill()
        assert server.stop() == 0

    stored = stored_frames(server.data / "journal")
    acked = set().union(*[agent.oracle.acked for agent in agents])
    doubled = len(stored) - len(set(stored))
    report(f"line: {dict(proxy.breaks)}; {len(acked)} frames acked, {doubled} doubled")
    assert acked <= set(stored)
    assert left <= {(epoch, seq) for _, epoch, seq in stored}
    assert doubled == 0
