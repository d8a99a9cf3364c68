"""A server that stands still, as under a machine that is paused: nobody was silent for that."""

import signal
import time
from pathlib import Path

import pytest
from tests.faults.oracle import PushingAgent, stored_frames, titles_of_tickets
from tests.processes import ServerProcess, until

AGENTS = 3
STILL_S = 9.0
"""Hosts that push every second are silent after five."""

pytestmark = pytest.mark.faults


def test_a_server_that_stood_still_opens_no_ticket_for_it_and_one_for_whoever_stays_away(
    tmp_path: Path,
) -> None:
    with ServerProcess(tmp_path / "server", toml="interval_s = 1\n") as server:
        server.prepare()
        server.start()
        agents = [PushingAgent(server, f"host-{number}", tmp_path) for number in range(AGENTS)]
        for agent in agents:
            agent.start()
        database = server.data / "tocsin.db"
        until("every host has its ticket", lambda: len(titles_of_tickets(database)) == AGENTS)

        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(STILL_S)  # real time: the length of the standstill is what is tested
        server.process.send_signal(signal.SIGCONT)
        acked = [len(agent.oracle.acked) for agent in agents]
        until(
            "all are heard again",
            lambda: all(len(agent.oracle.acked) > before for agent, before in zip(agents, acked, strict=True)),
        )
        meanwhile = titles_of_tickets(database)
        agents[0].end()
        until("the one that stays away is missed", lambda: len(titles_of_tickets(database)) > AGENTS)
        for agent in agents[1:]:
            agent.end()
        assert server.stop() == 0

    assert len(meanwhile) == AGENTS
    assert titles_of_tickets(database)[AGENTS:] == [(1, "host-0 is silent")]
    assert set().union(*[agent.oracle.acked for agent in agents]) <= set(stored_frames(server.data / "journal"))
