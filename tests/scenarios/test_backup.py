"""A backup made while agents push and people write is restored to what was there, and the work goes on."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from tests.faults.oracle import Key, PushingAgent, stored_frames
from tests.processes import AgentProcess, ServerProcess, until
from tests.server.backup.desk import lines_of

from tocsin_server.backup.contents import DATABASE, SECRETS, SIGNED, table_of
from tocsin_server.backup.files import opened
from tocsin_server.backup.reader import BackupReader
from tocsin_server.ingest.replay import replay
from tocsin_server.series.history.days import HISTORY
from tocsin_server.storage.address import Address, address, engine

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("scenarios")]

AGENTS = 4
SETTINGS = "interval_s = 1\n"
NEVER_CHANGED = ("client", "ticket_event", "audit")
"""Rows of these tables come and never change nor go."""
UNTOLD = """
    SELECT ticket.id FROM ticket LEFT JOIN ticket_event ON ticket_id = ticket.id
    GROUP BY ticket.id, version HAVING count(ticket_event.id) != version
"""
"""Tickets that are not told of by as many events as they have versions: of two moments at once."""


class House:
    """A server, and the one restored from its backup: at the same address, on the same kind of database."""

    def __init__(self, folder: Path, urls: tuple[str, str]) -> None:
        self.server = ServerProcess(folder / "server", toml=SETTINGS, database=urls[0])
        self.again = ServerProcess(folder / "again", database=urls[1])
        self.again.port, self.again.url = self.server.port, self.server.url
        self.desk, self.copy = (
            address(process.data, {"TOCSIN_DATABASE": url})
            for process, url in zip((self.server, self.again), urls, strict=True)
        )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    urls = ("", "")
    if request.param == "postgresql":
        cluster = request.getfixturevalue("cluster")
        urls = (cluster.url(cluster.copy_of()), cluster.url(cluster.copy_of()))
    made = House(tmp_path, urls)
    with made.server, made.again:
        yield made


class Technician(threading.Thread):
    """Opens tickets and comments on them, for as long as she is let."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__(daemon=True)
        self._http = http
        self._ending = threading.Event()
        self.words: list[str] = []
        """What she was told is written."""

    def run(self) -> None:
        for number in itertools.count():
            if self._ending.is_set():
                return
            asked = {"client": "home", "title": f"printer {number}", "priority": 3, "text": "it jams"}
            opened = self._http.post("/tickets", json=asked)
            assert opened.status_code == 201, opened.text
            word = f"word {number}"
            ticket = opened.json()["ticket"]["id"]
            said = self._http.post(f"/tickets/{ticket}/comment", json={"text": word})
            assert said.status_code == 200, said.text
            self.words.append(word)

    def end(self) -> None:
        self._ending.set()
        self.join()


class Load:
    """Agents that push, one of them real, and a technician who writes."""

    def __init__(self, house: House, folder: Path, running: ExitStack) -> None:
        prepared = house.server.prepare()
        house.server.start()
        self.session = prepared["session"]
        self.real = running.enter_context(AgentProcess(folder / "agent"))
        self.real.enrol(prepared["invitation"], name="real").start()
        self.agents = [PushingAgent(house.server, f"atlas-{number}", folder) for number in range(AGENTS)]
        self.technician = Technician(running.enter_context(house.server.api(self.session)))
        for thread in (*self.agents, self.technician):
            thread.start()
        until("every host has its ticket", lambda: len(of_hosts(house.desk)) >= AGENTS)
        until("people have written", lambda: len(self.technician.words) > 20)

    def acked(self) -> set[Key]:
        """What the agents have been told is stored."""
        return set().union(*[agent.oracle.acked.copy() for agent in self.agents])

    def go_on_with(self, server: ServerProcess) -> None:
        """Push some more, to a server at the same address, and be heard."""
        for agent in self.agents:
            before = len(agent.oracle.acked)
            until("the agent pushes again", lambda a=agent, n=before: len(a.oracle.acked) > n + 5)
            agent.end()
        with server.api(self.session) as api:
            last = last_seen(api, "real")
            until("the real agent is heard", lambda: last_seen(api, "real") > last)
        self.real.kill()


