"""One cycle of the agent, from collecting to the acknowledged push, beside one scrape of node_exporter.

Run: `python -m bench agent_cycle`. The agents are `tocsin-agent run` as on a host, spool and session and all,
against a server of the test suite's; the peer is Debian's prometheus-node-exporter: the program that
`NODE_EXPORTER` names, else the one on PATH, else it is unpacked from Debian's package into a temporary folder
(apt-get download, dpkg -x). All work once a second, side by side, for 50 cycles; times are user and system
together, memory is VmRSS after the last.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgpack
from tests.agent.scripted import ScriptedServer

CYCLES = 50
WARM_CYCLES = 14
"""Until the agent has given back what only its start needed, which it does once."""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROGRAM = "prometheus-node-exporter"


class Cost(NamedTuple):
    cpu_ms: float
    resident_mib: float
    series: int


def cpu_seconds(pid: int) -> float:
    # /proc/PID/schedstat counts nanoseconds where stat counts hundredths; it is per thread, so they are summed.
    tasks = Path(f"/proc/{pid}/task").iterdir()
    nanoseconds = [int((task / "schedstat").read_text().split()[0]) for task in tasks]
    if any(nanoseconds):
        return sum(nanoseconds) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


class Agent:
    """An enrolled agent under measurement, and the server that it pushes to."""

    def __init__(self, stack: ExitStack, *, tls: bool, reconnects: bool = False) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.server = stack.enter_context(ScriptedServer(tls=folder if tls else None, interval_s=1))
        self.server.closes_after_each_answer = reconnects
        state = str(folder / "state")
        agent = [sys.executable, "-m", "tocsin_agent"]
        enrol = [*agent, "enrol", self.server.invitation(), "--state", state]
        subprocess.run(enrol, check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen([*agent, "run", "--state", state], stderr=subprocess.DEVNULL)
        stack.callback(self.process.wait)
        stack.callback(self.process.terminate)
        self._begun = (0, 0.0)

    def begin(self) -> None:
        self._begun = (len(self.server.pushes), cpu_seconds(self.process.pid))

    @property
    def cycles(self) -> int:
        return len(self.server.pushes) - self._begun[0]

    def cost(self) -> Cost:
        series = len(msgpack.unpackb(self.server.pushes[0].schemas[0])[1])
        cpu_s = cpu_seconds(self.process.pid) - self._begun[1]
        return Cost(cpu_s / self.cycles * 1000, resident_mib(self.process.pid), series)


class NodeExporter:
    """node_exporter under measurement, scraped over one kept connection."""

    def __init__(self, stack: ExitStack, program: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [program, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(self.process.wait)
        stack.callback(self.process.terminate)
        self._connection = connect(port)
        self._begun_s = 0.0
        self._scrapes = 0
        self._series = 0

    def begin(self) -> None:
        self._scrapes, self._begun_s = 0, cpu_seconds(self.process.pid)

    def scrape(self) -> None:
        self._connection.request("GET", "/metrics")
        page = self._connection.getresponse().read().splitlines()
        self._series = sum(not line.startswith(b"#") for line in page)
        self._scrapes += 1

    def cost(self) -> Cost:
        cpu_s = cpu_seconds(self.process.pid) - self._begun_s
        return Cost(cpu_s / self._scrapes * 1000, resident_mib(self.process.pid), self._series)


def connect(port: int) -> http.client.HTTPConnection:
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return connection
    raise SystemExit(f"{PROGRAM} did not listen on 127.0.0.1:{port} within 5 s")


@contextmanager
def node_exporter() -> Iterator[str]:
    if found := os.environ.get("NODE_EXPORTER") or shutil.which(PROGRAM):
        yield found
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", PROGRAM], cwd=folder, check=True, capture_output=True)
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        yield str(Path(folder) / "usr/bin" / PROGRAM)


def measure() -> tuple[Cost, dict[str, Cost]]:
    """node_exporter's cost, and the agent's by the way it reaches its server."""
    with ExitStack() as stack:
        peer = NodeExporter(stack, stack.enter_context(node_exporter()))
        agents = {
            "plain HTTP (loopback)": Agent(stack, tls=False),
            "TLS, kept open": Agent(stack, tls=True),
            "TLS, a handshake each": Agent(stack, tls=True, reconnects=True),
        }
        for agent in agents.values():
            agent.server.until("the agent is warm", lambda agent=agent: agent.cycles >= WARM_CYCLES, 30)
        peer.scrape()
        peer.begin()
        for agent in agents.values():
            agent.begin()
        while any(agent.cycles < CYCLES for agent in agents.values()):
            peer.scrape()
            time.sleep(1)
        return peer.cost(), {way: agent.cost() for way, agent in agents.items()}


def main() -> None:
    peer, agents = measure()
    print(f"{CYCLES} cycles each          CPU ms  ratio  resident MiB  ratio  series")
    print(row("node_exporter, a scrape", peer, peer))
    for way, cost in agents.items():
        print(row(way, cost, peer))
    print("budget                            0.25                1.25")


def row(way: str, cost: Cost, peer: Cost) -> str:
    cpu, mib = cost.cpu_ms / peer.cpu_ms, cost.resident_mib
    memory = mib / peer.resident_mib
    return f"{way:<24} {cost.cpu_ms:>6.2f} {cpu:>6.2f} {mib:>13.2f} {memory:>6.2f} {cost.series:>7}"


if __name__ == "__main__":
    main()
