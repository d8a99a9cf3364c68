"""What a start learns from the journal: which frames are stored, where they are, and who was heard when.

Nothing is inflated but the sets of received frames at each segment's head: a push's marks stand in clear.
Damage costs what it covers and no more; it is logged with its file and place.
"""

import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tocsin_server.ingest.index import Index, place, segment_and_offset
from tocsin_server.ingest.late import NEVER, Late
from tocsin_server.ingest.notes import HOURS_WRITTEN, LATE_JUDGED, read_note
from tocsin_server.ingest.owed import Owed
from tocsin_server.ingest.received import Received
from tocsin_server.ingest.records import (
    Damage,
    Kind,
    Mark,
    Record,
    scan,
    unpack_marks,
    unpack_schema_id,
)
from tocsin_server.ingest.segment import number_of, segment_paths

_log = structlog.get_logger()


@dataclass(slots=True)
class SegmentFacts:
    """What is known of one segment."""

    size: int = 0
    newest_ms: int = 0
    """When its newest push was received."""


@dataclass(slots=True)
class Replay:
    """The journal as a start finds it."""

    received: Received = field(default_factory=Received)
    index: Index = field(default_factory=Index)
    segments: dict[int, SegmentFacts] = field(default_factory=dict)
    late: Late = field(default_factory=Late)
    owed: Owed = field(default_factory=Owed)
    last_heard_ms: dict[int, int] = field(default_factory=dict)
    """Host → when its last push was received."""
    frames: int = 0
    repeated: int = 0
    """Frames that stand in the files more than once: written, refused after a failed sync, and sent again."""
    damaged: int = 0
    """Places in the files that hold no whole record, the torn end aside."""
    torn_bytes: int = 0
    """What was cut off the end of the last segment."""


def replay(folder: Path) -> Replay:
    """Read all segments, oldest first; cuts the torn end of the last."""
    paths = segment_paths(folder)
    found = Replay(late=Late(read_note(folder, LATE_JUDGED, NEVER)), owed=Owed(_paid(folder, paths)))
    for path in paths:
        _read(path, found, is_last=path == paths[-1])
    return found


def _paid(folder: Path, paths: list[Path]) -> int:
    """Before which place all is in history; the note of a journal that is gone says nothing of this one."""
    paid = read_note(folder, HOURS_WRITTEN, 0)
    number, _ = segment_and_offset(paid)
    return paid if paths and number <= number_of(paths[-1]) else 0


def _read(path: Path, found: Replay, *, is_last: bool) -> None:
    segment = path.read_bytes()
    number = number_of(path)
    facts = found.segments[number] = SegmentFacts(size=len(segment))
    for piece in scan(segment):
        if isinstance(piece, Record):
            _take(piece, number, facts, found)
        elif is_last and piece.end == len(segment):
            found.torn_bytes += _cut(path, piece)
            facts.size = piece.offset
        else:
            found.damaged += 1
            _log.warning(
                "a damaged place in the journal is passed over",
                action="journal_damaged",
                segment=path.name,
                offset=piece.offset,
                bytes=piece.end - piece.offset,
            )


def _take(record: Record, number: int, facts: SegmentFacts, found: Replay) -> None:
    where = place(number, record.offset)
    if record.kind == Kind.PUSH:
        agent, received_ms, marks = unpack_marks(record.content)
        facts.newest_ms = max(facts.newest_ms, received_ms)
        fresh = _fresh(found, agent, received_ms, marks)
        found.index.add(where, fresh)
        found.owed.took(where, fresh, received_ms)
    elif record.kind == Kind.SCHEMA:
        found.index.add_schema(unpack_schema_id(record.content), where)
    elif record.kind == Kind.RECEIVED:
        found.received.merge(zlib.decompress(record.content))


def _fresh(found: Replay, agent: str, received_ms: int, marks: list[Mark]) -> list[Mark]:
    """The frames of a push that no earlier record holds, now received."""
    fresh = [mark for mark in marks if not found.received.holds(agent, mark.epoch, mark.seq)]
    for mark in fresh:
        found.received.add(agent, mark.epoch, mark.seq, at_ms=received_ms)
    for mark in marks:
        found.last_heard_ms[mark.host_id] = max(found.last_heard_ms.get(mark.host_id, 0), received_ms)
    found.late.took(fresh, received_ms)
    found.frames += len(fresh)
    found.repeated += len(marks) - len(fresh)
    return fresh


def _cut(path: Path, torn: Damage) -> int:
    """Take the torn end off, where the disk lets us; nothing is ever written behind it in any case."""
    try:
        os.truncate(path, torn.offset)
    except OSError as error:
        _log.warning(
            f"the torn end of {path.name} could not be cut ({error.strerror})", action="journal_not_cut"
        )
    return torn.end - torn.offset
