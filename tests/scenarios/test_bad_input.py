"""What goes wrong gets one clear answer; the server stays up, and nothing acknowledged is lost."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from bench.fleet import SimulatedAgent, pack_schema, wide_schema
from tests.processes import AgentProcess, ForkedServer, ServerProcess, until

from tocsin_protocol.vocabulary import SeriesKind

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("bad input")]

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "rules"
SCHEMA = pack_schema([("node_load1", SeriesKind.GAUGE, {})])


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client:
        yield client


def enrolled(http: httpx.Client, invitation: str, name: str = "atlas") -> SimulatedAgent:
    agent = SimulatedAgent(http, name)
    agent.enrol(invitation)
    return agent


def test_a_rule_file_that_breaks_keeps_the_rules_before_it_and_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "config" / "rules"
    shutil.copytree(SHIPPED, rules)
    with ForkedServer(tmp_path / "server", config=tmp_path / "config") as server:
        session = server.prepare()["session"]
        server.start()
        with server.api(session) as api:
            before = api.get("/status").json()

            (rules / "mine.yml").write_text("groups: [{name: mine, rules: [{alert: Full, expr: 'up =='}]}]")
            broken = until(
                "the file is refused", lambda: (s := api.get("/status").json())["rule_problems"] and s
            )
            (rules / "mine.yml").write_text("groups: [{name: mine, rules: [{alert: Full, expr: 'up == 5'}]}]")
            mended = until(
                "it is in force", lambda: (s := api.get("/status").json())["rules"] > before["rules"] and s
            )

    assert broken["rules"] == before["rules"]
    problem = broken["rule_problems"][0]
    assert (Path(problem["file"]).name, problem["group"], problem["rule"]) == ("mine.yml", "mine", "Full")
    assert problem["reason"]
    assert mended["rule_problems"] == []


def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text("intervall_s = 10\n")
    server = ForkedServer(tmp_path / "server")

    done = server.command("run", "--settings", str(settings), check=False)

    assert done.returncode == 2
    assert "server.toml" in done.stderr
    assert "did you mean 'interval_s'" in done.stderr


def test_a_second_server_on_the_same_folder_is_told_who_has_it(server: ServerProcess) -> None:
    server.prepare()
    server.start()
    assert server.process is not None

    done = server.command("run", "--port", "0", check=False)

    assert done.returncode == 2
    assert f"in use by process {server.process.pid}" in done.stderr


def test_a_token_enrols_one_agent_and_tells_the_second_why_not(server: ServerProcess, tmp_path: Path) -> None:
    invitation = server.prepare()["invitation"]
    server.start()
    AgentProcess(_folder(tmp_path / "one")).enrol(invitation, name="atlas")

    with pytest.raises(AssertionError, match="used already"):
        AgentProcess(_folder(tmp_path / "two")).enrol(invitation, name="borea")
    with pytest.raises(AssertionError, match="copy it again"):
        AgentProcess(_folder(tmp_path / "three")).enrol(invitation[:-3], name="cirrus")


def test_the_agent_of_a_retired_host_is_refused_within_five_seconds(
    server: ServerProcess, http: httpx.Client
) -> None:
    invitation = server.prepare()["invitation"]
    server.start()
    agent = enrolled(http, invitation)
    assert agent.push([agent.frame(SCHEMA, [1.0])]) == 200

    server.command("host", "retire", "home", "atlas")
    until("it is refused", lambda: agent.push([agent.frame(SCHEMA, [1.0])]) == 403, seconds=5)


def test_a_failed_login_says_no_more_than_that_it_failed(server: ServerProcess, http: httpx.Client) -> None:
    server.prepare()
    server.start()

    answer = http.post("/api/v1/login", json={"login": "charlie", "password": "let me in please"})

    assert answer.status_code == 401
    assert "charlie" not in answer.text


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs needs root")
def test_a_full_disk_is_503_and_the_server_goes_on_by_itself_once_there_is_space(tmp_path: Path) -> None:
    disk = _folder(tmp_path / "disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=True)
    try:
        with (
            ForkedServer(disk / "server") as server,
            httpx.Client(base_url=server.url, trust_env=False) as http,
        ):
            session, invitation = server.prepare().values()
            server.start()
            agent = enrolled(http, invitation)
            schema = wide_schema(300)
            acked = [agent.frame(schema, [float(i)] * 300) for i in range(3)]
            assert agent.push(acked) == 200

            fill(disk / "ballast")
            answers = [agent.push([agent.frame(schema, random_values())]) for _ in range(20)]
            refused = agent.frame(schema, random_values())
            statuses = {agent.push([refused]) for _ in range(3)}
            with server.api(session) as api:
                reads = api.get("/tickets").status_code
                health = http.get("/healthz").status_code
            (disk / "ballast").unlink()
            until("the same frame is taken", lambda: agent.push([refused]) == 200)
            again = agent.push([*acked, refused])
            until("the server is well", lambda: http.get("/healthz").status_code == 200)
            page = http.get("/metrics").text
    finally:
        subprocess.run(["umount", "-l", disk], check=False)

    assert statuses == {503}
    assert reads == 200
    assert health == 503
    assert again == 200
    assert f'tocsin_frames_total{{outcome="stored"}} {4 + answers.count(200)}.0' in page
    assert 'tocsin_frames_total{outcome="repeated"} 4.0' in page


def fill(path: Path) -> None:
    """Take the last byte of the disk."""
    with path.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass


def random_values() -> list[float]:
    """Readings that do not deflate."""
    return [random.random() for _ in range(300)]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
