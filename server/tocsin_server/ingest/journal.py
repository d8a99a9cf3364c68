"""Every stored push, in segment files: what `append` has answered survives a power cut.

Pushes gather for a moment; then their new frames go to the disk in one write and one fdatasync, and all of
them are answered: a *group commit*. While a group is being synced the next one gathers, so a slow disk makes
groups larger and queues no longer.

The event loop owns what is known (the received frames, the end of the journal) and packs the bytes; the thread
`tocsin-journal` does nothing but wait for the disk (`pen.py`), so the two hardly ever want the interpreter at
once. One group is under way at a time, and a group drops what is stored already, itself included: that stores
a frame exactly once, and never answers the second of two pushes that race before the frame is durable.

    start    replays what is there (`replay.py`), and opens a new segment with the first push: nothing is
             written behind an end that may be torn
    failure  any error of write or fdatasync fails the group with 503; the agents keep their frames, and the
             next group tries again by itself. Should a frame of a failed push turn up in a later replay, it
             counts as received, which is true, and its repetition is acked without effect
    sweep    deletes segments whose newest push is old enough and whose frames are all in history (`owed.py`);
             each segment begins with the set of received frames, so an older one is not needed to tell a
             repeated frame
"""

import asyncio
import errno
import fcntl
import threading
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import structlog

from tocsin_server.clock import Clock
from tocsin_server.errors import Misconfigured, Overloaded, Unavailable, Unprocessable
from tocsin_server.health import Health
from tocsin_server.ingest.group import Arrival, End, Waiting, Write
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.index import place, segment_and_offset
from tocsin_server.ingest.notes import HOURS_WRITTEN, LATE_JUDGED, write_note
from tocsin_server.ingest.pen import Pen
from tocsin_server.ingest.reader import Reader
from tocsin_server.ingest.records import (
    Kind,
    Mark,
    new_marker,
    pack_push,
    pack_record,
    pack_schema,
    segment_head,
)
from tocsin_server.ingest.replay import SegmentFacts, replay
from tocsin_server.ingest.segment import Disk, segment_path

_log = structlog.get_logger()

