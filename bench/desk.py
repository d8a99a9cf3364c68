"""A desk of a million tickets, asked over HTTP through a real server: pages, searches, new tickets.

Run: `python -m bench desk`. BENCH_TICKETS tickets (a million) of 2,000 clients, four events each, over three
years: one in fifty is open, most of those are young, and a few clients have most of the tickets. Texts are made
of words as frequent as a language's. Each question is asked alone, one after the other, by one console; the
figure is what it waits, and what the server's own process works meanwhile, its jobs too. SQLite syncs each
commit; PostgreSQL is Debian's on the same disk, syncing too, with its defaults but for 256 MB of buffers. There
is no peer here: none publishes such figures. BENCH_DATABASES may name one of `sqlite` and `postgresql`;
BENCH_KEEP a folder in which what is loaded stays for the next run.
"""

import itertools
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import insert, text
from sqlmodel import Session
from tests.postgres import SUPERUSER, Cluster, programs
from tests.processes import ServerProcess

from tocsin_protocol.tickets import TicketCounts
from tocsin_protocol.vocabulary import ActorKind, HostKind, Role, TicketEventKind, TicketKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.access.store import PersonRow
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import TABLES
from tocsin_server.desk.queue import ticket_counts
from tocsin_server.desk.store import EVENTS, TICKETS
from tocsin_server.desk.texts import Worded, write_texts
from tocsin_server.desk.words import Said
from tocsin_server.estate.store import Client, Host, Site
from tocsin_server.storage.address import Address
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

TICKET_COUNT = int(os.environ.get("BENCH_TICKETS", "1000000"))
CLIENTS, HOSTS_EACH, PEOPLE = 2000, 10, 40
OPEN_SHARE = 0.02
YEARS_MS = 3 * 365 * 86_400_000
BATCH = 10_000
ASKS = 200
PAGE_MS, SEARCH_MS, CREATE_MS = 50, 150, 20
TEAMS = ("servers", "network", "desktops", "applications")
_TITLES = (
    "/srv/{0} on {1} is full",
    "{1} is not reachable",
    "Backup of {1} failed",
    "Certificate of {1} expires",
    "Memory of {1} is used up",
    "{2} {3} does not {4}",
    "Printer {2} {3} is jammed",
    "Login of {2} {3} is refused",
)


def main() -> None:
    """Load and ask each database."""
    wanted = os.environ.get("BENCH_DATABASES", "sqlite postgresql").split()
    for name in wanted:
        with _folder(name) as folder, _DATABASES[name](folder) as url:
            _measure(name, folder, url)


