"""Durable pushes a second into the receive path on one core: HMAC, inflate, decode, journal, fdatasync, answer.

The server is the real one less rules and desk: uvicorn, `AgentsApp`, journal and estate on a folder; a thread
takes the inbox once a second, as the judge does. It runs on one core, the generator on another; requests are
built and authenticated before the clock starts. The peer is Debian's VictoriaMetrics on the same core with the
same values in Prometheus's text format, one scrape a request and 100 scrapes a request. It answers before the
samples are on the disk; tocsin after. Rates are per second of the server's CPU, so that what else runs on the
machine takes from both alike.
"""

import asyncio
import contextlib
import functools
import gc
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import uvicorn
import uvloop
from sqlmodel import Session, SQLModel
from tests.processes import free_port, until

from bench.fleet import PushFrame, SimulatedAgent, push_body, wide_schema
from tocsin_protocol import wire
from tocsin_protocol.vocabulary import HostKind
from tocsin_server.clock import SystemClock
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.enrolment import create_enrol_token
from tocsin_server.estate.estate import Estate
from tocsin_server.estate.identity import ServerIdentity, open_identity
from tocsin_server.estate.sites import add_site
from tocsin_server.health import Health
from tocsin_server.http.agents import AgentsApp
from tocsin_server.ingest.cardinality import Cardinality
from tocsin_server.ingest.doorkeeper import Doorkeeper
from tocsin_server.ingest.enrolments import Enrolments
from tocsin_server.ingest.hello import Greeter
from tocsin_server.ingest.inbox import Inbox
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.presence import Presence
from tocsin_server.ingest.quarantine import Quarantine
from tocsin_server.ingest.receive import Receiver
from tocsin_server.ingest.sessions import Sessions
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.sqlite import sqlite_engine

CONNECTIONS = 256
PUSHES_EACH = 200
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


def serve(folder: Path, port: int) -> None:
    """The receive path alone, until the process is ended."""
    clock, health = SystemClock(), Health()
    identity = open_identity(folder)
    engine = sqlite_engine(folder / "tocsin.db", read_only=False)
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    storage = Storage(folder / "tocsin.db")
    _invite(storage, identity, folder, f"http://127.0.0.1:{port}")
    estate, sessions, inbox = Estate(storage), Sessions(clock=clock), Inbox()
    journal = Journal(folder / "journal", clock=clock, health=health)
    parts = {"estate": estate, "clock": clock, "interval_s": 10}
    receiver = Receiver(
        doorkeeper=Doorkeeper(sessions=sessions, estate=estate, clock=clock),
        cardinality=Cardinality(most=20_000, clock=clock, health=health),
        quarantine=Quarantine(storage=storage, **parts),
        probes_digest=lambda _: None,
        journal=journal,
        inbox=inbox,
        presence=Presence(interval_s=10, started_ms=clock.now_ms()),
        health=health,
        **parts,
    )
    app = AgentsApp(
        receiver=receiver,
        greeter=Greeter(identity=identity, sessions=sessions, **parts),
        enrolments=Enrolments(storage=storage, identity=identity, **parts),
        health=health,
    )
    gc.freeze()
    gc.set_threshold(
        50_000, 20, 100
    )  # as `app.run` does: the default walks all sessions several times a second
    threading.Thread(target=_drain, args=(inbox,), daemon=True).start()
    uvicorn.run(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        log_level="error",
        timeout_keep_alive=60,
    )


def _invite(storage: Storage, identity: ServerIdentity, folder: Path, url: str) -> None:
    def act(session: Session) -> list[str]:
        site = add_site(session, add_client(session, "bench", "Bench", 0), "main", "Main", 0)
        terms = {"kind": HostKind.SERVER, "now_ms": 0, "expires_ms": 1 << 60}
        return [create_enrol_token(session, identity, site, url, **terms) for _ in range(CONNECTIONS)]

    part = folder / "invitations.part"
    part.write_text("\n".join(storage.write(act)))
    part.rename(folder / "invitations")


