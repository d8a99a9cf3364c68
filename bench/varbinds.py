"""Varbinds a second out of a real snmpd, beside pysnmp's high-level API on the same columns in one run.

Run: `python -m bench varbinds`. Debian's snmpd listens on loopback, in a network namespace of its own with 48
interfaces, as a switch has, where the machine lets us make one; else with the machine's own. Both sides read
ifName, ifDescr, ifAlias, the columns of if_mib and ifName once more: ours by `Snmp.probe`, a new socket each
time and samples in the end; pysnmp by one `bulk_walk_cmd` a column on an engine that it keeps, with its MIB
lookup (its default) and without, and nothing made of what it gives. They take turns; each number is the median
of the rounds. A side's time on the wall includes snmpd's, so processor time is told for all three.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.ports import free_port
from tests.processes import until

from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.ifmib import COLUMNS, IF_ALIAS, IF_DESCR, IF_NAME
from tocsin_agent.probes.snmp import Snmp

PROGRAM, FOLDER = "snmpd", "/usr/sbin"
"""And where Debian has it and `ip`, which is not on everybody's PATH."""
COMMUNITY = "public"
PORTS = 48
ROUNDS = 9
OUR_POLLS = 20
"""A round of ours would be too short to measure with one."""
REPETITIONS = 25
"""snmp_exporter's default, and what ours asks for with so many interfaces."""
TARGET_RATIO = 10
BUDGET_US = 5.9
READ = (IF_NAME, IF_DESCR, IF_ALIAS, *(column.oid for column in COLUMNS), IF_NAME)
NAMESPACE = ("unshare", "--map-root-user", "--net")


class Cost(NamedTuple):
    """Microseconds a varbind: on the wall, of this process' CPU, of snmpd's."""

    wall: float
    client: float
    snmpd: float


def cpu_seconds(pid: int) -> float:
    """What a process has used; schedstat counts nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def snmpd(program: str) -> Iterator[tuple[int, int]]:
    """The port and the process of an snmpd with the interfaces that are here."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "snmpd.conf"
        config.write_text(f"rocommunity {COMMUNITY} 127.0.0.1\n[snmp] persistentDir {folder}\n")
        where = f"udp:127.0.0.1:{port}"
        command = [program, "-f", "-Ln", "-C", "-c", str(config), "-p", f"{folder}/pid", where]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                until("snmpd answers", lambda: answers(port))
                yield port, process.pid
            finally:
                process.terminate()


def ours(port: int) -> Snmp:
    declared = {"address": "127.0.0.1", "port": port, "community": "sealed"}
    return Snmp(declared, lambda _: COMMUNITY.encode())


def answers(port: int) -> bool:
    try:
        return bool(ours(port).probe(1.0))
    except Failed:
        return False


class Peer:
    """pysnmp's high-level API, as its documentation walks a column."""

    def __init__(self, port: int, *, looks_up: bool) -> None:
        from pysnmp.hlapi.v3arch import asyncio as hlapi  # noqa: PLC0415 - half a second, for this benchmark only

        self._hlapi = hlapi
        self._looks_up = looks_up
        self._engine = hlapi.SnmpEngine()
        self._loop = asyncio.new_event_loop()
        self._way = self._loop.run_until_complete(hlapi.UdpTransportTarget.create(("127.0.0.1", port)))

    def poll(self) -> int:
        """How many varbinds the columns had."""
        return self._loop.run_until_complete(self._poll())

    def close(self) -> None:
        self._engine.close_dispatcher()
        # Its timer has been cancelled, but must still hear of it.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _poll(self) -> int:
        return sum([await self._walk(column) for column in READ])

    async def _walk(self, column: str) -> int:
        api, count = self._hlapi, 0
        walk = api.bulk_walk_cmd(
            self._engine,
            api.CommunityData(COMMUNITY),
            self._way,
            api.ContextData(),
            0,
            REPETITIONS,
            api.ObjectType(api.ObjectIdentity(column)),
            lexicographicMode=False,
            lookupMib=self._looks_up,
        )
        async for error, status, _, varbinds in walk:
            assert not error
            assert not status
            count += len(varbinds)
        return count


def measured(poll: Callable[[], object], polls: int, *, varbinds: int, pid: int) -> Cost:
    server, client, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
    for _ in range(polls):
        poll()
    wall_s, client_s = time.perf_counter() - began, time.process_time() - client
    each = 1e6 / (polls * varbinds)
    return Cost(wall_s * each, client_s * each, (cpu_seconds(pid) - server) * each)


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def compare(program: str) -> None:
    with snmpd(program) as (port, pid):
        mine = ours(port)
        peers = [Peer(port, looks_up=looks_up) for looks_up in (False, True)]
        rows = sum(sample.name == "ifOperStatus" for sample in mine.probe(5.0))
        varbinds = rows * len(READ)
        for peer in peers:
            found = peer.poll()
            assert found == varbinds, f"pysnmp has found {found} varbinds, not {varbinds}"
        rounds = [
            (
                measured(lambda: mine.probe(5.0), OUR_POLLS, varbinds=varbinds, pid=pid),
                *(measured(peer.poll, 1, varbinds=varbinds, pid=pid) for peer in peers),
            )
            for _ in range(ROUNDS)
        ]
        for peer in peers:
            peer.close()
    show(*(median(list(side)) for side in zip(*rounds, strict=True)), rows=rows)


def show(mine: Cost, bare: Cost, usual: Cost, *, rows: int) -> None:
    print(f"{rows} interfaces, {len(READ)} columns, v2c on loopback, median of {ROUNDS} rounds")
    print(f"{'':<28} {'varbinds/s':>11} {'wall':>8} {'client CPU':>11} {'snmpd CPU':>10}   µs a varbind")
    for name, cost in (("tocsin", mine), ("pysnmp, no MIB lookup", bare), ("pysnmp, as it comes", usual)):
        print(
            f"{name:<28} {1e6 / cost.wall:>11,.0f} {cost.wall:>8.2f} {cost.client:>11.2f} {cost.snmpd:>10.2f}"
        )
    for name, cost in (("no MIB lookup", bare), ("as it comes", usual)):
        print(
            f"{'ratio to pysnmp, ' + name:<40} wall {cost.wall / mine.wall:>6.1f}"
            f"   client CPU {cost.client / mine.client:>6.1f}   (target {TARGET_RATIO})"
        )
    print(
        f"of our time on the wall snmpd works {mine.snmpd / mine.wall:.0%};"
        f" our CPU {mine.client:.2f} µs a varbind (budget {BUDGET_US})"
    )


def may_make_interfaces() -> bool:
    if not all(map(shutil.which, ("unshare", "ip"))):
        return False
    trial = [*NAMESPACE, "ip", "link", "add", "port0", "type", "bridge"]
    return subprocess.run(trial, check=False, capture_output=True).returncode == 0


def make_interfaces() -> None:
    """In a namespace of our own: ports without a link, but with all their counters."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for number in range(PORTS - 1):
        subprocess.run(["ip", "link", "add", f"port{number}", "type", "bridge"], check=True)


def main() -> None:
    os.environ["PATH"] += f":{FOLDER}"
    program = shutil.which(PROGRAM)
    if program is None:
        print(f"{PROGRAM} is missing: sudo apt-get install --no-install-recommends {PROGRAM}")
    elif may_make_interfaces():
        subprocess.run([*NAMESPACE, sys.executable, "-m", "bench.varbinds", program], check=True)
    else:
        compare(program)


if __name__ == "__main__":
    make_interfaces()
    compare(sys.argv[1])
