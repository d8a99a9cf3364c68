"""Real processes: an agent changes its key while it pushes, and a copied state folder is noticed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.processes import AgentProcess, ForkedServer, ServerProcess, until

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("forked")]


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose agents push every second."""
    with ForkedServer(tmp_path / "server", toml="interval_s = 1\n") as process:
        yield process


@pytest.fixture
def prepared(quick: ServerProcess) -> dict[str, str]:
    """An invitation, and a technician's session."""
    said = quick.prepare()
    quick.start()
    return said


@pytest.fixture
def agent(prepared: dict[str, str], tmp_path: Path) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path / "agent") as process:
        yield process.enrol(prepared["invitation"], name="atlas")


def key_of(agent: AgentProcess) -> str:
    return str(json.loads((agent.state / "identity.json").read_text())["seed"])


def counted(server: ServerProcess, what: str) -> float:
    """One of the server's own counters."""
    page = httpx.get(f"{server.url}/metrics", trust_env=False).text
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(what))


STORED, REFUSED = (f'tocsin_frames_total{{outcome="{outcome}"}}' for outcome in ("stored", "refused"))
SHUT_OUT = 'tocsin_pushes_total{path="/agent/v1/push",status="403"}'


def test_a_key_is_changed_between_two_pushes_and_is_the_one_after_a_restart(
    quick: ServerProcess, agent: AgentProcess
) -> None:
    agent.start()
    until("a frame is stored", lambda: counted(quick, STORED))
    before = key_of(agent)

    asked = agent.command("rotate-key")
    until("the new key is in use", lambda: key_of(agent) != before)
    agent.kill()
    stored = counted(quick, STORED)
    agent.start()
    until("it pushes again", lambda: counted(quick, STORED) > stored)

    assert asked.returncode == 0, asked.stderr
    assert not (agent.state / "key.next").exists()
    assert counted(quick, REFUSED) == 0
    assert "key-changed by agent" in quick.command("agent", "show", "home", "atlas").stdout


def test_a_copied_state_folder_is_noticed_shut_out_and_released(
    quick: ServerProcess, prepared: dict[str, str], agent: AgentProcess, tmp_path: Path
) -> None:
    shutil.copytree(agent.state, tmp_path / "copy")
    agent.start()
    with AgentProcess(tmp_path / "copy") as copy:
        copy.start()
        until(
            "both are refused",
            lambda: counted(quick, 'tocsin_pushes_total{path="/agent/v1/push",status="403"}'),
        )
        trouble = until("it says so", lambda: trouble_of(agent))
        copy.kill()
    stored = counted(quick, STORED)

    quick.command("agent", "release", "home", "atlas")
    until("the server knows it", lambda: not is_cloned(quick, prepared["session"]))
    agent.kill()
    agent.start()
    until("it is heard again", lambda: counted(quick, STORED) > stored)

    assert "quarantine" in trouble
    assert "delete its state folder" in trouble


def is_cloned(server: ServerProcess, session: str) -> bool:
    """What a console shows of the one host."""
    with server.api(session) as client:
        (row,) = client.get("/hosts").json()["hosts"]
    return bool(row["cloned"])


def trouble_of(agent: AgentProcess) -> str:
    shown = agent.command("status", "--json")
    return str(json.loads(shown.stdout)["trouble"]) if shown.returncode == 0 else ""