def _measure(name: str, folder: Path, url: str) -> None:
    server = ServerProcess(folder / "data", database=url)
    where = Address.of(url) if url else Address.of_file(server.data / "tocsin.db")
    if not (folder / "loaded").exists():
        began = time.perf_counter()
        token = _prepared(server, where)
        (folder / "loaded").write_text(token)
        print(f"{name}: {TICKET_COUNT:,} tickets loaded in {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    if migrate(where, TABLES):
        print(f"{name}: brought to this version in {time.perf_counter() - began:.0f} s")
    with Storage(where) as storage:
        print(f"{name}: the database has {storage.read(_size) / 1e9:.2f} GB")
        print(_line("counts of all open tickets", [_timed(lambda: storage.read(_counts)) for _ in range(20)]))
    with server, server.start(within_s=300).api((folder / "loaded").read_text()) as api:
        assert server.process is not None
        _ask(api, psutil.Process(server.process.pid))
        server.stop()


def _ask(api: httpx.Client, server: psutil.Process) -> None:
    for name, question in _PAGES.items():
        _print(server, name, lambda question=question: [*_walk(api, question)], PAGE_MS)  # type: ignore[misc]
    for name, questions in _SEARCHES.items():
        asked = [*itertools.islice(itertools.cycle(questions), ASKS)]
        _print(server, name, lambda asked=asked: [*_look_for(api, asked)], SEARCH_MS)  # type: ignore[misc]
    _print(server, "new ticket", lambda: [_timed(lambda: _open(api)) for _ in range(ASKS)], CREATE_MS)


def _print(server: psutil.Process, name: str, ask: Callable[[], Sequence[float]], budget_ms: float) -> None:
    before = sum(server.cpu_times()[:2])
    took_s = ask()
    worked_s = sum(server.cpu_times()[:2]) - before
    print(_line(name, took_s, budget_ms=budget_ms, worked_ms=worked_s / len(took_s) * 1000), flush=True)


_PAGES: Mapping[str, Mapping[str, Any]] = {
    "page: open": {},
    "page: open of the largest client": {"client": "client-1"},
    "page: open of one owner": {"owner": "person-3"},
    "page: open of one team": {"team": "network"},
    "page: open, priorities 1 and 2": {"priority": [1, 2]},
    "page: open requests": {"kind": "request"},
    "page: opened in the last week": {"state": "all", "since": "week"},
    "page: solved": {"state": "solved"},
    "page: all of one client": {"client": "client-700", "state": "all"},
}
_SEARCHES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "search: as one types 'backup failed'": [{"q": "backup failed"[:end]} for end in range(2, 14)],
    "search: frequent words": [{"q": words} for words in ("printer jammed", "is full", "memory", "srv 97")],
    "search: a host, a number, a rare word": [
        {"q": words} for words in ("host-1234-7", "#4711", "host-77-3 backup", "zuv", "bavo kes")
    ],
    "search: words of one client": [
        {"q": words, "client": f"client-{client}"}
        for words, client in (("backup", 1), ("printer", 9), ("is full", 700), ("rep", 1500))
    ],
    "search: open ones": [{"q": words, "state": "open"} for words in ("backup", "printer jam", "certificate")],
    "search: of one team and priority": [
        {"q": words, "team": "network", "priority": 1} for words in ("backup", "is full", "me")
    ],
}


def _walk(api: httpx.Client, question: Mapping[str, Any]) -> Iterator[float]:
    """Page after page, and from the first again after the last."""
    asked = dict(question)
    if asked.get("since") == "week":
        asked["since"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7 * 86_400))
    cursor = None
    for _ in range(ASKS):
        began = time.perf_counter()
        cursor = _get(api, asked | ({"cursor": cursor} if cursor else {}))["next"]
        yield time.perf_counter() - began


def _look_for(api: httpx.Client, asked: Iterable[Mapping[str, Any]]) -> Iterator[float]:
    for question in asked:
        yield _timed(lambda question=question: _get(api, {"state": "all", **question}))  # type: ignore[misc]


