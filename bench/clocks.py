"""What it costs to tell thresholds of 100,000 running clocks as they are passed, on a real database file.

Run: `python -m bench clocks`. A clock that is moved by a second at a time, as the job runs: so the share of a
core is this process's time for a second's work, with fsync, and how late a threshold is told is in moved time.
The tickets have three clocks each and are between nothing and a day old. There is no peer: systems that scan
their tables for what is due publish no figures.
"""

import gc
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlmodel import Session, SQLModel
from tests.places import add_places

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketState
from tocsin_server import heap
from tocsin_server.clock import FakeClock
from tocsin_server.config import CHECKOUT, ServerConfig
from tocsin_server.decisions.folder import Tables, always, load_for_desk
from tocsin_server.desk.contacts import Addresses, Place
from tocsin_server.desk.notified import Post
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.store import EVENTS, NOTICES, TICKETS, TOLD
from tocsin_server.frontdesk import FrontDesk
from tocsin_server.health import Health
from tocsin_server.sla.contractfile import read_contract
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

CLOCKS = int(os.environ.get("BENCH_CLOCKS", "100000"))
TICKET_COUNT = CLOCKS // 3
CLIENTS = 20
SECONDS = int(os.environ.get("BENCH_SECONDS", "300"))
TOGETHER = 1000
"""So many tickets pass thresholds in one second: what was opened in a storm."""
DAY_MS = 86_400_000
SHARE = 0.05
CONTRACT = """
contract: BENCH-{n}
client: client-{n}
title: Servers
zone: Europe/Paris
currency: EUR
calendars: [{{name: always, zone: Europe/Paris, hours: always}}]
agreements:
- name: gold
  type: sla
  calendar: always
  targets: {{3: {{ack: 26h, first_response: 30h, resolve: 72h}}}}
versions:
- from: 2020-01-01
  notice_days: 90
  renewal: {{kind: none}}
  lines:
  - {{item: server, unit: server, price: 95, per: month, quantity: {{source: time}}, sla: gold}}
"""