def answers(where: Address, question: str) -> list[tuple[object, ...]]:
    reader = engine(where, read_only=True)
    try:
        with reader.connect() as connection:
            return [tuple(map(str, row)) for row in connection.execute(text(question))]
    finally:
        reader.dispose()


def rows(where: Address, table: str) -> set[tuple[object, ...]]:
    return set(answers(where, f"SELECT * FROM {table}"))  # noqa: S608 - a table of ours


def of_hosts(where: Address) -> list[tuple[object, ...]]:
    """Host and title of every ticket that a host has."""
    return answers(where, "SELECT host_id, title FROM ticket WHERE host_id IS NOT NULL")


def written(where: Address) -> set[object]:
    """What technicians have said."""
    return {word for (word,) in answers(where, "SELECT text FROM ticket_event WHERE text LIKE 'word %'")}


def last_seen(api: httpx.Client, name: str) -> str:
    return next(str(host["last_seen"]) for host in api.get("/hosts").json()["hosts"] if host["name"] == name)


def saved_lines(path: Path) -> dict[str, bytes]:
    """The rows that a backup holds, by table."""
    with opened(path) as file:
        reader = BackupReader(file, path, lambda _said, _bytes: None)
        manifest = reader.verify()
        lines = dict.fromkeys((table.name for table in manifest.tables), b"")
        for member in reader.members(manifest):
            if member.name.startswith(DATABASE):
                lines[table_of(member.name)] += member.whole()
    return lines


@pytest.mark.faults
def test_a_backup_under_load_restores_to_what_was_there_and_agents_go_on(house: House, tmp_path: Path) -> None:
    path, server, again = tmp_path / "a.backup", house.server, house.again
    with ExitStack() as running:
        load = Load(house, tmp_path, running)
        acked, words = load.acked(), set(load.technician.words)
        before = {table: rows(house.desk, table) for table in NEVER_CHANGED}

        said = server.command("backup", str(path)).stdout

        after = {table: rows(house.desk, table) for table in NEVER_CHANGED}
        load.technician.end()
        assert server.stop() == 0
        assert again.command("restore", str(path)).stdout.startswith("restored: ")
        # All rows of one moment, which lies between both looks at the running server.
        lines = lines_of(house.copy)
        assert f"{sum(len(table.splitlines()) for table in lines.values())} rows in" in said
        assert lines == saved_lines(path)
        assert all(before[table] <= rows(house.copy, table) <= after[table] for table in NEVER_CHANGED)
        assert words <= written(house.copy)
        assert answers(house.copy, UNTOLD) == []
        assert again.command("audit", "verify").stdout.startswith("whole: ")
        assert all((again.data / name).read_bytes() == (server.data / name).read_bytes() for name in SECRETS)
        # Every frame that had been acked, none twice, none of a host that the database does not know.
        replayed, stored = replay(again.data / "journal"), stored_frames(again.data / "journal")
        assert len(acked) > AGENTS
        assert acked <= set(stored)
        assert len(stored) == len(set(stored))
        assert (replayed.damaged, replayed.repeated) == (0, 0)
        assert {str(host) for host in replayed.last_heard_ms} <= {
            host for (host, *_) in rows(house.copy, "host")
        }

        # Agents that nobody has told anything, and the session of a technician, go on where they were.
        (again.data / "server.toml").write_text(SETTINGS)
        earlier = load.acked()
        load.go_on_with(again.start())
        assert again.stop() == 0
    assert load.acked() - earlier <= set(stored_frames(again.data / "journal"))
    assert len(of_hosts(house.copy)) == len(set(of_hosts(house.copy)))


def test_what_a_server_keeps_in_its_folder_is_saved_or_known_not_to_be_needed(tmp_path: Path) -> None:
    """Whoever adds a file to the data folder decides here whether a restored server needs it."""
    with ServerProcess(tmp_path / "server", toml=SETTINGS) as server:
        server.prepare()
        server.start()
        assert server.stop() == 0

    there = {path.name for path in server.data.iterdir()}

    not_needed = {"lock", "operator.json", "server.log", "server.toml"}
    assert there == {"tocsin.db", "journal", HISTORY, SIGNED, *SECRETS} | not_needed