def _drain(inbox: Inbox) -> None:
    while True:
        time.sleep(1)
        inbox.drain()


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last is answered."""

    def __init__(self, requests: Sequence[bytes], done: asyncio.Future) -> None:
        self._requests = iter(requests)
        self._done = done
        self._heard = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
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
        await loop.create_connection(lambda one=one, f=finished: Connection(one, f), "127.0.0.1", port)
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


def values_at(step: int) -> list[float]:
    """300 readings such as a host has: counters that grow, gauges that wander, and much that stands still."""
    chance = random.Random(step)
    moving = [float(step * 1000 * (i + 1) + chance.randrange(1000)) for i in range(SERIES // 3)]
    gauges = [round(chance.random() * 100, 2) for _ in range(SERIES // 6)]
    return moving + gauges + [float(i) for i in range(SERIES - len(moving) - len(gauges))]


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One request, ready for the wire."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def our_requests(folder: Path, port: int) -> list[list[bytes]]:
    """Agents that have enrolled, said hello and told their schema; and their pushes."""
    schema = wide_schema(SERIES)
    steps = [values_at(step) for step in range(PUSHES_EACH)]
    made = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
        for number, invitation in enumerate((folder / "invitations").read_text().split()):
            agent = SimulatedAgent(http, f"bench-{number}")
            agent.enrol(invitation)
            assert agent.push([agent.frame(schema, steps[0])]) == 200
            made.append([_our_push(agent, agent.frame(schema, values)) for values in steps])
    return made


def _our_push(agent: SimulatedAgent, frame: PushFrame) -> bytes:
    body = push_body(agent.epoch, [frame], now_ms=frame.time_ms, schemas=False)
    return request(wire.PUSH_PATH, body, agent.headers(body))


def peer_requests(batch: int, pushes_each: int) -> list[list[bytes]]:
    """The same values as text, `batch` scrapes a request."""
    # The target labels that tocsin's server knows, a line of text has to say.
    target = 'instance="bench-%d",job="node",site="main",client="bench"'
    labels = [f'node_bench_{i % 30}_total{{device="dev{i // 30}",{target}}}' for i in range(SERIES)]
    made = []
    for number in range(CONNECTIONS):
        names = [label % number for label in labels]
        made.append([_peer_import(names, step * batch, batch) for step in range(pushes_each)])
    return made


def _peer_import(names: Sequence[str], first: int, batch: int) -> bytes:
    began_ms = 1_000 * round(time.time() - 3600)
    lines = []
    for step in range(first, first + batch):
        lines += [
            f"{name} {value} {began_ms + step * 100}" for name, value in zip(names, _texts(step), strict=True)
        ]
    return request("/api/v1/import/prometheus", "\n".join(lines).encode(), {})


@functools.cache
def _texts(step: int) -> list[str]:
    return [f"{value:.17g}" for value in values_at(step)]


@contextlib.contextmanager
def our_server(folder: Path) -> Iterator[tuple[int, int]]:
    """Port and process of the receive path."""
    port = free_port()
    command = [sys.executable, "-m", "bench.push", "serve", str(folder), str(port)]
    with _on_core(command) as process:
        until("the invitations", (folder / "invitations").exists)
        until("the receive path listens", lambda: _listens(port))
        yield port, process.pid


@contextlib.contextmanager
def peer_server(program: str) -> Iterator[tuple[int, int]]:
    """Port and process of VictoriaMetrics."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        command = [program, f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}"]
        with _on_core([*command, "-loggerLevel=ERROR", "-memory.allowedPercent=20"]) as process:
            until("VictoriaMetrics listens", lambda: _listens(port))
            yield port, process.pid


@contextlib.contextmanager
def _on_core(command: list[str]) -> Iterator[subprocess.Popen]:
    cores = os.sched_getaffinity(0)
    pin = ["taskset", "-c", str(SERVER_CORE)] if len(cores) > 1 else []
    with subprocess.Popen([*pin, *command], env={**os.environ, "GOMAXPROCS": "1"}) as process:
        try:
            yield process
        finally:
            process.terminate()


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
        f"{name:<40} {rate.requests_per_s:>8,.0f} {rate.samples_per_s:>12,.0f}"
        f" {rate.server_cores:>6.2f} {rate.generator_cores:>10.2f} {rate.samples_per_cpu_s:>16,.0f}"
    )


def main() -> None:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {GENERATOR_CORE})
    print(f"{CONNECTIONS} connections, {SERIES} series a frame, server on one core")
    print(f"{'':<40} {'req/s':>8} {'samples/s':>12} {'cores':>6} {'generator':>10} {'samples/CPU s':>16}")
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        with our_server(folder) as (port, pid):
            ours = measure(port, pid, our_requests(folder, port), samples=SERIES)
            tell("tocsin, durable, one frame a request", ours)
    with victoria_metrics() as program:
        if program is None:
            print("no peer here (apt-get install victoria-metrics); measured elsewhere: 1.2 M samples/s")
            return
        with peer_server(program) as (port, pid):
            single = measure(port, pid, peer_requests(1, 40), samples=SERIES)
            tell("VictoriaMetrics, one scrape a request", single)
            best = measure(port, pid, peer_requests(PEER_BATCH, PEER_BATCHES_EACH), samples=SERIES * PEER_BATCH)
            tell(f"VictoriaMetrics, {PEER_BATCH} scrapes a request", best)
    print(
        "samples per CPU second, tocsin ÷ VictoriaMetrics:"
        f" {ours.samples_per_cpu_s / best.samples_per_cpu_s:.1f} × its best batch (budget 4, aim 5),"
        f" {ours.samples_per_cpu_s / single.samples_per_cpu_s:.1f} × one scrape a request"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
