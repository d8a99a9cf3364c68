"""From a reading that breaks a rule to the ticket, over real HTTP: push → journal → rule → ticket → event.

The peer is a chain on other terms: Prometheus with Alertmanager at defaults of 15 s scrape, 15 s evaluation and
30 s group_wait takes 45 to 75 s by arithmetic; only tocsin's part is measured here. The wait for the agent's
interval (10 s) is not in the figure: a breach is pushed as it happens.
"""

import contextlib
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx
from tests.processes import ServerProcess, until

from bench.fleet import SimulatedAgent, pack_schema
from tocsin_protocol.vocabulary import SeriesKind

TRIALS = 20
_LABELS = {"device": "/dev/sda1", "mountpoint": "/", "fstype": "ext4", "device_error": ""}
_SCHEMA = pack_schema(
    [
        ("node_filesystem_avail_bytes", SeriesKind.GAUGE, _LABELS),
        ("node_filesystem_size_bytes", SeriesKind.GAUGE, _LABELS),
        ("node_filesystem_readonly", SeriesKind.GAUGE, _LABELS),
    ]
)
_HEALTHY, _FULL = (50e9, 100e9, 0.0), (1e9, 100e9, 0.0)


class TicketTimes(threading.Thread):
    """Listens to the events and notes when each host's ticket was told."""

    def __init__(self, server: ServerProcess, session: str) -> None:
        super().__init__(daemon=True)
        self.told: dict[str, float] = {}
        self._server, self._session = server, session

    def run(self) -> None:
        with (
            contextlib.suppress(httpx.HTTPError),  # the server ends before the stream does
            self._server.api(self._session) as api,
            api.stream("GET", "/events", timeout=httpx.Timeout(60)) as stream,
        ):
            for line in stream.iter_lines():
                for word in line.split('"'):
                    if word.startswith("bench-") and word not in self.told:
                        self.told[word] = time.monotonic()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    with ServerProcess(folder / "server") as server:
        prepared = server.prepare()
        server.start()
        http = httpx.Client(base_url=server.url, trust_env=False, timeout=10)
        agents = []
        for i in range(TRIALS):
            agent = SimulatedAgent(http, f"bench-{i}")
            agent.enrol(server.invite())
            agent.push([agent.frame(_SCHEMA, _HEALTHY)])
            agents.append(agent)
        time.sleep(3)
        times = TicketTimes(server, prepared["session"])
        times.start()
        time.sleep(1)
        times.told.clear()
        took = []
        for i, agent in enumerate(agents):
            time.sleep((i * 0.37) % 1.0)
            pushed = time.monotonic()
            agent.push([agent.frame(_SCHEMA, _FULL)])
            until(f"the ticket of {agent.name}", lambda name=agent.name: name in times.told, every=0.005)
            took.append(times.told[agent.name] - pushed)
    print(
        f"breach pushed → ticket told: p50 {statistics.median(took):.2f} s, worst of {TRIALS} {max(took):.2f} s"
        " (budget with a 10 s interval: interval + 1 s)"
    )
    print("peer, by arithmetic: Prometheus 15 s + 15 s with Alertmanager's group_wait 30 s: 45 to 75 s")


if __name__ == "__main__":
    main()
