"""`tocsin up --demo`: a provider to look at, whose clients have troubles; all is simulated, and kept apart."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.ports import free_port
from tests.processes import ServerProcess, until

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("demo")]

AHEAD_S = "120"
"""So far into the script two file systems are full, and both have been for less than its first ten minutes."""


class Demo:
    """`tocsin up --demo --headless`."""

    def __init__(self, data: Path, *words: str) -> None:
        self.data = data
        command = [sys.executable, "-m", "tocsin_tui", "up", "--headless", *words]
        self.process = subprocess.Popen(
            [*command, "--port", str(free_port()), "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self._http = httpx.Client(base_url=self.url or "http://127.0.0.1", trust_env=False, timeout=10)

    def hosts(self) -> list[dict[str, Any]]:
        session = (self.data / "session").read_text().strip()
        answer = self._http.get("/api/v1/hosts", headers={"authorization": f"Bearer {session}"})
        return answer.raise_for_status().json()["hosts"]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    """Whatever is started is ended."""
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.process.kill()
        demo.process.communicate()
        demo._http.close()


def are_up(demo: Demo) -> list[dict[str, Any]]:
    """All hosts, once all of them have pushed."""
    hosts = demo.hosts()
    return hosts if hosts and all(host["state"] == "up" for host in hosts) else []


def test_a_second_start_keeps_its_hosts_and_none_enrols_again(tmp_path: Path, demos: list[Demo]) -> None:
    data = tmp_path / "demo"
    demos.append(Demo(data, "--demo"))
    before = until("all hosts are up", lambda: are_up(demos[0]), seconds=40, every=0.5)
    assert demos[0].end() == 0

    demos.append(Demo(data, "--demo"))
    after = until("all hosts are up", lambda: are_up(demos[1]), seconds=40, every=0.5)

    assert len({host["client"] for host in before}) == 5
    assert [host["id"] for host in after] == [host["id"] for host in before]
    assert (data / "fleet" / "agents.jsonl").read_text().count('"key"') == len(before)


@pytest.mark.parametrize(
    ("words", "of_others", "said"), [(["--demo"], "agent", "a real server's"), ([], "fleet", "a demo's")]
)
def test_a_demo_and_what_is_real_never_share_a_folder(
    tmp_path: Path, demos: list[Demo], words: list[str], of_others: str, said: str
) -> None:
    (tmp_path / of_others).mkdir()

    demos.append(Demo(tmp_path, *words))
    _, complaint = demos[0].process.communicate(timeout=20)

    assert demos[0].process.returncode == 2
    assert f"{tmp_path} is {said} data folder: choose another with --data" in complaint
    assert not (tmp_path / "server").exists()


def test_alerts_of_two_clients_fire_and_a_signal_ends_the_fleet_within_two_seconds(
    tmp_path: Path, server: ServerProcess
) -> None:
    roster = tmp_path / "roster.json"
    roster.write_text(server.command("prepare", "--demo", "--url", server.url).stdout)
    server.start()
    words = ["--roster", roster, "--state", tmp_path / "fleet", "--ahead", AHEAD_S]
    fleet = subprocess.Popen(
        [sys.executable, "-m", "tocsin_fleet", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with server.api(json.loads(roster.read_text())["session"]) as api:

            def troubled() -> set[str]:
                alerts = api.get("/alerts").raise_for_status().json()["alerts"]
                return {alert["client"] for alert in alerts if alert["state"] == "firing"}

            until("alerts of two clients fire", lambda: len(troubled()) >= 2, seconds=40, every=0.5)
        fleet.terminate()
        out, err = fleet.communicate(timeout=2)
    finally:
        fleet.kill()
        fleet.communicate()

    assert (fleet.returncode, err) == (0, "")
    assert out.splitlines()[-1].startswith("hosts ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is nobody to simulate"),
        (["--invitation", "toc_enr_x", "--hosts", "2"], "2 hosts need 2 invitations"),
        (["--invitation", "nonsense"], "an enrolment token begins with"),
        (["--roster", "absent.json"], "the roster absent.json cannot be read"),
    ],
)
def test_a_fleet_that_cannot_start_says_why_and_how_to_mend_it(words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin_fleet", *words], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 2
    assert f"tocsin_fleet: {said}" in done.stderr
