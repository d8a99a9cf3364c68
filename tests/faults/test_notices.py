"""kill -9 between any two steps from an alert to the mail: one ticket, one notice, one mail.

Between each two steps in turn, on a clock that is moved (`lives.py`); and of a whole server whenever it comes.
"""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email import message_from_bytes
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import func, make_url, select
from sqlmodel import Session
from tests.faults.lives import DEATHS, RECIPIENTS, Nursery, Place, prepare
from tests.faults.oracle import PushingAgent, said_by_sqlite, titles_of_tickets
from tests.ports import free_port
from tests.postgres import Cluster
from tests.processes import ServerProcess, until

from tocsin_protocol.vocabulary import NoticeState, TicketEventKind
from tocsin_server.alerts.store import TRANSITIONS
from tocsin_server.desk.store import EVENTS, NOTICES, TICKETS
from tocsin_server.storage.address import VARIABLE, address
from tocsin_server.storage.engine import Storage

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
WHOLE_LOOPS = min(LOOPS, 25)
"""Of a whole server, which takes seconds to start, to hear of a host and to judge."""
MEMORY = Path("/dev/shm")
CONTACTS = """\
contacts:
- {role: team, mail: team@desk.example}
- {role: on_call, page: phone@sms.example}
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(60 + 60 * LOOPS)]


class Sink:
    """A mail server that counts what it takes, and may kill who has sent it before that is told so."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.subjects: dict[str, str] = {}
        self.kill: Callable[[], None] | None = None
        self._lock = threading.Lock()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - so it is called
        mail = message_from_bytes(envelope.content)
        with self._lock:
            self.taken[mail["Message-ID"]] += 1
            self.subjects[mail["Message-ID"]] = mail["Subject"]
            kill, self.kill = self.kill, None
        if kill is not None:
            kill()
        return "250 taken"


@contextlib.contextmanager
def mail_server() -> Iterator[tuple[Sink, int]]:
    taking = Sink()
    controller = Controller(taking, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield taking, controller.server.sockets[0].getsockname()[1]
    finally:
        controller.stop()


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    with mail_server() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path, sink: tuple[Sink, int]) -> Iterator[ServerProcess]:
    config = tmp_path / "config"
    config.mkdir()
    (config / "contacts.yml").write_text(CONTACTS)
    mail = f'host = "127.0.0.1"\nport = {sink[1]}\nsecurity = "none"\nfrom = "tocsin@desk.example"\n'
    with ServerProcess(tmp_path / "server", config=config, toml=f"interval_s = 1\n[mail]\n{mail}") as made:
        made.prepare()
        yield made.start()


