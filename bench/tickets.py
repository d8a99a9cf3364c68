"""Transitions turned into tickets, and pages of a long queue: the desk alone, on a real database file.

Run: `python -m bench tickets`. The peer's figure is quoted, not measured: Keep's documentation says 1,000
alerts a minute on 16 virtual processors; here one writer thread of one process works, committing with fsync.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlmodel import Session, SQLModel
from tests.lifecycle import TABLES
from tests.places import add_places

from tocsin_protocol.vocabulary import AlertState, Role, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.access.store import PersonRow
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.decisions.folder import NO_TABLES, Tables
from tocsin_server.desk.contacts import Addresses, Place
from tocsin_server.desk.cutoff import attach_cut_off
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.intake import LIMIT, consume, is_waiting
from tocsin_server.desk.notified import Post, begin, is_news, write_all
from tocsin_server.desk.queue import ticket_page
from tocsin_server.desk.store import NOTICES, TICKET_ALERTS, TICKETS
from tocsin_server.frontdesk import BATCHES
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

NOW = 1_700_000_000_000
TRANSITIONS = 10_000
TICKET_COUNT = 100_000
OPEN_SHARE = 0.1
PAGES = 300
CLIENTS = 20
KEEP_PER_S = 1_000 / 60
BUDGET_PER_S = 1_000
BUDGET_MS = 50
BUDGET_STORM_S = 2
POST = Post(
    {
        Place("team"): Addresses(mail=("desk@example.net",)),
        Place("on_call"): Addresses(page=("phone@sms.example.net",)),
    },
    goes_out=True,
    public_url="",
)


def main() -> None:
    with _storage() as storage:
        storage.write(_firing)
        took_s, opened = _consume_all(storage)
        again_s = _all_clear(storage)
    rate = opened / took_s
    verdict = "kept" if rate >= BUDGET_PER_S else "MISSED"
    print(f"tickets from transitions     {rate:9,.0f} /s   {opened} in {took_s:.2f} s, {LIMIT} a transaction")
    print(f"transitions told to tickets  {TRANSITIONS / again_s:9,.0f} /s")
    print(f"Keep, quoted from its docs   {KEEP_PER_S:9,.0f} /s   on 16 vCPU: ratio {rate / KEEP_PER_S:,.0f} x")
    print(f"budget                       {BUDGET_PER_S:9,} /s   {verdict}")
    with _storage() as storage:
        _with_notices(storage)
    with _storage() as storage:
        _in_a_storm(storage)
    with _storage() as storage:
        _under_a_dead_switch(storage)
    with _storage() as storage:
        storage.write(_long_queue)
        for name, asked in _QUESTIONS.items():
            p50, p95 = _pages(storage, asked)
            kept = "kept" if p95 <= BUDGET_MS else "MISSED"
            print(
                f"queue page of 100 at {TICKET_COUNT:,}: {name:28} p50 {p50:6.2f} ms  p95 {p95:6.2f} ms  {kept}"
            )


def _with_notices(storage: Storage) -> None:
    """Each ticket with two notices in its transaction, as the server writes them."""
    storage.write(begin)
    storage.before_commit(_write_notices, Future.result)
    storage.write(_firing)
    took_s, opened = _consume_all(storage)
    written = storage.read(lambda session: session.execute(select(func.count()).select_from(NOTICES)).scalar())
    print(f"tickets with their notices   {opened / took_s:9,.0f} /s   {written} notices")


def _write_notices(session: Session) -> None:
    if is_news(session):
        write_all(session, NOW, tables=TABLES, post=POST)


def _in_a_storm(storage: Storage) -> None:
    """The same alerts with the shipped tables: few have a ticket of their own, the others are on storms'."""
    storage.write(_firing)
    took_s, _ = _consume_all(storage, TABLES)
    again_s = _all_clear(storage, TABLES)
    tickets = storage.read(
        lambda session: session.execute(select(func.count()).select_from(TICKETS)).scalar_one()
    )
    verdict = "kept" if TRANSITIONS / took_s >= BUDGET_PER_S else "MISSED"
    print(
        f"alerts in a storm            {TRANSITIONS / took_s:9,.0f} /s   {TRANSITIONS} on {tickets} tickets, "
        f"cleared {TRANSITIONS / again_s:,.0f} /s; budget {BUDGET_PER_S:,} /s: {verdict}"
    )


