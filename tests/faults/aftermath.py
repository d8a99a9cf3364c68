"""What a folder still holds after the power has gone, read by the programs' own code as a start reads it."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session
from tests.faults.disk import Cut, Event, Make, Remove, Sync, Write
from tests.faults.life import Told
from tests.faults.oracle import Key, said_by_sqlite, stored_frames

from tocsin_agent.frames import FrameKey
from tocsin_agent.segment import _FRAME, _FRAME_HEAD, _place, scan
from tocsin_agent.spool import Spool
from tocsin_server.access.auditlog import entries, kept_checkpoints
from tocsin_server.access.checkpoints import FILE as CHECKPOINTS
from tocsin_server.access.checkpoints import is_signed, read
from tocsin_server.access.verification import verdict
from tocsin_server.datafolder import make_database
from tocsin_server.desk.attested import first_altered
from tocsin_server.estate.identity import open_identity
from tocsin_server.ingest.replay import replay
from tocsin_server.storage.address import FILE
from tocsin_server.storage.engine import Storage


@dataclass(frozen=True)
class Kept:
    """What is in a server's data folder, each thing as often as it is there."""

    frames: Counter[Key]
    repeated: int
    damaged: int
    tickets: Counter[tuple[int, str]]
    ticket_ids: set[int]
    comments: Counter[str]
    agents: set[str]
    said: str
    """SQLite's own check."""
    audit: list[str]
    """What is wrong with the audit log: in itself, and beside what it is to tell of."""


def kept_by_server(data: Path) -> Kept:
    """Migrate, replay, open for writing and look, as a start does."""
    make_database(data)
    replayed = replay(data / "journal")
    database = data / FILE
    with Storage(database) as storage:
        storage.write(lambda session: session.connection())
        audit = storage.read(lambda session: list(_ills_of_the_log(session, data)))
    tickets = _rows(database, "SELECT id, host_id, title FROM ticket")
    return Kept(
        frames=Counter(stored_frames(data / "journal")),
        repeated=replayed.repeated,
        damaged=replayed.damaged,
        tickets=Counter((host, title) for _, host, title in tickets),
        ticket_ids={number for number, _, _ in tickets},
        comments=Counter(
            said for (said,) in _rows(database, "SELECT text FROM ticket_event WHERE kind = 'commented'")
        ),
        agents={agent for (agent,) in _rows(database, "SELECT id FROM agent")},
        said=said_by_sqlite(database),
        audit=audit,
    )


def _ills_of_the_log(session: Session, data: Path) -> Iterator[str]:
    """An act and its entry are there together or not at all, and what was signed is there."""
    log = list(entries(session))
    signed = {*kept_checkpoints(session), *read(data / CHECKPOINTS, missing_ok=True)}
    found = verdict(
        log, signed, lambda each: is_signed(each, bytes.fromhex(open_identity(data).public_key_hex))
    )
    fault = found.fault or first_altered(session, log)
    if fault is not None:
        yield fault.said
    told = Counter(entry.act for entry in log)
    for act, there in (
        ("agent.enrolled", "SELECT count(*) FROM agent"),
        ("ticket.commented", "SELECT count(*) FROM ticket_event WHERE kind = 'commented'"),
    ):
        if told[act] != session.execute(text(there)).scalar_one():
            yield f"{act} is recorded {told[act]} times"


def lost_by_server(kept: Kept, told: Told, until_s: float) -> list[str]:
    """What somebody had been told by then and is not there."""
    return [
        *_missing("frame", told.frames, kept.frames, until_s),
        *_missing("ticket", told.tickets, kept.ticket_ids, until_s),
        *_missing("comment", told.comments, kept.comments, until_s),
        *_missing("agent", told.agents, kept.agents, until_s),
    ]


