"""An operator asks the running server what its hosts have sent: a real agent, a real server, a real command."""

import json
from pathlib import Path

import pytest
from tests.processes import AgentProcess, ServerProcess, until

from tocsin_server.access.operator import read_pass

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("forked")]


def test_an_operator_asks_what_hosts_have_sent_and_a_restart_renews_the_pass(
    server: ServerProcess, tmp_path: Path
) -> None:
    invitation = server.prepare()["invitation"]
    server.start()
    with AgentProcess(tmp_path / "agent") as agent:
        agent.enrol(invitation, name="atlas").start()

        def load() -> str:
            return server.command("query", "node_load1").stdout

        printed = until("the load is known", load)
        journalled = server.command("query", 'count_over_time(up{instance="atlas"}[5m])').stdout
        before = server.command("query", "node_load1", "--at", "-1h", "--json").stdout
        of_nobody = server.command("query", "up", "--client", "nobody", check=False)

    assert printed.startswith('home/atlas: node_load1{instance="atlas", job="node", site="main"} => ')
    assert journalled.startswith('home/atlas: {instance="atlas", job="node", site="main"} => ')
    assert json.loads(before)["rows"] == []
    assert (of_nobody.returncode, of_nobody.stdout) == (2, "")
    assert "no client is called 'nobody'" in of_nobody.stderr

    first = read_pass(server.data)
    assert server.stop() == 0
    ended = server.command("query", "up", check=False)
    server.start()

    assert ended.returncode == 2
    assert f"no server answers at {server.url} (Connection refused)" in ended.stderr
    assert read_pass(server.data).token != first.token
    assert server.command("query", "1 + 1", "--client", "home").returncode == 0