def _under_a_dead_switch(storage: Storage) -> None:
    """One ticket with all that cannot be reached, and how long somebody who works meanwhile has to wait."""
    storage.write(_switch_dies)
    began, worked_s, waits = time.perf_counter(), time.process_time(), []
    while storage.write(is_waiting):
        storage.write(_consume_some)
        asked = time.perf_counter()
        storage.write(lambda session: session.execute(select(TICKETS.c.id)).first())
        storage.read(lambda session: ticket_page(session, EVERYWHERE))
        waits.append(time.perf_counter() - asked)
    took_s, worked_s = time.perf_counter() - began, time.process_time() - worked_s
    tickets, attached = storage.read(
        lambda session: (
            session.execute(select(func.count()).select_from(TICKETS)).scalar_one(),
            session.execute(select(func.count()).where(TICKET_ALERTS.c.cut_off)).scalar_one(),
        )
    )
    verdict = "kept" if took_s <= BUDGET_STORM_S and tickets == 1 else "MISSED"
    print(
        f"under one dead switch        {took_s:9.2f} s    {attached} alerts on {tickets} ticket, "
        f"{worked_s:.2f} s of a processor, a page meanwhile {max(waits) * 1000:.0f} ms at most; "
        f"budget {BUDGET_STORM_S} s: {verdict}"
    )


def _consume_some(session: Session) -> None:
    """As the front desk does it: a few batches, and then others may write."""
    for _ in range(BATCHES):
        consume(session, NOW, reopen_ms=3_600_000, tables=NO_TABLES)
    attach_cut_off(session, NOW)


def _switch_dies(session: Session) -> None:
    """Its alert rings; those of all that is behind it are withheld."""
    reasons = [{"kind": "parent_down", "name": "host-0", "words": "parent host-0 is down"}]
    numbers = range(1, TRANSITIONS + 2)
    hosts = [{"client_id": 1, "host_id": 100 + number % 50} for number in numbers]
    rows = [_alert(number, AlertState.FIRING) | host for number, host in zip(numbers, hosts, strict=True)]
    for row in rows[1:]:
        row |= {"suppressed": reasons, "suppressed_ms": NOW}
    rows[0]["host_id"] = 100
    session.execute(insert(AlertRow), [{"suppressed": [], "suppressed_ms": None} | row for row in rows])
    told = [
        _transition(number, 1, AlertState.PENDING, AlertState.FIRING) for number in range(1, TRANSITIONS + 2)
    ]
    session.execute(
        insert(Transition), [each | {"withheld": reasons if number else []} for number, each in enumerate(told)]
    )


@contextmanager
def _storage() -> Iterator[Storage]:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        path = Path(folder) / "tocsin.db"
        migrate(path, SQLModel.metadata)
        with Storage(path) as storage:
            storage.write(_estate)
            yield storage


def _estate(session: Session) -> None:
    clients = {number: f"client-{number}" for number in range(1, CLIENTS + 1)}
    hosts = {number * 100 + host: (number, f"host-{host}") for number in clients for host in range(50)}
    add_places(session, clients, hosts, at_ms=NOW)
    session.add(
        PersonRow(id=1, login="alice", name="Alice", role=Role.TECHNICIAN, password_hash="", created_ms=NOW)
    )


def _firing(session: Session) -> None:
    """As many alerts as transitions, all firing: a storm in which each is a ticket of its own."""
    session.execute(
        insert(AlertRow), [_alert(number, AlertState.FIRING) for number in range(1, TRANSITIONS + 1)]
    )
    _tell(session, AlertState.PENDING, AlertState.FIRING)


def _tell(session: Session, old: AlertState, new: AlertState) -> None:
    session.execute(
        insert(Transition),
        [_transition(number, 1 + number % CLIENTS, old, new) for number in range(1, TRANSITIONS + 1)],
    )


def _transition(number: int, client_id: int, old: AlertState, new: AlertState) -> dict[str, object]:
    return {
        "client_id": client_id,
        "alert_id": number,
        "at_ms": NOW,
        "old": old,
        "new": new,
        "value": 0.02,
        "sample_ms": NOW - 500,
        "annotations": _annotations(number),
    }


