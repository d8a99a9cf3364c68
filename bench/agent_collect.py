"""One collection beside one scrape of Debian's prometheus-node-exporter: processor time and resident memory.

Run: `python -m bench agent_collect`. The program is the one that `NODE_EXPORTER` names, else the one on PATH,
else it is unpacked from Debian's package into a temporary folder (apt-get download, dpkg -x). Each side does
50 cycles in a process of its own; times are user and system together, memory is VmRSS after the last cycle.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

CYCLES = 50
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROGRAM = "prometheus-node-exporter"

# The agent's own imports are loaded too, so that the memory is that of an agent and not of a loop.
OUR_LOOP = """
import http.client, ssl, sys, time
import msgpack, nacl.signing
from tocsin_agent.collectors import Collection, default_collectors
collection = Collection(default_collectors(version="bench"))
for line in sys.stdin:
    print(len(collection.collect(time.time_ns() // 1_000_000)), flush=True)
"""


class Cost(NamedTuple):
    cpu_ms: float
    wall_ms: float
    resident_kib: int
    series: int


def cpu_seconds(pid: int) -> float:
    # /proc/PID/schedstat counts nanoseconds where stat counts hundredths; it is per thread, so they are summed.
    tasks = Path(f"/proc/{pid}/task").iterdir()
    nanoseconds = [int((task / "schedstat").read_text().split()[0]) for task in tasks]
    if any(nanoseconds):
        return sum(nanoseconds) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def measure(pid: int, cycle: Callable[[], int]) -> Cost:
    """`cycle()` makes the process read the host once and gives back the number of series."""
    series = cycle()
    cpu_before, wall_before = cpu_seconds(pid), time.perf_counter()
    for _ in range(CYCLES):
        series = cycle()
    wall_s, cpu_s = time.perf_counter() - wall_before, cpu_seconds(pid) - cpu_before
    return Cost(cpu_s / CYCLES * 1000, wall_s / CYCLES * 1000, resident_kib(pid), series)


def measure_ours() -> Cost:
    command = [sys.executable, "-c", OUR_LOOP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def cycle() -> int:
            process.stdin.write("collect\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        cost = measure(process.pid, cycle)
        process.stdin.close()
        return cost


def measure_node_exporter(program: str) -> Cost:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            connection = connect(port)

            def cycle() -> int:
                connection.request("GET", "/metrics")
                page = connection.getresponse().read().splitlines()
                return sum(not line.startswith(b"#") for line in page)

            return measure(process.pid, cycle)
        finally:
            process.terminate()


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


def main() -> None:
    with node_exporter() as program:
        theirs = measure_node_exporter(program)
    ours = measure_ours()
    print(f"{CYCLES} cycles each        tocsin  node_exporter   ratio   budget")
    rows = (
        ("CPU per cycle, ms", ours.cpu_ms, theirs.cpu_ms, "0.25"),
        ("wall per cycle, ms", ours.wall_ms, theirs.wall_ms, ""),
        ("resident, MiB", ours.resident_kib / 1024, theirs.resident_kib / 1024, "1.25"),
        ("series", ours.series, theirs.series, ""),
    )
    for name, mine, peers, budget in rows:
        print(f"{name:<20} {mine:>10.2f} {peers:>14.2f} {mine / peers:>7.2f} {budget:>8}")


if __name__ == "__main__":
    main()
