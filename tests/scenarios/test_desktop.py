"""Alice sits at desk-7 and asks for help: a real agent, a real server, and the ticket that comes of it."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.processes import AgentProcess, ServerProcess, until

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("forked")]


@pytest.fixture
def desk_7() -> Iterator[AgentProcess]:
    """An agent that is neither enrolled nor started; a socket's path is short, so its folder is too."""
    with tempfile.TemporaryDirectory() as folder, AgentProcess(Path(folder)) as agent:
        yield agent


def accepted(agent: AgentProcess) -> bool:
    told = agent.command("status", "--json")
    return told.returncode == 0 and json.loads(told.stdout)["accepted_ms"] is not None


def requests(api: httpx.Client, state: str = "open") -> list[dict]:
    """What was asked; a busy machine may have alerts of its own."""
    told = api.get("/tickets", params={"state": state}).raise_for_status().json()["tickets"]
    return [ticket for ticket in told if ticket["kind"] == "request"]


def test_a_question_becomes_a_ticket_of_the_host_with_its_readings(
    server: ServerProcess, desk_7: AgentProcess
) -> None:
    session, invitation = server.prepare().values()
    server.start()
    desk_7.enrol(invitation, name="desk-7").start()
    until("a push has been accepted", lambda: accepted(desk_7))

    def judged() -> bool:
        """The head takes in what has come once a second."""
        return api.get("/hosts").json()["hosts"][0]["vitals"]["memory_ratio"] is not None

    with server.api(session) as api:
        until("the readings are known", judged)
        asked = desk_7.command("ask", "the", "printer", "jams")
        (row,) = requests(api)
        detail = api.get(f"/tickets/{row['id']}").json()

    assert (asked.returncode, asked.stdout) == (0, f"ticket #{row['id']} is open: the printer jams\n")
    assert (row["kind"], row["title"], row["client"], row["site"], row["host"]) == (
        "request",
        "the printer jams",
        "home",
        "main",
        "desk-7",
    )
    (event,) = detail["events"]
    assert event["actor_kind"] == "host"
    assert event["actor"].endswith(" on desk-7")
    data = event["data"]
    assert 0 < data["memory_ratio"] < 1
    assert 0 < data["filesystem_ratio"] <= 1
    assert data["load1"] >= 0
    assert data["uptime_s"] > 0
    assert data["sample_at"]
    assert data["seen_at"]


@pytest.mark.faults
def test_a_question_that_found_no_server_is_asked_once_when_it_is_back(
    server: ServerProcess, desk_7: AgentProcess
) -> None:
    session, invitation = server.prepare().values()
    server.start()
    desk_7.enrol(invitation, name="desk-7").start()
    until("a push has been accepted", lambda: accepted(desk_7))
    first = desk_7.command("ask", "all is dark")
    server.kill()

    away = desk_7.command("ask", "and cold")
    server.start()
    again = desk_7.command("ask", "and cold")
    repeated = desk_7.command("ask", "and cold")
    with server.api(session) as api:
        titles = sorted(ticket["title"] for ticket in requests(api, "all"))

    assert first.returncode == 0
    assert away.returncode == 1
    assert "the server cannot be reached now" in away.stderr
    assert "call your service desk" in away.stderr
    assert again.returncode == 0
    assert again.stdout == repeated.stdout
    assert titles == ["all is dark", "and cold"]


def test_an_agent_that_was_killed_leaves_nothing_in_its_successors_way(
    server: ServerProcess, desk_7: AgentProcess
) -> None:
    invitation = server.prepare()["invitation"]
    server.start()
    desk_7.enrol(invitation, name="desk-7").start()
    until("a push has been accepted", lambda: accepted(desk_7))
    desk_7.kill()

    alone = desk_7.command("ask", "is anybody there")
    left = (desk_7.state / "agent.sock").exists()
    desk_7.start()
    until("the next agent answers", lambda: accepted(desk_7))

    assert left
    assert alone.returncode == 1
    assert alone.stderr.startswith("tocsin-agent is not running here:")
    assert desk_7.command("ask", "is anybody there").returncode == 0


def test_whoever_asks_never_sees_the_key(server: ServerProcess, desk_7: AgentProcess) -> None:
    invitation = server.prepare()["invitation"]
    server.start()
    desk_7.enrol(invitation, name="desk-7").start()
    until("a push has been accepted", lambda: accepted(desk_7))

    key = json.loads((desk_7.state / "identity.json").read_text())["seed"]
    told = desk_7.command("status", "--json").stdout + desk_7.command("ask", "the printer jams").stdout

    assert (desk_7.state / "identity.json").stat().st_mode & 0o077 == 0
    assert key not in told
