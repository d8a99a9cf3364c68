"""Every stored push, in segment files: what `append` has answered survives a power cut.

One thread, `tocsin-journal`, owns the open segment and the set of received frames. It takes what waits, drops
the frames that are stored already, writes the rest in one piece, syncs once, and answers all of them: a
*group commit*. While it syncs the next group gathers, so a busy disk makes groups larger and queues no
longer. That one thread decides what is new is what stores a frame exactly once: of two pushes of a frame that
race, the second sees the first, shares its group's fate, and is never answered before it is durable.

    start    replays what is there (`replay.py`), and opens a new segment with the first push: nothing is
             written behind an end that may be torn
    failure  any error of write or fdatasync fails the group with 503; the agents keep their frames, and the
             next group tries again by itself. Should a frame of a failed push turn up in a later replay, it
             counts as received, which is true, and its repetition is acked without effect
    sweep    deletes segments whose newest push is old enough; each segment begins with the set of received
             frames, so an older one is not needed to tell a repeated frame
"""

import asyncio
import contextlib
import errno
import fcntl
import queue
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import structlog

from tocsin_server.clock import Clock
from tocsin_server.errors import Misconfigured, Overloaded, TocsinError, Unavailable, Unprocessable
from tocsin_server.health import Health
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.index import place
from tocsin_server.ingest.reader import Reader
from tocsin_server.ingest.records import Kind, Mark, pack_push, pack_record, pack_schema
from tocsin_server.ingest.replay import SegmentFacts, replay
from tocsin_server.ingest.segment import Disk, SegmentFile, segment_path

_log = structlog.get_logger()

SEGMENT_BYTES = 64 << 20
SEGMENT_MS = 3_600_000
MAX_GROUP_BYTES = 8 << 20
MAX_WAITING = 8192
MAX_WAITING_BYTES = 64 << 20
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified push: its frames' marks, its body as it came, and the schemas (deflated) that they use."""

    agent: str
    received_ms: int
    marks: Sequence[Mark]
    schemas: Mapping[int, bytes]
    body: bytes


@dataclass(slots=True)
class _Waiting:
    """A push on its way to the disk."""

    arrival: Arrival
    stored: "asyncio.Future[frozenset[int]]"
    fresh: list[Mark] = field(default_factory=list)
    refusal: TocsinError | None = None


