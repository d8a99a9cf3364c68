"""A server that has no file descriptor left: who is connected is served, nobody ends it, and it comes back."""

import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from tests.faults.oracle import PushingAgent, stored_frames
from tests.processes import ServerProcess, until

ALLOWED = 96
STRANGERS = 200
LOOK_S = 3.0

pytestmark = pytest.mark.faults


def strangers_at(server: ServerProcess, lines: ExitStack) -> None:
    """Connections of somebody who says nothing; those that are turned away count as well."""
    for _ in range(STRANGERS):
        line = lines.enter_context(socket.socket())
        line.settimeout(1)
        line.connect(("127.0.0.1", server.port))


def share_of_a_core(process: psutil.Process) -> float:
    before = sum(process.cpu_times()[:2])
    time.sleep(LOOK_S)  # real time: it is the processor's that is measured
    return (sum(process.cpu_times()[:2]) - before) / LOOK_S


def test_without_descriptors_those_who_are_connected_are_served_and_the_server_comes_back(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > STRANGERS + 100
    with ServerProcess(tmp_path / "server", toml="interval_s = 1\n") as server:
        server.prepare()
        server.under = ["prlimit", f"--nofile={ALLOWED}"]
        invitation = server.invite()
        server.start()
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        agent = PushingAgent(server, "atlas", tmp_path, invitation)
        agent.start()
        until("the agent is connected", lambda: len(agent.oracle.acked) > 10)

        with ExitStack() as lines:
            strangers_at(server, lines)
            before = len(agent.oracle.acked)
            until("the agent is served", lambda: len(agent.oracle.acked) > before + 10)
            descriptors, share = process.num_fds(), share_of_a_core(process)
            assert server.process.poll() is None
        until("a new line is served", server.is_ready)
        agent.end()
        assert server.stop() == 0

    stored = stored_frames(server.data / "journal")
    report(f"descriptors: {descriptors} of {ALLOWED} used beside {STRANGERS} strangers; {share:.0%} of a core")
    assert descriptors >= ALLOWED - 2
    assert agent.oracle.acked <= set(stored)
    assert len(stored) == len(set(stored))
    assert not agent.refusals
    assert share < 0.5
