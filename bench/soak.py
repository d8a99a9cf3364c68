"""A server with a simulated fleet and one real agent, for an hour or as long as it is told: what grows?

Run: `python -m bench.soak [--hosts 1000] [--minutes 60]`. Each half minute the resident memory, descriptors and
threads of server and agent are read from /proc; at the end the slope of the second half is printed, by least
squares, for in the first half rings fill, rules learn their series and the journal gets its first segments. The
fleet is calm: what goes wrong makes tickets, and these are to be kept.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tests.processes import AgentProcess, ServerProcess

from bench.crowd import crowd, roster

EVERY_S = 30.0
SETTLED = 0.5
"""The part of the time from which on nothing should grow."""


class Weight(NamedTuple):
    """A process at a moment."""

    at_s: float
    resident_mib: float
    descriptors: int
    threads: int
    cpu_s: float


def weigh(pid: int, at_s: float) -> Weight:
    """What /proc says of it now."""
    process = Path(f"/proc/{pid}")
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    status = {name: said.split() for name, _, said in lines}
    ticks = (process / "stat").read_text().rpartition(") ")[2].split()
    return Weight(
        at_s,
        int(status["VmRSS"][0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status["Threads"][0]),
        (int(ticks[11]) + int(ticks[12])) / 100,
    )


def slope(weights: Sequence[Weight], field: str) -> float:
    """How much a field grows in an hour, over the second half of the time."""
    settled = weights[int(len(weights) * SETTLED) :]
    hours = np.array([weight.at_s for weight in settled]) / 3600
    values = np.array([getattr(weight, field) for weight in settled], np.float64)
    return float(np.polyfit(hours, values, 1)[0]) if len(settled) > 1 else 0.0


def soak(hosts: int, minutes: float, folder: Path) -> Iterator[tuple[Weight, Weight]]:
    """Server and agent, each half minute; everything that was started has ended when this ends."""
    with ServerProcess(folder / "server") as server, AgentProcess(folder / "agent") as agent:
        hosts_of = roster(server, folder, hosts)
        invitation = server.prepare()["invitation"]
        server.start()
        agent.enrol(invitation, name="soaked").start()
        with crowd(hosts_of, minutes=minutes + 5):
            yield from _weights(server, agent, minutes)


def _weights(server: ServerProcess, agent: AgentProcess, minutes: float) -> Iterator[tuple[Weight, Weight]]:
    assert server.process is not None
    assert agent.process is not None
    began_s = time.monotonic()
    while (at_s := time.monotonic() - began_s) < minutes * 60:
        yield weigh(server.process.pid, at_s), weigh(agent.process.pid, at_s)
        time.sleep(EVERY_S)


def told(name: str, weights: Sequence[Weight]) -> Iterator[str]:
    """What has come of a process, a line a field."""
    first, last = weights[0], weights[-1]
    cores = (last.cpu_s - first.cpu_s) / max(1.0, last.at_s - first.at_s)
    yield f"{name:<8}{'first':>10}{'last':>10}{'most':>10}{'slope an hour':>16}   {cores:.3f} cores"
    for field in ("resident_mib", "descriptors", "threads"):
        values = [getattr(weight, field) for weight in weights]
        grows = slope(weights, field)
        yield f"  {field:<14}{values[0]:>4.0f}{values[-1]:>10.1f}{max(values):>10.1f}{grows:>+16.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="What grows under a steady load.")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    weights: list[tuple[Weight, Weight]] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-soak-") as folder:
        for server, agent in soak(options.hosts, options.minutes, Path(folder)):
            weights.append((server, agent))
            print(
                f"{server.at_s / 60:6.1f} min  server {server.resident_mib:7.1f} MiB {server.descriptors:4}"
                f" descriptors {server.threads:3} threads   agent {agent.resident_mib:5.1f} MiB",
                flush=True,
            )
    for name, place in (("server", 0), ("agent", 1)):
        print("\n".join(told(name, [pair[place] for pair in weights])))


if __name__ == "__main__":
    main()