class _Group:
    """The bytes of one write, and what will be known once they are durable; offsets within the write."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.schemas: list[tuple[int, int]] = []
        self.pushes: list[tuple[int, _Waiting]] = []

    def add(self, record: bytes) -> int:
        offset = self.size
        self.pieces.append(record)
        self.size += len(record)
        return offset


class Journal:
    """The journal of one folder. Close it, or use it as a context."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        health: Health,
        keep_hours: int = 6,
        segment_bytes: int = SEGMENT_BYTES,
        disk: Disk | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = _locked(folder)
        self._folder = folder
        self._clock = clock
        self._health = health
        self._keep_ms = keep_hours * HOUR_MS
        self._segment_bytes = segment_bytes
        self._disk = disk or Disk()
        self.replayed = replay(folder)
        self._received = self.replayed.received
        self._index = self.replayed.index
        self._reader = Reader(folder, self._index)
        self._segments = self.replayed.segments
        self._next_number = max(self._segments, default=0) + 1
        self._segments_lock = threading.Lock()
        self._open: SegmentFile | None = None
        self._opened_ms = 0
        self._told: set[int] = set()
        self._is_failing = False
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting = 0
        self._waiting_bytes = 0
        self._tell_size()
        self._thread = threading.Thread(target=self._commit_for_ever, name="tocsin-journal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what waits and let go of the folder."""
        self._queue.put(None)
        self._thread.join()
        if self._open is not None:
            self._open.close()
            self._open = None
        self._lock_file.close()

    @property
    def last_heard_ms(self) -> Mapping[int, int]:
        """Host → when it pushed last, as of the start."""
        return self.replayed.last_heard_ms

    @property
    def is_failing(self) -> bool:
        """Whether the last write failed."""
        return self._is_failing

    def is_full(self) -> bool:
        """Whether so much waits for the disk that no further push should be taken now."""
        return self._waiting >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES

    def append(self, arrival: Arrival) -> "asyncio.Future[frozenset[int]]":
        """Store a push; done once it is durable, with the places of the frames that were new.

        Call it in an event loop. Raises `Overloaded` where too much waits; the future raises `Unavailable`
        where the disk fails.
        """
        if self.is_full():
            raise Overloaded(f"{self._waiting} pushes are waiting for the disk", retry_after_s=2)
        stored: asyncio.Future[frozenset[int]] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._waiting_bytes += len(arrival.body)
        self._queue.put(_Waiting(arrival, stored))
        return stored

    def frames_of(self, host_id: int, start_ms: int, end_ms: int) -> list[HostFrame]:
        """The stored frames of a host with an instant in this time, in order; from any thread."""
        places = self._index.places_of(host_id, start_ms, end_ms)
        frames = [
            frame
            for frame in self._reader.frames(places, host_id=host_id)
            if min(frame.times_ms) <= end_ms and max(frame.times_ms) >= start_ms
        ]
        return sorted(frames, key=lambda frame: frame.times_ms[0])

    def frames_since(self, start_ms: int) -> Iterator[HostFrame]:
        """Every stored frame this new, in the order of time: what the head needs after a start."""
        return self._reader.frames(self._index.places_since(start_ms))

    def sweep(self, now_ms: int) -> int:
        """Delete the segments that are old enough; how many. The newest always stays."""
        with self._segments_lock:
            numbers = sorted(self._segments)
            swept = 0
            for number in numbers[:-1]:
                if self._segments[number].newest_ms >= now_ms - self._keep_ms:
                    break
                segment_path(self._folder, number).unlink(missing_ok=True)
                del self._segments[number]
                swept += 1
        if swept:
            self._index.forget_before(numbers[swept])
            self._tell_size()
        return swept

    def _commit_for_ever(self) -> None:
        while True:
            group, ended = self._next_group()
            if group:
                self._settle(group)
            if ended:
                return

    def _next_group(self) -> tuple[list[_Waiting], bool]:
        """All that waits, up to a size."""
        group: list[_Waiting] = []
        size = 0
        waiting = self._queue.get()
        while waiting is not None:
            group.append(waiting)
            size += len(waiting.arrival.body)
            if size >= MAX_GROUP_BYTES:
                return group, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _settle(self, group: list[_Waiting]) -> None:
        try:
            if self._sort_out(group):
                with self._health.journal_commit.time():
                    self._commit(group)
                self._went_well()
        except OSError as error:
            self._went_wrong(group, _explain(error))
        except Exception:  # noqa: BLE001 - the outermost loop of this thread: it outlives a mistake, its group does not
            _log.exception("a group of pushes could not be stored", action="journal_failed")
            self._went_wrong(group, Unavailable("the journal has failed; its log says why"))
        self._answer(group)

    def _sort_out(self, group: list[_Waiting]) -> bool:
        """Find each push's new frames; whether there is any in the group."""
        claimed: set[tuple[str, int, int]] = set()
        for waiting in group:
            agent = waiting.arrival.agent
            fresh = {
                key: mark
                for mark in waiting.arrival.marks
                if (key := (agent, mark.epoch, mark.seq)) not in claimed and not self._received.holds(*key)
            }
            crowded = {epoch for _, epoch, _ in fresh if not self._received.has_room(agent, epoch)}
            if crowded:
                waiting.refusal = Unprocessable(f"run {min(crowded)} of {agent} has too many gaps")
                continue
            # Of a frame that stands twice in one push, the last copy is taken: they should be the same.
            waiting.fresh = list(fresh.values())
            claimed.update(fresh)
        return bool(claimed)

    def _commit(self, waiting: list[_Waiting]) -> None:
        segment = self._segment()
        group = self._pack(segment, waiting)
        try:
            begin = segment.append(b"".join(group.pieces))
        except OSError:
            if segment.is_spoilt:
                segment.close()
                self._open = None
            raise
        self._took(segment, begin, group)

    def _pack(self, segment: SegmentFile, waiting: list[_Waiting]) -> _Group:
        group = _Group()
        told = set(self._told)
        for push in waiting:
            if not push.fresh:
                continue
            arrival = push.arrival
            for schema_id in {mark.schema_id for mark in push.fresh} - told:
                content = pack_schema(schema_id, arrival.schemas[schema_id])
                group.schemas.append((schema_id, group.add(pack_record(segment.marker, Kind.SCHEMA, content))))
                told.add(schema_id)
            content = pack_push(arrival.agent, arrival.received_ms, push.fresh, arrival.body)
            group.pushes.append((group.add(pack_record(segment.marker, Kind.PUSH, content)), push))
        return group

    def _took(self, segment: SegmentFile, begin: int, group: _Group) -> None:
        """The group is durable: from now on its frames are received."""
        facts = self._segments[segment.number]
        facts.size = segment.size
        for schema_id, offset in group.schemas:
            self._told.add(schema_id)
            self._index.add_schema(schema_id, place(segment.number, begin + offset))
        for offset, push in group.pushes:
            arrival = push.arrival
            facts.newest_ms = max(facts.newest_ms, arrival.received_ms)
            self._index.add(place(segment.number, begin + offset), push.fresh)
            for mark in push.fresh:
                self._received.add(arrival.agent, mark.epoch, mark.seq, at_ms=arrival.received_ms)
        self._tell_size()

    def _segment(self) -> SegmentFile:
        """The open segment; a new one where there is none, or where it is large or old enough."""
        now_ms = self._clock.now_ms()
        if self._open is not None:
            if self._open.size < self._segment_bytes and now_ms - self._opened_ms < SEGMENT_MS:
                return self._open
            self._open.close()
            self._open = None
        self._received.forget(now_ms)
        segment = self._new_segment()
        with self._segments_lock:
            self._segments[segment.number] = SegmentFacts(size=segment.size)
        self._open, self._opened_ms, self._told = segment, now_ms, set()
        return segment

    def _new_segment(self) -> SegmentFile:
        try:
            segment = SegmentFile.create(segment_path(self._folder, self._next_number), disk=self._disk)
        except FileExistsError:
            self._next_number += 1
            raise
        try:
            packed = zlib.compress(self._received.pack(), 1)
            segment.append(pack_record(segment.marker, Kind.RECEIVED, packed))
        except OSError:
            segment.discard()
            raise
        self._next_number += 1
        return segment

    def _went_well(self) -> None:
        if self._is_failing:
            _log.info("the journal can be written again", action="journal_recovered")
        self._is_failing = False

    def _went_wrong(self, group: list[_Waiting], refusal: Unavailable) -> None:
        if not self._is_failing:
            _log.error(str(refusal), action="journal_failing")
        self._is_failing = True
        for waiting in group:
            waiting.refusal = waiting.refusal or refusal

    def _answer(self, group: list[_Waiting]) -> None:
        for loop in {waiting.stored.get_loop() for waiting in group}:
            # A loop that has ended has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell, [w for w in group if w.stored.get_loop() is loop])

    def _tell(self, group: list[_Waiting]) -> None:
        """In the event loop: give each push its answer."""
        for waiting in group:
            self._waiting -= 1
            self._waiting_bytes -= len(waiting.arrival.body)
            if waiting.stored.done():
                continue
            if waiting.refusal is not None:
                waiting.stored.set_exception(waiting.refusal)
            else:
                waiting.stored.set_result(frozenset(mark.position for mark in waiting.fresh))

    def _tell_size(self) -> None:
        self._health.journal_bytes.set(sum(facts.size for facts in list(self._segments.values())))


def _locked(folder: Path) -> IO[str]:
    """Hold the folder: two journals in one would each believe to know what is stored."""
    lock = (folder / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Misconfigured(
            f"the journal in {folder} is in use", remedy="stop the server that uses it"
        ) from error
    return lock


def _explain(error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            "the disk with the journal is full", remedy="free space; the server goes on by itself"
        )
    return Unavailable(f"the journal cannot be written now ({error.strerror or error})")
