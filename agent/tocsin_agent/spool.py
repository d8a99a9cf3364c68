"""Frames that the server has not acknowledged yet: on disk, bounded by bytes and by age, newest first out.

- A frame is written before it is pushed. kill -9 loses nothing; a power cut loses at most what was written in
  the last second and not yet acknowledged (`sync`; what is acknowledged sooner costs no fsync at all).
- When it is full, the oldest segment goes, and its frames are counted as dropped.
- While the disk has less than `min_free_bytes` or 5 % left, the spool does not grow: its oldest goes for what
  is new. What finds no room, or meets an error of the disk, is held in memory, the last `HELD_FRAMES` of it.
- At least once: a frame is forgotten only when it is acknowledged, dropped or refused. By `(epoch, seq)` the
  server knows what comes twice.

`append` and `sync` are called by the threads that collect and that probe, `batch` and `settle` by the one that
pushes.
"""

import os
import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from tocsin_agent.frames import Frame, FrameKey, Schema
from tocsin_agent.report import say
from tocsin_agent.segment import Segment

HELD_FRAMES = 60
LOWEST_FREE_SHARE = 0.05
_NAME = re.compile(r"(\d{20})-(\d{6})\.frames")


class Limits(NamedTuple):
    """How much a spool may hold, and what it leaves to the host."""

    max_bytes: int = 256 << 20
    max_age_ms: int = 72 * 3_600_000
    min_free_bytes: int = 1 << 30


class SpoolCounts(NamedTuple):
    """What is in the spool, and what has happened to it in this run."""

    frames: int
    held_frames: int
    size_bytes: int
    oldest_ms: int
    dropped_full: int
    dropped_old: int
    damages: int
    disk_errors: int


Statvfs = Callable[[str], os.statvfs_result]