def doubled_by_server(kept: Kept) -> list[str]:
    """What is there more than once."""
    counts: Iterable[Counter[Key] | Counter[tuple[int, str]] | Counter[str]]
    counts = (kept.frames, kept.tickets, kept.comments)
    return [f"{what} is there {count} times" for each in counts for what, count in each.items() if count > 1]


def _missing(
    kind: str, told: dict[Key, float] | dict[int, float] | dict[str, float], there: object, until_s: float
) -> Iterator[str]:
    for what, at_s in told.items():
        if at_s < until_s and what not in there:  # type: ignore[operator]
            yield f"{kind} {what}"


def _rows(database: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


@dataclass(frozen=True)
class Spooled:
    """What an agent's spool has on a start."""

    frames: Counter[FrameKey]
    altered: int
    """Frames that are not what was written."""
    damages: int
    has_unreadable: bool
    """Whether bytes lie in its files that belong to no record."""


def kept_by_agent(state: Path, written: dict[FrameKey, bytes]) -> Spooled:
    """Open the spool and take all that it would deliver."""
    has_unreadable = any(map(_has_unreadable, (state / "spool").glob("*.frames")))
    spool = Spool(str(state / "spool"), epoch=time.time_ns())
    damages = spool.counts().damages
    frames = spool.batch(most_frames=1 << 30, most_bytes=1 << 60, now_ms=time.time_ns() // 1_000_000)
    spool.close()
    return Spooled(
        Counter((frame.epoch, frame.seq) for frame in frames),
        sum(written.get((frame.epoch, frame.seq)) != frame.packed for frame in frames),
        damages,
        has_unreadable,
    )


def _has_unreadable(path: Path) -> bool:
    content = path.read_bytes()
    return sum(record.end - record.offset for record in scan(content) if record is not None) < len(content)


@dataclass
class _Frame:
    path: str
    end: int
    number: int
    is_synced: bool = False


class Promised:
    """Which frames a spool may not lose any more: told by what the agent has asked of the disk.

    A frame is promised once its file and its folder have been synced after it was written, and once a later run
    has written a frame of its own: that run has taken on what was there. What the agent has cut off or removed
    it was told to be stored.
    """

    def __init__(self) -> None:
        self.written: dict[FrameKey, bytes] = {}
        self._frames: dict[FrameKey, _Frame] = {}
        self._unnamed: dict[str, int] = {}
        self._runs: set[int] = set()
        self._count = 0

    def apply(self, event: Event) -> None:
        match event:
            case Make(path) if path.endswith(".frames"):
                self._unnamed[path] = self._count
            case Write(path) if path.endswith(".frames"):
                self._write(event)
            case Cut(path, size):
                self._drop(path, size)
            case Remove(path):
                self._drop(path, 0)
            case Sync(path, covered):
                self._sync(path, covered)
            case _:
                pass
        self._count += 1

    def keys(self) -> set[FrameKey]:
        """All that have to be there."""
        return {
            key for key, frame in self._frames.items() if frame.is_synced and frame.path not in self._unnamed
        }

    def _write(self, event: Write) -> None:
        for record in scan(event.content):
            if record is not None and record.kind == _FRAME:
                key = _place(record).key
                self._take_on(key[0])
                self.written[key] = record.payload[_FRAME_HEAD.size :]
                self._frames[key] = _Frame(event.path, event.offset + record.end, self._count)

    def _take_on(self, epoch: int) -> None:
        if epoch not in self._runs:
            self._runs.add(epoch)
            for frame in self._frames.values():
                frame.is_synced = True
                self._unnamed.pop(frame.path, None)

    def _drop(self, path: str, size: int) -> None:
        gone = [key for key, frame in self._frames.items() if frame.path == path and frame.end > size]
        for key in gone:
            del self._frames[key]

    def _sync(self, path: str, covered: int) -> None:
        if path == "spool":
            self._unnamed = {of: number for of, number in self._unnamed.items() if number >= covered}
        for frame in self._frames.values():
            if frame.path == path and frame.number < covered:
                frame.is_synced = True
