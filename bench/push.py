"""Durable pushes a second into a server on one core, which judges its rules meanwhile.

The server is `tocsin-server run` with the shipped rules: HMAC, inflate, decode, journal, fdatasync, answer and
head. It has one core, the generator another. Some thousand hosts have enrolled and told their series; pushes of
their next minute are built and authenticated before the clock starts, and each connection sends its hosts'
one after another. The peer is Debian's VictoriaMetrics on the same core with the same values in Prometheus's
text format, one scrape a request and 100 scrapes a request. It answers before the samples are on the disk, and
judges nothing. Rates are per second of the server's CPU, so that what else runs on the machine takes from both
alike.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import httpx
import numpy as np
import uvloop
from tests.ports import free_port
from tests.processes import ServerProcess, until

from bench.crowd import roster
from tocsin_fleet.agent import Agent
from tocsin_fleet.chance import Floats, word_of
from tocsin_fleet.counts import Counts
from tocsin_fleet.enrolling import enrol_all
from tocsin_fleet.frames import PushFrame, pack_schema, push_body
from tocsin_fleet.incidents import Script
from tocsin_fleet.line import Lines, parse_address
from tocsin_fleet.machines import MODELS, Machines
from tocsin_fleet.readings import Readings
from tocsin_fleet.roster import Identities, read_roster
from tocsin_fleet.series import named, series_of
from tocsin_protocol import wire

CONNECTIONS = 256
HOSTS_EACH = 20
HOSTS = CONNECTIONS * HOSTS_EACH
PUSHES_EACH = 5
INTERVAL_S = wire.DEFAULT_INTERVAL_S
SERIES = 300
PEER = "victoria-metrics"
PEER_BATCH = 100
PEER_BATCHES_EACH = 2
SERVER_CORE, GENERATOR_CORE = 1, 0


class Rate(NamedTuple):
    """What was measured of one server."""

    requests_per_s: float
    samples_per_s: float
    server_cores: float
    """CPU seconds of the server a second; below 1 it had to wait, for the generator or for the core."""
    generator_cores: float

    @property
    def samples_per_cpu_s(self) -> float:
        return self.samples_per_s / self.server_cores


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last is answered."""

    def __init__(self, requests: Sequence[bytes], done: asyncio.Future[None]) -> None:
        self._requests = iter(requests)
        self._done = done
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's says that it is none
        self._next()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, rest = self._heard.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        if len(rest) < int(length or b"0"):
            return
        if head[9:10] != b"2":
            self._done.set_exception(RuntimeError(self._heard.decode(errors="replace")))
            self._transport.close()
            return
        self._heard = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError("the server has hung up"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()


async def _send_all(port: int, requests: Sequence[Sequence[bytes]]) -> None:
    loop = asyncio.get_running_loop()
    done = [loop.create_future() for _ in requests]
    for one, finished in zip(requests, done, strict=True):
        await loop.create_connection(partial(Connection, one, finished), "127.0.0.1", port)
    await asyncio.gather(*done)


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used; schedstat counts nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(port: int, pid: int, requests: Sequence[Sequence[bytes]], *, samples: int) -> Rate:
    """Send all of these, each list over a connection of its own; `samples` are in each request."""
    server_before, own_before, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
    uvloop.run(_send_all(port, requests))
    took = time.perf_counter() - began
    count = sum(len(one) for one in requests)
    return Rate(
        requests_per_s=count / took,
        samples_per_s=count * samples / took,
        server_cores=(cpu_seconds(pid) - server_before) / took,
        generator_cores=(time.process_time() - own_before) / took,
    )


class Crowd:
    """Servers alike: what each sends, and when."""

    def __init__(self) -> None:
        model = MODELS[1]
        series = series_of(model)
        self._names = [f"bench-{host}" for host in range(HOSTS)]
        words = np.array([word_of(1, name) for name in self._names], np.uint64)
        named_series = (named(series, *host) for host in zip(self._names, words.tolist(), strict=True))
        self._entries = [entries[:SERIES] for entries in named_series]
        self._schemas = [pack_schema(entries) for entries in self._entries]
        self._readings = Readings(Machines(model, words), np.arange(HOSTS), Script([]))

    def schema(self, host: int) -> bytes:
        """Its series, for our server."""
        return self._schemas[host]

    def texts(self, host: int) -> list[str]:
        """The same as the peer names them: a line of text has to say what our server knows of its host."""
        target = {"instance": self._names[host], "job": "node", "site": "main", "client": "bench"}
        return [f"{name}{{{_pairs({**labels, **target})}}}" for name, _, labels in self._entries[host]]

    def at(self, at_s: float, hosts: int = HOSTS) -> Floats:
        """What the first of them read then, `[hosts, series]`."""
        return self._readings.at(np.arange(hosts), np.full(hosts, at_s))[:, :SERIES]


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f'{label}="{value}"' for label, value in labels.items())


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One request, ready for the wire."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def greeted(server: ServerProcess, path: Path) -> list[Agent]:
    """The hosts of a roster, enrolled and in session."""
    lines = Lines(parse_address(server.url), most=32)
    enrolled = await enrol_all(read_roster(str(path)), {}, Identities(""), lines, Counts())

    async def greet(agent: Agent) -> None:
        async with lines.places:
            greeting = agent.greeting(now_ms=round(time.time() * 1000))
            agent.greeted(greeting, await lines.post(greeting.request))

    await asyncio.gather(*(greet(one.agent) for one in enrolled))
    lines.close()
    return [one.agent for one in enrolled]


