"""What was sent and what was acked, written down before and after, and what the server's files say of it."""

import contextlib
import random
import sqlite3
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
from bench.fleet import PushFrame, SimulatedAgent, pack_schema
from tests.processes import ServerProcess, until

from tocsin_agent.segment import Segment
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.ingest.records import Kind, Record, scan, unpack_marks

_DISK = {"device": "/dev/sda1", "mountpoint": "/", "fstype": "ext4", "device_error": ""}
SCHEMA = pack_schema(
    [
        ("node_filesystem_avail_bytes", SeriesKind.GAUGE, _DISK),
        ("node_filesystem_size_bytes", SeriesKind.GAUGE, _DISK),
        ("node_filesystem_readonly", SeriesKind.GAUGE, _DISK),
    ]
)
FULL = (1e9, 100e9, 0.0)
"""A breach of `FilesystemFull`, so that every host has a ticket that could be opened twice."""

Key = tuple[str, int, int]


class Oracle:
    """One agent's word: a line in a file before each push and after each ack."""

    def __init__(self, path: Path) -> None:
        self.sent: set[Key] = set()
        self.acked: set[Key] = set()
        self.acked_s: dict[Key, float] = {}
        """When each was first acked, in seconds of this machine's clock."""
        self._file = path.open("a", buffering=1)

    def sends(self, keys: list[Key]) -> None:
        self._file.writelines(f"sent {agent} {epoch} {seq}\n" for agent, epoch, seq in keys)
        self.sent.update(keys)

    def was_acked(self, keys: list[Key]) -> None:
        self._file.writelines(f"acked {agent} {epoch} {seq}\n" for agent, epoch, seq in keys)
        self.acked.update(keys)
        for key in keys:
            self.acked_s.setdefault(key, time.time())

    def close(self) -> None:
        self._file.close()


class PushingAgent(threading.Thread):
    """Pushes for as long as it is let: what is new, its backlog newest first, now and then a repetition."""

    def __init__(self, server: ServerProcess, name: str, folder: Path, invitation: str = "") -> None:
        super().__init__(daemon=True)
        self._http = httpx.Client(base_url=server.url, trust_env=False, timeout=5)
        self.agent = SimulatedAgent(self._http, name)
        until("the agent is enrolled", partial(self._is_enrolled, invitation or server.invite()))
        self._backlog: list[PushFrame] = []
        self._chance = random.Random(name)
        self._ending = threading.Event()
        self.oracle = Oracle(folder / f"{name}.oracle")
        self.refusals: Counter[int] = Counter()

    def _is_enrolled(self, invitation: str) -> bool:
        """Where a disk has refused it, an agent asks again."""
        try:
            self.agent.enrol(invitation)
        except httpx.HTTPStatusError as refused:
            if refused.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            return False
        return True

    def run(self) -> None:
        while not self._ending.is_set():
            for _ in range(self._chance.randint(1, 3)):
                self._backlog.append(self.agent.frame(SCHEMA, FULL))
            self._push_once()
            self._ending.wait(0.01)

    def end(self) -> None:
        """Stop making frames, deliver what is left, and let go."""
        self._ending.set()
        self.join()
        for _ in range(100):
            if not self._backlog:
                break
            self._push_once()
        assert not self._backlog, f"{len(self._backlog)} frames of {self.name} were not delivered"
        self.oracle.close()
        self._http.close()

    def _push_once(self) -> None:
        batch = self._backlog[-20:]
        keys = [(self.agent.agent, self.agent.epoch, frame.seq) for frame in batch]
        self.oracle.sends(keys)
        try:
            status = self.agent.push(batch)
        except httpx.HTTPError:
            self._ending.wait(0.05)
            return
        if status == 200:
            self.oracle.was_acked(keys)
            # One in ten is sent again, as after an answer that was lost.
            if self._chance.random() > 0.1:
                del self._backlog[-len(batch) :]
        else:
            self.refusals[status] += 1


def stored_frames(journal: Path) -> list[Key]:
    """Every frame that stands in the journal's files, as often as it stands there."""
    keys: list[Key] = []
    for path in sorted(journal.glob("*.seg")):
        for piece in scan(path.read_bytes()):
            if isinstance(piece, Record) and piece.kind == Kind.PUSH:
                agent, _, marks = unpack_marks(piece.content)
                keys += [(agent, mark.epoch, mark.seq) for mark in marks]
    return keys


def spooled(state: Path) -> set[tuple[int, int]]:
    """Epoch and number of what lies in an agent's spool."""
    keys = set()
    for path in sorted((state / "spool").glob("*.frames")):
        segment = Segment(str(path))
        with contextlib.suppress(FileNotFoundError):  # delivered as we looked
            segment.load()
            keys |= {place.key for place in segment.newest_first()}
        segment.close()
    return keys


def said_by_sqlite(database: Path) -> str:
    """SQLite's own check of its file."""
    with sqlite3.connect(database) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return str(said)


def titles_of_tickets(database: Path) -> list[tuple[int, str]]:
    """Host and title of every ticket there ever was."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT host_id, title FROM ticket").fetchall()
    connection.close()
    return [(host_id, title) for host_id, title in rows]