def _annotations(number: int) -> dict[str, str]:
    return {
        "summary": f"/srv/{number} on host-{number % 50} is full",
        "description": f"Only 2 % of /srv/{number} (/dev/sda1, ext4) on host-{number % 50} is free.",
    }


def _alert(number: int, state: AlertState) -> dict[str, object]:
    client_id = 1 + number % CLIENTS
    return {
        "id": number,
        "client_id": client_id,
        "host_id": client_id * 100 + number % 50,
        "rule_key": "datacenter.yml/datacenter-filesystem/FilesystemFull",
        "fingerprint": f"{number:016x}",
        "alertname": "FilesystemFull",
        "severity": "critical",
        "expression": "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.03",
        "labels": {
            "alertname": "FilesystemFull",
            "instance": f"host-{number % 50}",
            "job": "node",
            "site": "hq",
            "device": "/dev/sda1",
            "fstype": "ext4",
            "mountpoint": f"/srv/{number}",
            "severity": "critical",
        },
        "row_labels": {},
        "annotations": _annotations(number),
        "state": state,
        "value": 0.02,
        "fired_ms": NOW,
        "changed_ms": NOW,
    }


def _consume_all(storage: Storage, tables: Tables = NO_TABLES) -> tuple[float, int]:
    """Seconds, and how many changes there were."""
    began = time.perf_counter()
    happened = 0
    while more := storage.write(lambda session: consume(session, NOW, reopen_ms=3_600_000, tables=tables)):
        happened += len(more)
    return time.perf_counter() - began, happened


def _all_clear(storage: Storage, tables: Tables = NO_TABLES) -> float:
    """Every alert resolves: seconds to tell every ticket."""
    storage.write(lambda session: _tell(session, AlertState.FIRING, AlertState.RESOLVED))
    return _consume_all(storage, tables)[0]


def _long_queue(session: Session) -> None:
    chance = random.Random(7)
    alerts = 1000
    session.execute(insert(AlertRow), [_alert(number, AlertState.FIRING) for number in range(1, alerts + 1)])
    session.execute(insert(TICKETS), [_ticket(number, chance) for number in range(1, TICKET_COUNT + 1)])
    session.execute(
        insert(TICKET_ALERTS),
        [
            {"ticket_id": number, "alert_id": 1 + number % alerts, "client_id": 1 + number % CLIENTS}
            for number in range(1, TICKET_COUNT + 1)
        ],
    )


def _ticket(number: int, chance: random.Random) -> dict[str, object]:
    client_id = 1 + number % CLIENTS
    is_open, is_owned = chance.random() < OPEN_SHARE, chance.random() < 0.5
    state = TicketState.IN_PROGRESS if is_owned else TicketState.NEW
    return {
        "client_id": client_id,
        "site_id": client_id,
        "host_id": client_id * 100 + number % 50,
        "key": f"{number:032x}",
        "title": f"/srv/{number} on host-{number % 50} is full",
        "state": state if is_open else TicketState.SOLVED,
        "priority": chance.randint(1, 4),
        "severity": "critical",
        "owner_id": 1 if is_owned else None,
        "version": 1,
        "human": False,
        "confirm": False,
        "recovered_ms": None,
        "opened_ms": NOW - number * 60_000,
        "updated_ms": NOW,
        "solved_ms": None if is_open else NOW,
    }


Asked = Callable[[Session, str | None], str | None]


def _question(**asked: object) -> Asked:
    """A page that is asked for, and the cursor of the next."""
    filters = Filters(**asked)  # type: ignore[arg-type]
    return lambda session, cursor: ticket_page(session, EVERYWHERE, filters, cursor=cursor).next


_QUESTIONS: dict[str, Asked] = {
    "open": _question(),
    "solved": _question(state="solved"),
    "all": _question(state="all"),
    "open of one client": _question(client="client-7"),
    "solved of one client": _question(client="client-7", state="solved"),
    "open of one host": _question(host_id=703),
    "open of one owner": _question(owner="alice"),
    "solved of one owner": _question(owner="alice", state="solved"),
}


def _pages(storage: Storage, asked: Asked) -> tuple[float, float]:
    """Milliseconds of one page, walked from the first on, and from the first again after the last."""
    cursor: str | None = None
    took: list[float] = []
    for _ in range(PAGES):
        began = time.perf_counter()
        cursor = storage.read(lambda session, at=cursor: asked(session, at))  # type: ignore[misc]
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]