def our_requests(crowd: Crowd, agents: Sequence[Agent], steps: Sequence[float]) -> list[list[bytes]]:
    """What each connection sends: a push of each of its hosts for each step, in the order of the steps."""
    made: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    for at_s in steps:
        for host, values in enumerate(crowd.at(at_s)):
            made[host % CONNECTIONS].append(_our_push(agents[host], crowd.schema(host), at_s, values))
    return made


def _our_push(agent: Agent, schema: bytes, at_s: float, values: Floats) -> bytes:
    frame = PushFrame(agent.take_seq(), schema, round(at_s * 1000), values.tolist())
    body = push_body(agent.epoch, [frame], now_ms=round(time.time() * 1000), schemas=not agent.is_told)
    agent.is_told = True
    return request(wire.PUSH_PATH, body, agent.headers(body))


def peer_requests(crowd: Crowd, hosts: int, steps: Sequence[float], batch: int) -> list[list[bytes]]:
    """The same of so many hosts as text, `batch` of their scrapes a request."""
    made: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    series = [crowd.texts(host) for host in range(hosts)]
    for first in range(0, len(steps), batch):
        together = steps[first : first + batch]
        scrapes = [(crowd.at(at_s, hosts).tolist(), f" {round(at_s * 1000)}") for at_s in together]
        for host in range(hosts):
            lines = [
                f"{name} {value:.17g}{at}"
                for values, at in scrapes
                for name, value in zip(series[host], values[host], strict=True)
            ]
            body = "\n".join(lines).encode()
            made[host % CONNECTIONS].append(request("/api/v1/import/prometheus", body, {}))
    return made


@contextlib.contextmanager
def peer_server(program: str) -> Iterator[tuple[int, int]]:
    """Port and process of VictoriaMetrics."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        command = [program, f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}"]
        command = [*on_core(), *command, "-loggerLevel=ERROR", "-memory.allowedPercent=20"]
        with subprocess.Popen(command, env={**os.environ, "GOMAXPROCS": "1"}) as process:
            try:
                until("VictoriaMetrics listens", lambda: _listens(port))
                yield port, process.pid
            finally:
                process.terminate()


def on_core() -> list[str]:
    """What has a program run on the server's core, where there is another."""
    return ["taskset", "-c", str(SERVER_CORE)] if (os.cpu_count() or 1) > 1 else []


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=1)
    except httpx.HTTPError:
        return False
    return True