GATHER_S = 0.005
"""How long a few pushes wait for more. Longer answers later and saves nothing more."""
GATHER_PUSHES = 128
"""So many do not wait: the disk has to be at work while the event loop is."""
SEGMENT_BYTES = 64 << 20
HOUR_MS = 3_600_000
MAX_WAITING = 8192
MAX_WAITING_BYTES = 64 << 20


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
        gather_s: float = GATHER_S,
        disk: Disk | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = _locked(folder)
        self._folder = folder
        self._clock = clock
        self._health = health
        self._keep_ms = keep_hours * HOUR_MS
        self._segment_bytes = segment_bytes
        self._gather_s = gather_s
        self.replayed = replay(folder)
        self._received = self.replayed.received
        self._index = self.replayed.index
        self.late = self.replayed.late
        self.owed = self.replayed.owed
        self._reader = Reader(folder, self._index)
        self._segments = self.replayed.segments
        self._segments_lock = threading.Lock()
        self._next_number = max(self._segments, default=0) + 1
        self._end: End | None = None
        self._gathering: list[Waiting] = []
        self._is_under_way = False
        self._is_timed = False
        self._is_closed = False
        self._is_failing = False
        self._waiting = 0
        self._waiting_bytes = 0
        self._tell_size()
        self._pen = Pen(folder, disk or Disk(), self._settled, health)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the group under way and let go of the folder; what still gathers is refused."""
        self._is_closed = True
        self._pen.close()
        for waiting in self._gathering:
            waiting.refusal = Unavailable("the server is ending")
        self._answer(self._gathering)
        self._gathering = []
        self._lock_file.close()

    @property
    def last_heard_ms(self) -> Mapping[int, int]:
        """Host → when it pushed last, as of the start."""
        return self.replayed.last_heard_ms

    @property
    def is_failing(self) -> bool:
        """Whether the last write failed."""
        return self._is_failing

    def append(self, arrival: Arrival) -> "asyncio.Future[Sequence[int]]":
        """Store a push; done once it is durable, with the places in the push of the frames that were new.

        Call it in the event loop. Raises `Overloaded` where too much waits; the future raises `Unavailable`
        where the disk fails.
        """
        if self._is_closed:
            raise Unavailable("the server is ending")
        if self._waiting >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES:
            raise Overloaded(f"{self._waiting} pushes are waiting for the disk", retry_after_s=2)
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[Sequence[int]] = loop.create_future()
        self._waiting += 1
        self._waiting_bytes += len(arrival.body)
        self._gathering.append(Waiting(arrival, stored))
        if not self._is_under_way:
            self._begin_in_time(loop)
        return stored

    def frames_of(self, host_id: int, start_ms: int, end_ms: int) -> list[HostFrame]:
        """The stored frames of a host with an instant in this time, in order; from any thread."""
        places = self._index.places_of(host_id, start_ms, end_ms)
        frames = [
            frame
            for frame in self._reader.frames(places, is_wanted=lambda mark: mark.host_id == host_id)
            if min(frame.times_ms) <= end_ms and max(frame.times_ms) >= start_ms
        ]
        return sorted(frames, key=lambda frame: frame.times_ms[0])

    def frames_among(self, host_ids: Collection[int], start_ms: int, end_ms: int) -> Iterator[HostFrame]:
        """The stored frames of some hosts with an instant in this time, in the order of writing.

        Each push is read once, whatever it holds of them; from any thread.
        """

        def is_wanted(mark: Mark) -> bool:
            return mark.host_id in host_ids and mark.first_ms <= end_ms and mark.last_ms >= start_ms

        places = {where for host in host_ids for where in self._index.places_of(host, start_ms, end_ms)}
        return self._reader.frames(sorted(places), is_wanted=is_wanted)

    def judged_late(self, received_ms: int) -> None:
        """All that came late up to this receipt has been judged; a start need not look at it again."""
        write_note(self._folder, LATE_JUDGED, received_ms)

    def hours_written(self) -> None:
        """What has been settled of `owed` is in history; a start need not write it again."""
        write_note(self._folder, HOURS_WRITTEN, self.owed.floor())

    def frames_since(self, start_ms: int) -> Iterator[HostFrame]:
        """Every stored frame this new, in the order of time: what the head needs after a start."""
        return self._reader.frames(self._index.places_since(start_ms))

    def sweep(self, now_ms: int) -> int:
        """Delete the segments that are old enough and owe history nothing; how many. From any thread.

        The newest always stays.
        """
        owing, _ = segment_and_offset(self.owed.floor())
        with self._segments_lock:
            numbers = sorted(self._segments)
            swept = 0
            for number in numbers[:-1]:
                if self._segments[number].newest_ms >= now_ms - self._keep_ms or number >= owing:
                    break
                segment_path(self._folder, number).unlink(missing_ok=True)
                del self._segments[number]
                swept += 1
        if swept:
            self._index.forget_before(numbers[swept])
            self._tell_size()
        return swept

    def _begin_in_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that what gathers is sent on its way: at once where it is many, else in a moment."""
        if len(self._gathering) >= GATHER_PUSHES:
            self._begin(loop)
        elif not self._is_timed:
            self._is_timed = True
            loop.call_later(self._gather_s, self._in_time, loop)

    def _in_time(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_timed = False
        if self._gathering and not self._is_under_way:
            self._begin(loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send what has gathered on its way."""
        group, self._gathering = self._gathering, []
        if not self._sort_out(group):
            self._answer(group)
            return
        end, head = self._writable_end()
        write = Write(end, head, group, loop)
        self._pack(write)
        self._is_under_way = True
        self._pen.write(write)

    def _sort_out(self, group: list[Waiting]) -> bool:
        """Find each push's new frames; whether there is any in the group."""
        claimed: set[tuple[str, int, int]] = set()
        for waiting in group:
            agent = waiting.arrival.agent
            # Of a frame that stands twice in one push, the last copy is taken: they should be the same.
            fresh = {
                key: mark
                for mark in waiting.arrival.marks
                if (key := (agent, mark.epoch, mark.seq)) not in claimed and not self._received.holds(*key)
            }
            crowded = {epoch for _, epoch, _ in fresh if not self._received.has_room(agent, epoch)}
            if crowded:
                waiting.refusal = Unprocessable(f"run {min(crowded)} of {agent} has too many gaps")
                continue
            waiting.fresh = list(fresh.values())
            claimed.update(fresh)
        return bool(claimed)

    def _writable_end(self) -> tuple[End, bytes]:
        """The open segment; a new one and its head where there is none, or where it is large or old enough."""
        now_ms, end = self._clock.now_ms(), self._end
        if end is not None and end.size < self._segment_bytes and now_ms - end.opened_ms < HOUR_MS:
            return end, b""
        self._received.forget(now_ms)
        end = End(self._next_number, new_marker(), now_ms)
        received = zlib.compress(self._received.pack(), 1)
        return end, segment_head(end.marker) + pack_record(end.marker, Kind.RECEIVED, received)

    def _pack(self, write: Write) -> None:
        marker, told = write.end.marker, set(write.end.told)
        for waiting in write.waiting:
            if not waiting.fresh:
                continue
            arrival = waiting.arrival
            for schema_id in {mark.schema_id for mark in waiting.fresh} - told:
                content = pack_schema(schema_id, arrival.schemas[schema_id])
                write.schemas.append((schema_id, write.add(pack_record(marker, Kind.SCHEMA, content))))
                told.add(schema_id)
            content = pack_push(arrival.agent, arrival.received_ms, waiting.fresh, arrival.body)
            write.pushes.append((write.add(pack_record(marker, Kind.PUSH, content)), waiting))

    def _settled(self, write: Write, begin: int, error: Exception | None) -> None:
        """In the event loop: the group is durable, or it has failed."""
        self._is_under_way = False
        if error is None:
            self._took(write, begin)
            if self._is_failing:
                _log.info("the journal can be written again", action="journal_recovered")
        else:
            self._failed(write, error)
        self._is_failing = error is not None
        self._answer(write.waiting)
        if self._gathering:
            self._begin_in_time(write.loop)

    def _took(self, write: Write, begin: int) -> None:
        """The group's frames are received from now on."""
        end = write.end
        if write.head:
            self._end, self._next_number = end, end.number + 1
            with self._segments_lock:
                self._segments[end.number] = SegmentFacts()
        facts = self._segments[end.number]
        for schema_id, offset in write.schemas:
            end.told.add(schema_id)
            self._index.add_schema(schema_id, place(end.number, begin + offset))
        for offset, waiting in write.pushes:
            arrival = waiting.arrival
            facts.newest_ms = max(facts.newest_ms, arrival.received_ms)
            where = place(end.number, begin + offset)
            self._index.add(where, waiting.fresh)
            self.late.took(waiting.fresh, arrival.received_ms)
            self.owed.took(where, waiting.fresh, arrival.received_ms)
            for mark in waiting.fresh:
                self._received.add(arrival.agent, mark.epoch, mark.seq, at_ms=arrival.received_ms)
        end.size = facts.size = begin + write.size
        self._tell_size()

    def _failed(self, write: Write, error: Exception) -> None:
        refusal = _explain(error)
        if not self._is_failing:
            _log.error(str(refusal), action="journal_failing")
        if isinstance(error, FileExistsError):
            self._next_number += 1
        self._end = None
        for waiting in write.waiting:
            waiting.refusal = waiting.refusal or refusal

    def _answer(self, group: list[Waiting]) -> None:
        for waiting in group:
            self._waiting -= 1
            self._waiting_bytes -= len(waiting.arrival.body)
            if waiting.stored.done():
                continue
            if waiting.refusal is not None:
                waiting.stored.set_exception(waiting.refusal)
            else:
                waiting.stored.set_result([mark.position for mark in waiting.fresh])

    def _tell_size(self) -> None:
        with self._segments_lock:
            self._health.journal_bytes.set(sum(facts.size for facts in self._segments.values()))


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


def _explain(error: Exception) -> Unavailable:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            "the disk with the journal is full", remedy="free space; the server goes on by itself"
        )
    return Unavailable(f"the journal cannot be written now ({error})")