def rows(server: ServerProcess, question: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(server.data / "tocsin.db")
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def start_again(server: ServerProcess) -> None:
    """However long that takes where other tests keep the machine busy."""
    with suppress(AssertionError):
        server.start()
    until("the server answers", server.is_ready, seconds=100)


def is_all_sent(server: ServerProcess, tickets: int) -> bool:
    told = rows(server, "SELECT count(DISTINCT ticket_id), sum(state <> 'sent') FROM notice")
    return told == [(tickets, 0)]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one: what a killed process has written is there, on whatever it is."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


class Beginning:
    """What each loop begins with a copy of."""

    def __init__(self, folder: Path, cluster: Cluster | None) -> None:
        self.kind = "SQLite" if cluster is None else "PostgreSQL"
        self._folder = folder
        self._cluster = cluster
        self._first = Place(folder / "first", self.database())
        self._first.folder.mkdir()
        self.host = prepare(self._first)
        if cluster is not None:
            cluster.leave(_named(self._first.database))

    def database(self) -> str:
        """A new one."""
        return "" if self._cluster is None else self._cluster.url(self._cluster.copy_of())

    @contextlib.contextmanager
    def copied(self, number: int) -> Iterator[Place]:
        folder = self._folder / f"loop-{number}"
        shutil.copytree(self._first.folder, folder)
        if self._cluster is None:
            yield Place(folder)
        else:
            name = self._cluster.copy_of(_named(self._first.database))
            yield Place(folder, self._cluster.url(name))
            self._cluster.drop(name)
        shutil.rmtree(folder)


def _named(url: str) -> str:
    name = make_url(url).database
    assert name is not None
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def beginning(request: pytest.FixtureRequest, memory: Path, monkeypatch: pytest.MonkeyPatch) -> Beginning:
    monkeypatch.setenv(VARIABLE, "")
    return Beginning(memory, None if request.param == "sqlite" else request.getfixturevalue("cluster"))


def test_killing_it_between_each_two_steps_tells_each_once(
    beginning: Beginning, memory: Path, report: Callable[[str], None]
) -> None:
    began = time.monotonic()

    with mail_server() as one, mail_server() as other, ThreadPoolExecutor(2) as pool:
        shares = [range(LOOPS)[::2], range(LOOPS)[1::2]]
        counted = sum(pool.map(partial(_killed, memory, beginning), (one, other), shares), Counter[str]())

    again = counted["taken"] - counted["mails"]
    report(
        f"{beginning.kind}: {LOOPS} loops in {time.monotonic() - began:.0f} s, {counted['kills']} kills:"
        f" each 1 ticket, {counted['mails']} mails, {again} of them taken twice"
    )
    assert again == LOOPS  # by the kill between a mail that was taken and the word that it was


def _killed(memory: Path, beginning: Beginning, sink: tuple[Sink, int], loops: range) -> Counter[str]:
    """In each loop once at each step; how many kills there were, and mails."""
    taking, port = sink
    counted: Counter[str] = Counter()
    log = memory / f"lives-{port}.log"
    with Nursery(log, port, beginning.database()) as nursery:
        for loop in loops:
            taking.taken.clear()
            with beginning.copied(loop) as place:
                ends = [
                    nursery.live(place, beginning.host, number, death)
                    for number, death in enumerate([*DEATHS, None], 1)
                ]
                assert ends == [-signal.SIGKILL] * len(DEATHS) + [0], log.read_text()[-4000:]
                _require_told_once(place, taking.taken)
            counted.update(kills=len(DEATHS), mails=len(taking.taken), taken=taking.taken.total())
    return counted


def _require_told_once(place: Place, taken: Counter[str]) -> None:
    where = address(place.folder / "data", {VARIABLE: place.database})
    with Storage(where) as storage:
        stands = storage.read(_standing)
    assert stands == Standing(tickets=1, opened=1, reopened=1, alerts=1, waiting=0, sent=2 * RECIPIENTS)
    assert len(taken) == 2 * RECIPIENTS
    assert max(taken.values()) <= 2
    assert not where.is_sqlite or said_by_sqlite(where.path) == "ok"


class Standing(NamedTuple):
    """How much there is in a database, and how often a ticket was."""

    tickets: int
    opened: int
    reopened: int
    alerts: int
    waiting: int
    """Of the alerts that nobody at the desk has seen yet."""
    sent: int


def _standing(session: Session) -> Standing:
    counts = {
        "tickets": select(func.count()).select_from(TICKETS),
        "opened": select(func.count()).where(EVENTS.c.kind == TicketEventKind.OPENED),
        "reopened": select(func.count()).where(EVENTS.c.kind == TicketEventKind.REOPENED),
        "alerts": select(func.count()).select_from(TRANSITIONS),
        "waiting": select(func.count()).where(TRANSITIONS.c.consumed_ms.is_(None)),
        "sent": select(func.count(NOTICES.c.message.distinct())).where(NOTICES.c.state == NoticeState.SENT),
    }
    return Standing(**{name: session.scalar(count) for name, count in counts.items()})


def test_killing_the_server_anywhere_between_alert_and_mail_tells_each_once(
    server: ServerProcess, sink: tuple[Sink, int], tmp_path: Path, report: Callable[[str], None]
) -> None:
    taking, chance = sink[0], random.Random(WHOLE_LOOPS)
    agents: list[PushingAgent] = []
    kills = 0

    def kill() -> None:
        server.process.kill()  # type: ignore[union-attr]  # it runs

    for loop in range(WHOLE_LOOPS):
        agents.append(PushingAgent(server, f"atlas-{loop}", tmp_path))
        if loop % 2:  # between the mail that was taken and the word that it was
            taking.kill = kill
        agents[-1].start()
        if loop % 2:
            until("the mail server has killed it", lambda: server.process.poll() is not None, seconds=60)
            server.kill()
        else:
            time.sleep(chance.uniform(0.1, 3.0))  # real time: the moment of the kill is what is tested
            server.kill()
        kills += 1
        start_again(server)
    database = server.data / "tocsin.db"
    until("every host has its ticket", lambda: len(titles_of_tickets(database)) >= WHOLE_LOOPS, seconds=60)
    until("all notices are sent", lambda: is_all_sent(server, WHOLE_LOOPS), seconds=200, every=0.5)
    for agent in agents:
        agent.end()
    assert server.stop() == 0

    tickets = titles_of_tickets(database)
    letters = {message for (message,) in rows(server, "SELECT DISTINCT message FROM notice")}
    opened = rows(
        server, "SELECT ticket_id, count(*) FROM ticket_event WHERE kind = 'opened' GROUP BY ticket_id"
    )
    again = sum(taking.taken.values()) - len(taking.taken)
    report(f"{kills} kills: {len(tickets)} tickets, {len(letters)} mails, {again} of them taken twice")
    assert len(tickets) == len(set(tickets)) == WHOLE_LOOPS
    assert {count for _, count in opened} == {1}
    assert len(taking.taken) == len(letters)
    assert max(taking.taken.values()) <= 2
    assert WHOLE_LOOPS // 2 <= again <= kills
    assert said_by_sqlite(database) == "ok"
