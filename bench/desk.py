"""A desk of a million tickets, asked over HTTP through a real server: pages, searches, new tickets.

Run: `python -m bench desk`. The tickets are those of `bench/archive.py`, BENCH_TICKETS of them (a million), the
questions those of `bench/questions.py`. Each is asked alone, one after the other, by one console; the figure is
what it waits, and what the server's own process works meanwhile, its jobs too. SQLite syncs each commit;
PostgreSQL is Debian's on the same disk, syncing too, with its defaults but for 256 MB of buffers. There is no
peer here: none publishes such figures. BENCH_DATABASES may name one of `sqlite` and `postgresql`; BENCH_KEEP a
folder in which what is loaded stays for the next run.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlmodel import Session
from tests.postgres import SUPERUSER, Cluster, programs
from tests.processes import ServerProcess

from bench.archive import TICKET_COUNT, load
from bench.questions import questions, timed
from tocsin_protocol.tickets import TicketCounts
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.datafolder import TABLES
from tocsin_server.desk.queue import ticket_counts
from tocsin_server.storage.address import Address
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate


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
        token = load(server, where)
        (folder / "loaded").write_text(token)
        print(f"{name}: {TICKET_COUNT:,} tickets loaded in {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    if migrate(where, TABLES):
        print(f"{name}: brought to this version in {time.perf_counter() - began:.0f} s")
    with Storage(where) as storage:
        print(f"{name}: the database has {storage.read(_size) / 1e9:.2f} GB")
        print(_line("counts of all open tickets", [timed(lambda: storage.read(_counts)) for _ in range(20)]))
    with server, server.start(within_s=300).api((folder / "loaded").read_text()) as api:
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        for question, budget_ms, ask in questions(api):
            _print(process, question, ask, budget_ms)
        server.stop()


def _print(server: psutil.Process, name: str, ask: Callable[[], Sequence[float]], budget_ms: float) -> None:
    before = sum(server.cpu_times()[:2])
    took_s = ask()
    worked_s = sum(server.cpu_times()[:2]) - before
    print(_line(name, took_s, budget_ms=budget_ms, worked_ms=worked_s / len(took_s) * 1000), flush=True)


def _line(name: str, took_s: Sequence[float], *, budget_ms: float = 0, worked_ms: float = 0) -> str:
    p50, p95 = statistics.median(took_s) * 1000, statistics.quantiles(took_s, n=20)[-1] * 1000
    kept = (
        ""
        if not budget_ms
        else f"  work {worked_ms:6.1f} ms  budget {budget_ms:3.0f}  {'kept' if p95 <= budget_ms else 'MISSED'}"
    )
    return f"  {name:42} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms{kept}"


def _counts(session: Session) -> TicketCounts:
    return ticket_counts(session, EVERYWHERE)


def _size(session: Session) -> int:
    """Bytes."""
    if session.get_bind().dialect.name == "postgresql":
        asked = "SELECT pg_database_size(current_database())"
    else:
        asked = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(session.execute(text(asked)).scalar_one())


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
