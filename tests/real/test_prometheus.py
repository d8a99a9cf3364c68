"""A real Prometheus beside a server: it discovers two agents, scrapes them, and reads the health."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from tests.ports import free_port
from tests.processes import AgentProcess, ServerProcess, until

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("scenarios")]

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "prometheus" / "prometheus.yml"


class Prometheus:
    """One running Prometheus on the shipped configuration, moved to the test's port and pace."""

    def __init__(self, binary: str, folder: Path, server: ServerProcess) -> None:
        config = yaml.safe_load(SHIPPED.read_text().replace("127.0.0.1:8443", f"127.0.0.1:{server.port}"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][1]["http_sd_configs"][0]["refresh_interval"] = "1s"
        config["rule_files"] = [str(SHIPPED.parent.parent / "rules" / "*.yml")]
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{free_port()}"
        self._http = httpx.Client(trust_env=False)
        with (folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={path}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self) -> None:
        self._http.close()
        self.process.terminate()
        self.process.wait(20)

    def ask(self, expression: str) -> list[dict[str, object]]:
        """An instant query's result."""
        try:
            answer = self._http.get(f"{self.url}/api/v1/query", params={"query": expression})
        except httpx.HTTPError:
            return []
        if answer.status_code != 200:
            return []
        result: list[dict[str, object]] = answer.json()["data"]["result"]
        return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prometheus")


@pytest.fixture(scope="module")
def two_hosts(folder: Path) -> Iterator[ServerProcess]:
    """A server with two agents of two clients."""
    with ServerProcess(folder / "server") as server:
        first = server.prepare()["invitation"]
        server.command("client", "add", "acme")
        server.command("site", "add", "acme", "berlin")
        second = server.invite("acme", "berlin")
        server.start()
        states = [folder / "atlas", folder / "borea"]
        for state in states:
            state.mkdir()
        with AgentProcess(states[0]) as one, AgentProcess(states[1]) as two:
            one.enrol(first, name="atlas").start()
            two.enrol(second, name="borea").start()
            yield server


@pytest.fixture(scope="module")
def prometheus(
    two_hosts: ServerProcess, folder: Path, require: Callable[[str, str], str]
) -> Iterator[Prometheus]:
    started = Prometheus(require("prometheus", "prometheus"), folder, two_hosts)
    try:
        yield started
    finally:
        started.end()


def test_prometheus_finds_every_host_by_service_discovery_and_scrapes_it(prometheus: Prometheus) -> None:
    up = until(
        "both hosts are up", lambda: len(r := prometheus.ask('up{job="node"} == 1')) == 2 and r, seconds=60
    )
    boots = until(
        "both hosts have series", lambda: len(r := prometheus.ask("node_boot_time_seconds")) == 2 and r
    )

    assert {(row["metric"]["instance"], row["metric"]["client"], row["metric"]["site"]) for row in up} == {
        ("atlas", "home", "main"),
        ("borea", "acme", "berlin"),
    }
    assert {row["metric"]["instance"] for row in boots} == {"atlas", "borea"}


def test_prometheus_reads_the_servers_own_health(prometheus: Prometheus) -> None:
    until("the server is up", lambda: prometheus.ask('up{job="tocsin"} == 1'), seconds=60)

    stored = until("frames are counted", lambda: prometheus.ask('tocsin_frames_total{outcome="stored"} > 0'))
    rules = prometheus.ask("tocsin_rules > 5")

    assert stored
    assert rules, json.dumps(prometheus.ask("tocsin_rules"))