class Spool:
    """The spool in a folder, which is made where it is missing; what an earlier run left is taken on."""

    def __init__(
        self,
        folder: str,
        *,
        epoch: int,
        limits: Limits | None = None,
        statvfs: Statvfs = os.statvfs,
    ) -> None:
        self._folder = folder
        self._epoch = epoch
        self._limits = limits or Limits()
        self._statvfs = statvfs
        self._lock = threading.Lock()
        self._held: dict[FrameKey, Frame] = {}
        self._schemas: dict[int, Schema] = {}
        self._in_flight: set[FrameKey] = set()
        self._low_ceiling: int | None = None
        self._next_number = 0
        self._is_closed = False
        self._is_folder_synced = True
        self._dropped_full = self._dropped_old = self._damages = self._disk_errors = 0
        self._live: Segment | None = None
        self._segments: list[Segment] = []
        self._take_on()

    @property
    def has_frames(self) -> bool:
        """Whether anything waits for delivery."""
        with self._lock:
            return bool(self._held) or any(segment.frames for segment in self._segments)

    def counts(self) -> SpoolCounts:
        """What is where."""
        with self._lock:
            times = [segment.oldest_ms for segment in self._segments if segment.frames]
            times += [frame.time_ms for frame in self._held.values()]
            return SpoolCounts(
                frames=sum(segment.frames for segment in self._segments) + len(self._held),
                held_frames=len(self._held),
                size_bytes=self._size(),
                oldest_ms=min(times, default=0),
                dropped_full=self._dropped_full,
                dropped_old=self._dropped_old,
                damages=self._damages,
                disk_errors=self._disk_errors,
            )

    def append(self, frame: Frame, schema: Schema) -> None:
        """Keep a frame until it is acknowledged."""
        with self._lock:
            if self._is_closed:
                return
            self._held[frame.epoch, frame.seq] = frame
            self._schemas[schema.id] = schema
            self._drop_aged(frame.time_ms)
            self._write_held()
            while len(self._held) > HELD_FRAMES:
                del self._held[next(iter(self._held))]
                self._dropped_full += 1
            needed = {held.schema_id for held in self._held.values()} | {schema.id}
            self._schemas = {of: kept for of, kept in self._schemas.items() if of in needed}

    def batch(self, *, most_frames: int, most_bytes: int, now_ms: int) -> list[Frame]:
        """The newest frames, oldest of them first; one at least where there is one.

        They are in flight until `settle`, and are not dropped meanwhile.
        """
        with self._lock:
            oldest_ms = now_ms - self._limits.max_age_ms
            chosen: list[Frame] = []
            aged: set[FrameKey] = set()
            size = 0
            for frame in self._newest_first():
                if frame.time_ms < oldest_ms:
                    aged.add((frame.epoch, frame.seq))
                    continue
                size += len(frame.packed)
                if chosen and size > most_bytes:
                    break
                chosen.append(frame)
                if len(chosen) == most_frames:
                    break
            self._dropped_old += self._forget(aged)
            self._in_flight = keys_of(chosen)
            self._unload_idle()
            return chosen[::-1]

    def schema(self, of: int) -> bytes | None:
        """The schema with this id, wherever it lies; None where damage has taken every copy."""
        with self._lock:
            if kept := self._schemas.get(of):
                return kept.packed
            # The loaded segments are where the frames in question are; any other copy is as good.
            for segment in sorted(self._segments, key=lambda segment: not segment.is_loaded):
                if self._load(segment) and (packed := segment.schema(of)):
                    return packed
            return None

    def settle(self, forgotten: Collection[FrameKey]) -> None:
        """What was in flight is so no longer; these of it need not be kept."""
        with self._lock:
            self._in_flight = set()
            if not self._is_closed:
                self._forget(set(forgotten))

    def lose(self, frames: Collection[FrameKey]) -> None:
        """These frames cannot be read by anybody: their schema is gone."""
        with self._lock:
            self._damages += self._forget(set(frames))

    def sync(self) -> None:
        """Make durable what is written and not yet acknowledged; for a second after the append."""
        with self._lock:
            descriptors = [segment.take_unsynced() for segment in self._segments if segment.is_loaded]
            if any(descriptor >= 0 for descriptor in descriptors) and not self._is_folder_synced:
                descriptors.append(os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                self._is_folder_synced = True
        # Outside the lock: a slow disk delays no push.
        for descriptor in descriptors:
            if descriptor >= 0:
                self._sync(descriptor)

    def close(self) -> None:
        """Write what is held, sync, and let go; a segment without frames goes."""
        with self._lock:
            self._write_held()
        self.sync()
        with self._lock:
            self._is_closed = True
            for segment in list(self._segments):
                if not segment.frames:
                    self._remove(segment)
                segment.close()

    def _take_on(self) -> None:
        """The segments of earlier runs. What cannot be read stays where it is and is counted as damage."""
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            names = sorted(name for name in os.listdir(self._folder) if _NAME.fullmatch(name))
        except OSError as error:
            self._meet(error)
            return
        for name in names:
            segment = Segment(f"{self._folder}/{name}")
            self._segments.append(segment)
            if not self._load(segment):
                continue
            self._damages += segment.damages
            self._keep(segment)
            segment.unload()
            if not segment.frames:
                self._remove(segment)
        self._keep_names()

    def _keep(self, segment: Segment) -> None:
        """An earlier run that was killed may have left it in memory only, and nobody else ever syncs it."""
        try:
            segment.sync()
        except OSError as error:
            self._meet(error)

    def _keep_names(self) -> None:
        """The segments', and the folder's own, without which all in it is lost."""
        for folder in (self._folder, os.path.dirname(self._folder) or "."):
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                self._meet(error)
            else:
                self._sync(descriptor)

    def _newest_first(self) -> Iterator[Frame]:
        """Every frame, as far as it is asked for."""
        yield from [*self._held.values()][::-1]
        for segment in [segment for segment in reversed(self._segments) if segment.frames]:
            if not self._load(segment):
                continue
            unreadable: set[FrameKey] = set()
            for place in list(segment.newest_first()):
                packed = segment.packed(place)
                if packed is None:
                    unreadable.add(place.key)
                    continue
                yield Frame(place.epoch, place.seq, place.schema_id, place.time_ms, packed)
            self._damages += self._forget(unreadable)

    def _unload_idle(self) -> None:
        """An index is worth its memory only where frames go in or out."""
        for segment in self._segments:
            if segment.is_loaded and self._may_go(segment):
                segment.unload()

    def _load(self, segment: Segment) -> bool:
        try:
            segment.load()
        except OSError as error:
            self._meet(error)
            self._damages += 1
            self._segments.remove(segment)
            return False
        return True

    def _forget(self, keys: set[FrameKey]) -> int:
        held = [key for key in keys if self._held.pop(key, None)]
        forgotten = len(held)
        for segment in [segment for segment in self._segments if segment.is_loaded]:
            try:
                forgotten += segment.acknowledge(keys)
            except OSError as error:
                self._meet(error)
            if not segment.frames and segment is not self._live:
                self._remove(segment)
        return forgotten

    def _write_held(self) -> None:
        """Write what is held, the oldest first, as long as there is room."""
        for key, frame in list(self._held.items()):
            try:
                if not self._write(frame, self._schemas[frame.schema_id]):
                    return
            except OSError as error:
                self._meet(error)
                return
            del self._held[key]

    def _write(self, frame: Frame, schema: Schema) -> bool:
        if not self._has_room(len(frame.packed) + len(schema.packed)):
            return False
        if self._live is None or self._live.is_full:
            self._live = Segment.create(f"{self._folder}/{self._epoch:020d}-{self._next_number:06d}.frames")
            self._next_number += 1
            self._segments.append(self._live)
            self._is_folder_synced = False
        self._live.append(frame, schema)
        return True

    def _has_room(self, size: int) -> bool:
        """Whether so much may be added; the oldest segments go for it."""
        limit = self._limit()
        while self._size() + size > limit:
            oldest = next((segment for segment in self._segments if self._may_go(segment)), None)
            if oldest is None:
                return False
            self._dropped_full += oldest.frames
            self._remove(oldest)
        return True

    def _limit(self) -> int:
        """How large the spool may be: while the disk is nearly full, not larger than it was when that began."""
        disk = self._statvfs(self._folder)
        reserve = max(self._limits.min_free_bytes, int(disk.f_blocks * disk.f_frsize * LOWEST_FREE_SHARE))
        if disk.f_bavail * disk.f_frsize >= reserve:
            self._low_ceiling = None
            return self._limits.max_bytes
        if self._low_ceiling is None:
            self._low_ceiling = self._size()
            say(
                f"the disk of {self._folder} is nearly full: the spool does not grow until there is space again"
            )
        return min(self._limits.max_bytes, self._low_ceiling)

    def _may_go(self, segment: Segment) -> bool:
        if segment is self._live:
            return False
        return not segment.is_loaded or self._in_flight.isdisjoint(
            place.key for place in segment.newest_first()
        )

    def _drop_aged(self, now_ms: int) -> None:
        oldest_ms = now_ms - self._limits.max_age_ms
        for segment in list(self._segments):
            if segment.frames and segment.newest_ms < oldest_ms and self._may_go(segment):
                self._dropped_old += segment.frames
                self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        try:
            segment.remove()
        except OSError as error:
            self._meet(error)

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            self._meet(error)
        finally:
            os.close(descriptor)

    def _meet(self, error: OSError) -> None:
        """The disk has failed: say it once in a row, count it, go on."""
        self._disk_errors += 1
        if self._disk_errors & (self._disk_errors - 1) == 0:
            say(f"the spool {self._folder} meets an error of the disk, number {self._disk_errors}: {error}")


def keys_of(frames: Sequence[Frame]) -> set[FrameKey]:
    """What names these frames."""
    return {(frame.epoch, frame.seq) for frame in frames}
