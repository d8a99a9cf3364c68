"""An operator asks why an alert rings: a real agent, a real server, a real command."""

from pathlib import Path

import pytest
from tests.processes import AgentProcess, ForkedServer, until

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("forked")]

RULES = """\
groups:
- name: story
  rules:
  - {alert: HostThere, expr: up == 1, annotations: {summary: "{{ $labels.instance }} is there"}}
"""


def test_an_operator_reads_why_an_alert_rings_and_which_ticket_heard(tmp_path: Path) -> None:
    rules = tmp_path / "config" / "rules"
    rules.mkdir(parents=True)
    (rules / "story.yml").write_text(RULES)
    with ForkedServer(tmp_path / "server", config=tmp_path / "config") as server:
        invitation = server.prepare()["invitation"]
        server.start()
        with AgentProcess(tmp_path / "agent") as agent:
            agent.enrol(invitation, name="atlas").start()
            until("a ticket has heard", lambda: "#1" in server.command("rules", "why").stdout)
            number = server.command("rules", "why").stdout.splitlines()[1].split()[0]
            said = server.command("rules", "why", number).stdout
            of_ticket = server.command("rules", "why", "--ticket", "1").stdout

    assert said.startswith("HostThere of home/atlas: firing since ")
    assert "rule story.yml:4, group story: in force, judged in every round\n  up == 1\n" in said
    assert "inactive -> firing  value 1\n" in said
    assert "told to ticket #1\n" in said
    assert "true, 1\n" in said
    assert 'samples of up\n  up{instance="atlas", job="node", site="main"}\n' in said
    assert of_ticket.startswith("ticket #1 of home, new, nobody's: atlas is there\n\nHostThere of home/atlas")