class Bench:
    """A desk on a clock that is moved, and what its job has taken."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.clock = FakeClock()
        names = [f"client-{number}" for number in range(1, CLIENTS + 1)]
        contracts = {
            name: (read_contract(f"{name}.yml", CONTRACT.format(n=name.partition("-")[2]), lambda _name: ""),)
            for name in names
        }
        assert CHECKOUT is not None
        tables = Tables(load_for_desk(CHECKOUT / "decisions"), is_open=always)
        kept: dict[int, object] = {}
        self.desk = FrontDesk(
            storage,
            _Nobody(),  # type: ignore[arg-type]
            is_fresh=lambda _host: True,
            tables=lambda: tables,
            terms=lambda: Terms(contracts, tables, self.clock.now_ms(), kept),  # type: ignore[arg-type]
            windows=tuple,
            post=lambda: Post(
                {Place("team"): Addresses(mail=("desk@example.net",))}, goes_out=True, public_url=""
            ),
            health=Health(),
            clock=self.clock,
            settings=ServerConfig(),
        )

    def turn(self) -> tuple[float, float]:
        """One run of the job: seconds of the processor, and on the wall."""
        cpu, wall = time.process_time(), time.perf_counter()
        self.desk._ask(self.desk._clocks)
        self.storage.write(lambda _session: None)  # comes after it
        return time.process_time() - cpu, time.perf_counter() - wall

    def count(self, table: object) -> int:
        asked = select(func.count()).select_from(table)  # type: ignore[arg-type]
        return int(self.storage.read(lambda session: session.execute(asked).scalar_one()))


class _Nobody:
    """Consoles: none."""

    def tickets(self, _happenings: object) -> None: ...

    def host(self, _host_id: int) -> None: ...


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        path = Path(folder) / "tocsin.db"
        migrate(path, SQLModel.metadata)
        with Storage(path) as storage:
            bench = Bench(storage)
            storage.write(lambda session: _desk(session, bench.clock.now_ms()))
            bench.desk.restore()
            gc.collect()
            heap.settle()
            _look_at_all(bench)
            _idle(bench)
            _together(bench)


def _look_at_all(bench: Bench) -> None:
    """After a start every open ticket has its turn."""
    turns = [bench.turn() for _ in range(TICKET_COUNT // 500 + 2)]
    cpu = sum(cpu for cpu, _ in turns)
    worst = max(wall for _, wall in turns)
    print(
        f"{TICKET_COUNT:,} tickets with {CLOCKS:,} clocks looked at once after a start:"
        f" {cpu:.1f} s of a core in {len(turns)} turns, one a second; the longest {worst * 1000:.0f} ms"
    )


def _idle(bench: Bench) -> None:
    """Seconds as they come."""
    before, turns = bench.count(TOLD), []
    began_ms = bench.clock.now_ms()
    for _ in range(SECONDS):
        bench.clock.move(seconds=1)
        turns.append(bench.turn())
    told = bench.count(TOLD) - before
    share = sum(cpu for cpu, _ in turns) / SECONDS
    late_ms, longest = _latest(bench, began_ms), max(wall for _, wall in turns)
    verdict = "kept" if share < SHARE and late_ms <= 1000 else "MISSED"
    print(
        f"the due job over {SECONDS} s: {share * 100:.2f} % of a core   (want < {SHARE * 100:.0f} %);"
        f" {told} thresholds, {bench.count(NOTICES)} notices"
    )
    print(f"told at most {late_ms} ms late, by turns of at most {longest * 1000:.0f} ms   {verdict}")
    print(f"a turn: p50 {statistics.median(wall for _, wall in turns) * 1000:.1f} ms")


def _together(bench: Bench) -> None:
    """Many tickets whose thresholds are passed in one second."""
    now_ms = bench.clock.now_ms()
    first = bench.count(TICKETS) + 1
    opened_ms = now_ms - 13 * 3_600_000  # half of `ack` is over
    bench.storage.write(
        lambda session: _open(session, range(first, first + TOGETHER), lambda _n: opened_ms + 500)
    )
    for _ in range(4):
        bench.turn()  # they are looked at, and nothing is passed
    before = bench.count(TOLD)
    bench.clock.move(seconds=1)
    cpu, wall = bench.turn()
    told = bench.count(TOLD) - before
    verdict = "kept" if told >= TOGETHER and wall <= 1 else "MISSED"
    print(f"{told} thresholds passed in one second: {wall:.2f} s, {cpu:.2f} s of a core   (want 1 s) {verdict}")


def _latest(bench: Bench, since_ms: int) -> int:
    asked = select(func.max(TOLD.c.told_ms - TOLD.c.passed_ms)).where(TOLD.c.passed_ms >= since_ms)
    return int(bench.storage.read(lambda session: session.execute(asked).scalar_one()) or 0)


def _desk(session: Session, now_ms: int) -> None:
    names = {number: f"client-{number}" for number in range(1, CLIENTS + 1)}
    add_places(session, names, {number: (number, "atlas") for number in names})
    chance = random.Random(7)
    ages = {number: chance.randrange(DAY_MS) for number in range(1, TICKET_COUNT + 1)}
    _open(session, range(1, TICKET_COUNT + 1), lambda number: now_ms - ages[number])


def _open(session: Session, numbers: range, opened_ms: object) -> None:
    """Incidents of priority 3 that nobody has taken."""
    at = {number: opened_ms(number) for number in numbers}  # type: ignore[operator]
    session.execute(insert(TICKETS), [_ticket(number, at_ms) for number, at_ms in at.items()])
    session.execute(insert(EVENTS), [_opened(number, at_ms) for number, at_ms in at.items()])


def _ticket(number: int, at_ms: int) -> dict[str, object]:
    client_id = 1 + number % CLIENTS
    return {
        "id": number,
        "client_id": client_id,
        "site_id": client_id,
        "host_id": client_id,
        "key": f"{number:032x}",
        "title": f"/srv/{number} on atlas is full",
        "state": TicketState.NEW,
        "priority": 3,
        "severity": "info",
        "version": 1,
        "human": False,
        "confirm": False,
        "opened_ms": at_ms,
        "updated_ms": at_ms,
        "tells_ms": 0,
    }


def _opened(number: int, at_ms: int) -> dict[str, object]:
    return {
        "client_id": 1 + number % CLIENTS,
        "ticket_id": number,
        "at_ms": at_ms,
        "kind": TicketEventKind.OPENED,
        "actor_kind": ActorKind.RULE,
        "actor": "FilesystemFull",
        "text": "",
        "data": {},
    }