@contextlib.contextmanager
def victoria_metrics() -> Iterator[str | None]:
    """The peer's program: installed, or unpacked from Debian's package; nothing where there is neither."""
    if found := os.environ.get("VICTORIA_METRICS") or shutil.which(PEER):
        yield found
        return
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(["apt-get", "download", PEER], cwd=folder, capture_output=True, check=False)
        package = next(Path(folder).glob("*.deb"), None)
        if got.returncode != 0 or package is None:
            yield None
            return
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        yield str(Path(folder) / "usr/bin" / PEER)


def tell(name: str, rate: Rate) -> None:
    print(
        f"{name:<44} {rate.requests_per_s:>8,.0f} {rate.samples_per_s:>12,.0f}"
        f" {rate.server_cores:>6.2f} {rate.generator_cores:>10.2f} {rate.samples_per_cpu_s:>16,.0f}"
    )


def ours(crowd: Crowd, folder: Path) -> Rate:
    """Our server's rate, in its hosts' first minute."""
    server = ServerProcess(folder / "server")
    server.under = on_core()
    with server:
        path = roster(server, folder, HOSTS)
        server.start()
        agents = asyncio.run(greeted(server, path))
        began_s = time.time() - INTERVAL_S * (PUSHES_EACH + 1)
        first, *steps = [began_s + step * INTERVAL_S for step in range(PUSHES_EACH + 1)]
        assert server.process is not None
        pid = server.process.pid
        # All series are new once: that is no part of a rate.
        measure(server.port, pid, our_requests(crowd, agents, [first]), samples=SERIES)
        requests = our_requests(crowd, agents, steps)
        until("the first frames are judged", lambda: is_idle(pid), seconds=120, every=1)
        return measure(server.port, pid, requests, samples=SERIES)


def is_idle(pid: int) -> bool:
    """Whether a server does little but to judge."""
    before = cpu_seconds(pid)
    time.sleep(1)
    return cpu_seconds(pid) - before < 0.5


def peers(crowd: Crowd, program: str) -> Iterator[tuple[str, Rate]]:
    """The peer's, at one scrape a request and at its best batch."""
    now_s = time.time()
    with peer_server(program) as (port, pid):
        first, *steps = [now_s - 3600 + step * INTERVAL_S for step in range(PUSHES_EACH + 1)]
        measure(port, pid, peer_requests(crowd, HOSTS, [first], 1), samples=SERIES)
        single = measure(port, pid, peer_requests(crowd, HOSTS, steps, 1), samples=SERIES)
        yield "VictoriaMetrics, one scrape a request", single
        steps = [now_s - 3600 + (PUSHES_EACH + 1 + step) * INTERVAL_S for step in range(PEER_BATCH)]
        requests = peer_requests(crowd, CONNECTIONS, steps, PEER_BATCH)
        best = measure(port, pid, requests, samples=SERIES * PEER_BATCH)
        yield f"VictoriaMetrics, {PEER_BATCH} scrapes a request", best


def main() -> None:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {GENERATOR_CORE})
    print(f"{CONNECTIONS} connections, {HOSTS} hosts, {SERIES} series a frame, server on one core")
    print(f"{'':<44} {'req/s':>8} {'samples/s':>12} {'cores':>6} {'generator':>10} {'samples/CPU s':>16}")
    crowd = Crowd()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        own = ours(crowd, Path(folder))
    tell("tocsin, durable, judging, a frame a request", own)
    with victoria_metrics() as program:
        if program is None:
            print("no peer here (apt-get install victoria-metrics); measured elsewhere: 1.2 M samples/s")
            return
        rates = []
        for name, rate in peers(crowd, program):
            tell(name, rate)
            rates.append(own.samples_per_cpu_s / rate.samples_per_cpu_s)
    print(
        f"samples per CPU second, tocsin ÷ VictoriaMetrics: {rates[1]:.1f} × its best batch (budget 4, aim 5),"
        f" {rates[0]:.1f} × one scrape a request"
    )


if __name__ == "__main__":
    main()