def _get(api: httpx.Client, question: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what JSON is
    return api.get("/tickets", params=dict(question)).raise_for_status().json()


_NUMBERS = itertools.count()


def _open(api: httpx.Client) -> None:
    number = next(_NUMBERS)
    new = {
        "client": f"client-{1 + number % CLIENTS}",
        "title": f"Printer {number} is jammed",
        "text": "It says that the tray is empty, which it is not.",
    }
    api.post("/tickets", json=new).raise_for_status()


def _timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _line(name: str, took_s: Sequence[float], *, budget_ms: float = 0, worked_ms: float = 0) -> str:
    p50, p95 = statistics.median(took_s) * 1000, statistics.quantiles(took_s, n=20)[-1] * 1000
    kept = (
        ""
        if not budget_ms
        else f"  work {worked_ms:6.1f} ms  budget {budget_ms:3.0f}  {'kept' if p95 <= budget_ms else 'MISSED'}"
    )
    return f"  {name:42} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms{kept}"


# -- what is loaded


def _prepared(server: ServerProcess, where: Address) -> str:
    """Load it all; a technician's session."""
    token = server.prepare()["session"]
    migrate(where, TABLES)
    with Storage(where) as storage:
        storage.write(_estate)
        now_ms, chance, sentences = SystemClock().now_ms(), random.Random(7), _sentences(random.Random(11))
        for first in range(1, TICKET_COUNT + 1, BATCH):
            tickets = [
                _ticket(number, now_ms, chance) for number in range(first, min(first + BATCH, TICKET_COUNT + 1))
            ]
            storage.write(lambda session, rows=tickets: _write(session, rows, chance, sentences))  # type: ignore[misc]
        storage.write(_settle)
    return token


def _write(
    session: Session, tickets: Sequence[dict[str, Any]], chance: random.Random, sentences: Sequence[str]
) -> None:
    said = [[chance.choice(sentences) for _ in range(3)] for _ in tickets]
    session.execute(insert(TICKETS), tickets)
    session.execute(
        insert(EVENTS),
        [event for ticket, words in zip(tickets, said, strict=True) for event in _events(ticket, words)],
    )
    write_texts(
        session,
        [
            Worded(
                ticket_id=ticket["id"],
                client_id=ticket["client_id"],
                host_id=ticket["host_id"],
                title=ticket["title"],
                is_open=ticket["solved_ms"] is None,
                is_new=True,
                texts=[Said(sentence, public=False) for sentence in words],
            )
            for ticket, words in zip(tickets, said, strict=True)
        ],
    )


def _estate(session: Session) -> None:
    now_ms = SystemClock().now_ms()
    first = _FIRST_CLIENT
    session.execute(
        insert(PersonRow),
        [
            {
                "id": 100 + n,
                "login": f"person-{n}",
                "name": f"Person {n}",
                "role": Role.TECHNICIAN,
                "password_hash": "",
                "created_ms": now_ms,
            }
            for n in range(PEOPLE)
        ],
    )
    clients = range(first, first + CLIENTS)
    session.execute(
        insert(Client),
        [
            {
                "id": n,
                "slug": f"client-{n - first + 1}",
                "name": f"Client {n - first + 1}",
                "created_ms": now_ms,
            }
            for n in clients
        ],
    )
    session.execute(
        insert(Site),
        [{"id": n, "client_id": n, "slug": "hq", "name": "HQ", "created_ms": now_ms} for n in clients],
    )
    session.execute(
        insert(Host),
        [
            {
                "id": n * HOSTS_EACH + host,
                "client_id": n,
                "site_id": n,
                "name": f"host-{n - first + 1}-{host}",
                "kind": HostKind.SERVER,
                "job": "node",
                "os": "",
                "enrolled_ms": now_ms,
                "retired_ms": now_ms,  # the desk is asked, and nothing is to be judged beside it
            }
            for n in clients
            for host in range(HOSTS_EACH)
        ],
    )


_FIRST_CLIENT = 100


def _ticket(number: int, now_ms: int, chance: random.Random) -> dict[str, Any]:
    """The later its number, the younger; of the open ones most are of the last weeks."""
    client = int(chance.random() ** 3 * CLIENTS)
    client_id, host = _FIRST_CLIENT + client, chance.randrange(HOSTS_EACH)
    opened_ms = now_ms - round(YEARS_MS * (1 - number / TICKET_COUNT)) - chance.randrange(3_600_000)
    is_young = number > TICKET_COUNT * 0.97
    is_open = chance.random() < (OPEN_SHARE * 30 if is_young else OPEN_SHARE / 10)
    owner = 100 + chance.randrange(PEOPLE) if not is_open or chance.random() < 0.7 else None
    is_request = chance.random() < 0.3
    return {
        "id": number,
        "client_id": client_id,
        "site_id": client_id,
        "host_id": client_id * HOSTS_EACH + host,
        "key": None if is_request else f"{number:032x}",
        "title": chance.choice(_TITLES).format(
            chance.randrange(100), f"host-{client + 1}-{host}", "Room", chance.randrange(400), "start"
        ),
        "kind": TicketKind.REQUEST if is_request else TicketKind.INCIDENT,
        "state": _state(owner) if is_open else TicketState.CLOSED,
        "priority": chance.choice((1, 2, 3, 3, 3, 4)),
        "severity": "" if is_request else "warning",
        "owner_id": owner,
        "team": chance.choice(TEAMS),
        "version": 4,
        "human": True,
        "confirm": False,
        "opened_ms": opened_ms,
        "updated_ms": opened_ms + 7_200_000,
        "solved_ms": None if is_open else opened_ms + 7_200_000,
    }


def _state(owner: int | None) -> TicketState:
    return TicketState.NEW if owner is None else TicketState.IN_PROGRESS


def _events(ticket: Mapping[str, Any], said: Sequence[str]) -> Iterator[dict[str, Any]]:
    last = TicketEventKind.COMMENTED if ticket["solved_ms"] is None else TicketEventKind.SOLVED
    kinds = (TicketEventKind.OPENED, TicketEventKind.TAKEN, TicketEventKind.COMMENTED, last)
    texts = (said[0], "", said[1], said[2])
    for number, (kind, words) in enumerate(zip(kinds, texts, strict=True)):
        yield {
            "client_id": ticket["client_id"],
            "ticket_id": ticket["id"],
            "at_ms": ticket["opened_ms"] + number * 1_800_000,
            "kind": kind,
            "actor_kind": ActorKind.PERSON,
            "actor": "person-3",
            "text": words,
            "data": {},
            "public": False,
        }


def _sentences(chance: random.Random) -> list[str]:
    """Six to fourteen words each; of the vocabulary a few are met in every second sentence, most seldom."""
    parts = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pel", "dor", "kes", "rep", "tam")
    vocabulary = ["".join(chance.choice(parts) for _ in range(chance.randint(1, 4))) for _ in range(8000)]
    common = [
        "the",
        "it",
        "is",
        "was",
        "again",
        "after",
        "restart",
        "user",
        "says",
        "checked",
        "replaced",
        "cable",
        "service",
        "disk",
        "memory",
        "done",
    ]
    return [
        " ".join(
            chance.choice(common) if chance.random() < 0.5 else vocabulary[int(chance.random() ** 4 * 8000)]
            for _ in range(chance.randint(6, 14))
        )
        for _ in range(60_000)
    ]


def _settle(session: Session) -> None:
    """What a database finds out by itself within minutes, and its numbers go on from what was loaded."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE"))
        for name in ("ticket", "ticket_event"):
            session.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"))  # noqa: S608


def _counts(session: Session) -> TicketCounts:
    return ticket_counts(session, EVERYWHERE)


def _size(session: Session) -> int:
    """Bytes."""
    if session.get_bind().dialect.name == "postgresql":
        return session.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return session.execute(
        text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    ).scalar_one()


# -- where it is loaded


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    kept = os.environ.get("BENCH_KEEP")
    if kept:
        folder = Path(kept) / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-desk-") as made:
        yield Path(made)


@contextmanager
def _sqlite(_folder: Path) -> Iterator[str]:
    yield ""


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    """A cluster that syncs, and cleans up behind itself, as one that is in use."""
    found = programs()
    if found is None:
        raise SystemExit("postgresql is not installed")
    home = folder / "cluster"
    cluster = Cluster(found, home)
    if home.exists():
        cluster.start()
    else:
        home.mkdir()
        shutil.chown(home, SUPERUSER, SUPERUSER)
        folder.chmod(0o755)
        cluster.make()
        for setting, value in _SERVER.items():
            cluster.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        cluster.stop()
        cluster.start()
        cluster.execute("CREATE DATABASE desk OWNER tocsin")
    try:
        yield cluster.url("desk")
    finally:
        cluster.stop()


_SERVER = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
}
_DATABASES = {"sqlite": _sqlite, "postgresql": _postgresql}
