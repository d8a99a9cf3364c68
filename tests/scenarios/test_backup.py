"""A backup made while agents push and people write is restored to what was there, and the work goes on."""

import itertools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.faults.oracle import Key, PushingAgent, said_by_sqlite, stored_frames, titles_of_tickets
from tests.processes import AgentProcess, ServerProcess, until
from tests.server.backup.desk import lines_of

from tocsin_server.backup.contents import DATABASE, SECRETS, table_of
from tocsin_server.backup.files import opened
from tocsin_server.backup.reader import BackupReader
from tocsin_server.ingest.replay import replay
from tocsin_server.storage.address import Address

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("scenarios")]

AGENTS = 4
SETTINGS = "interval_s = 1\n"
NEVER_CHANGED = ("client", "ticket_event")
"""Rows of these tables come and never change nor go."""


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "server", toml=SETTINGS) as made:
        yield made


def rows(database: Path, table: str) -> set[tuple[object, ...]]:
    with sqlite3.connect(database) as connection:
        held = set(connection.execute(f"SELECT * FROM {table}"))  # noqa: S608 - our own tables
    connection.close()
    return held


def written(database: Path) -> set[str]:
    return {
        str(row) for table in rows(database, "ticket_event") for row in table if str(row).startswith("word ")
    }


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


def restored_from(path: Path, data: Path) -> str:
    command = [sys.executable, "-m", "tocsin_server", "restore", str(path), "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def astray(database: Path) -> list[object]:
    """Tickets that are not told of by as many events as they have versions, and keys that point nowhere."""
    with sqlite3.connect(database) as connection:
        untold = connection.execute(
            "SELECT ticket.id FROM ticket LEFT JOIN ticket_event ON ticket_id = ticket.id"
            " GROUP BY ticket.id HAVING count(ticket_event.id) != version"
        ).fetchall()
        keys = connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    return untold + keys


class Load:
    """A server at work, on a folder that can be taken for another."""

    def __init__(self, server: ServerProcess, folder: Path, running: ExitStack) -> None:
        prepared = server.prepare()
        server.start()
        self.session = prepared["session"]
        self.real = running.enter_context(AgentProcess(folder / "agent"))
        self.real.enrol(prepared["invitation"], name="real").start()
        self.agents = [PushingAgent(server, f"atlas-{number}", folder) for number in range(AGENTS)]
        self.technician = Technician(running.enter_context(server.api(self.session)))
        for thread in (*self.agents, self.technician):
            thread.start()
        database = server.data / "tocsin.db"
        until("every host has its ticket", lambda: len(titles_of_tickets(database)) >= AGENTS)
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


def last_seen(api: httpx.Client, name: str) -> str:
    return next(str(host["last_seen"]) for host in api.get("/hosts").json()["hosts"] if host["name"] == name)


def test_a_backup_under_load_restores_to_what_was_there_and_agents_go_on(
    server: ServerProcess, tmp_path: Path
) -> None:
    path, again = tmp_path / "a.backup", ServerProcess(tmp_path / "again")
    again.port, again.url = server.port, server.url
    database, copy = server.data / "tocsin.db", again.data / "tocsin.db"
    with ExitStack() as running:
        load = Load(server, tmp_path, running)
        acked, words = load.acked(), set(load.technician.words)
        before = {table: rows(database, table) for table in NEVER_CHANGED}

        said = server.command("backup", str(path)).stdout

        after = {table: rows(database, table) for table in NEVER_CHANGED}
        load.technician.end()
        assert server.stop() == 0
        assert "restored: " in restored_from(path, again.data)
        (again.data / "server.toml").write_text(SETTINGS)
        # All rows of one moment, which lies between both looks at the running server.
        lines = lines_of(Address.of_file(copy))
        assert f"{sum(len(table.splitlines()) for table in lines.values())} rows in" in said
        assert lines == saved_lines(path)
        assert all(before[table] <= rows(copy, table) <= after[table] for table in NEVER_CHANGED)
        assert words <= written(copy)
        assert (astray(copy), said_by_sqlite(copy)) == ([], "ok")
        assert all((again.data / name).read_bytes() == (server.data / name).read_bytes() for name in SECRETS)
        # Every frame that had been acked, none twice, none of a host that the database does not know.
        replayed, stored = replay(again.data / "journal"), stored_frames(again.data / "journal")
        assert len(acked) > AGENTS
        assert acked <= set(stored)
        assert len(stored) == len(set(stored))
        assert (replayed.damaged, replayed.repeated) == (0, 0)
        assert replayed.last_heard_ms.keys() <= {host for (host, *_) in rows(copy, "host")}

        # Agents that nobody has told anything, and the session of a technician, go on where they were.
        earlier = load.acked()
        load.go_on_with(running.enter_context(again).start())
        assert again.stop() == 0
    assert load.acked() - earlier <= set(stored_frames(again.data / "journal"))
    of_hosts = [ticket for ticket in titles_of_tickets(copy) if ticket[0] is not None]
    assert len(of_hosts) == len(set(of_hosts))


def test_what_a_server_keeps_in_its_folder_is_saved_or_known_not_to_be_needed(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Whoever adds a file to the data folder decides here whether a restored server needs it."""
    server.prepare()
    server.start()
    assert server.stop() == 0

    there = {path.name for path in server.data.iterdir()}

    not_needed = {"lock", "server.log", "server.toml"}
    assert there == {"tocsin.db", "journal", *SECRETS} | not_needed
