"""One file of the spool: frames on top of one another, beneath them the schemas that they need.

A record is `magic, kind, length, CRC-32` and its payload; the CRC is over kind, length and payload. What does
not check out is skipped up to the next magic that does: damage costs the records that it lies in and no other.

A segment is a stack. Frames are delivered newest first, so what has been acknowledged is at the top, and is
forgotten by cutting the file shorter: the bookkeeping is the file's length, and survives what the file
survives. A frame that is acknowledged below others is remembered in memory until those are; should the agent
be killed before, it is sent again, and the server knows it.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Self

from tocsin_agent.frames import Frame, FrameKey, Schema
from tocsin_protocol.wire import schema_id

_MAGIC = b"\xf7toc"
_HEAD = struct.Struct("<4sBII")
_CHECKED = struct.Struct("<BI")
_FRAME_HEAD = struct.Struct("<QQQq")
_FRAME, _SCHEMA = 1, 2
_KINDS = frozenset({_FRAME, _SCHEMA})

FULL_BYTES = 512 << 10
"""Bytes of frames in a segment until the next one is begun; the oldest segment is dropped whole."""
_MOST_BYTES = 16 << 20
"""Bytes of a file that are read at all; more than any schemas and frames can be."""


class Place(NamedTuple):
    """Where a frame lies in its segment, and what it is."""

    epoch: int
    seq: int
    schema_id: int
    time_ms: int
    offset: int
    end: int

    @property
    def key(self) -> FrameKey:
        """What names the frame for ever."""
        return self.epoch, self.seq


class Record(NamedTuple):
    """One record that checked out."""

    kind: int
    payload: bytes
    offset: int
    end: int


def pack_record(kind: int, payload: bytes) -> bytes:
    """A record's bytes."""
    return _HEAD.pack(_MAGIC, kind, len(payload), _checksum(kind, payload)) + payload


def frame_record(frame: Frame) -> bytes:
    """A frame as a record: what the spool must know of it in clear, then its bytes in a push."""
    head = _FRAME_HEAD.pack(frame.epoch, frame.seq, frame.schema_id, frame.time_ms)
    return pack_record(_FRAME, head + frame.packed)


def schema_record(schema: Schema) -> bytes:
    """A schema as a record."""
    return pack_record(_SCHEMA, schema.packed)


def record_at(content: bytes, offset: int) -> Record | None:
    """The record that begins here; None where none does, or it is damaged or cut off."""
    if len(content) - offset < _HEAD.size:
        return None
    magic, kind, length, checksum = _HEAD.unpack_from(content, offset)
    start = offset + _HEAD.size
    if magic != _MAGIC or kind not in _KINDS or start + length > len(content):
        return None
    payload = content[start : start + length]
    if _checksum(kind, payload) != checksum or (kind == _FRAME and length < _FRAME_HEAD.size):
        return None
    return Record(kind, payload, offset, start + length)


def scan(content: bytes) -> Iterator[Record | None]:
    """Every record that checks out, in order; None for each stretch of damage."""
    offset = 0
    is_in_damage = False
    while 0 <= offset < len(content):
        record = record_at(content, offset)
        if record is not None:
            yield record
            offset, is_in_damage = record.end, False
            continue
        if not is_in_damage:
            yield None
        is_in_damage = True
        offset = content.find(_MAGIC, offset + 1)


def _place(record: Record) -> Place:
    epoch, seq, of, time_ms = _FRAME_HEAD.unpack_from(record.payload)
    return Place(epoch, seq, of, time_ms, record.offset, record.end)


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    """A nearly full disk takes a part first, and says so only when it is given the rest."""
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_CHECKED.pack(kind, len(payload))))


class Segment:
    """A file of the spool. Its index (`load`) is kept only while frames go in or out.

    `frames` counts those that are not acknowledged, `damages` the stretches that could not be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self.frames = 0
        self.damages = 0
        self.newest_ms = 0
        self.oldest_ms = 0
        self.is_loaded = False
        self._places: list[Place] = []
        self._schemas: dict[int, tuple[int, int]] = {}
        self._acknowledged: set[FrameKey] = set()
        self._frame_bytes = 0
        self._descriptor = -1
        self._is_synced = True

    @classmethod
    def create(cls, path: str) -> Self:
        """A new, empty one; raises `OSError`."""
        segment = cls(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        segment._descriptor = os.open(path, flags, 0o600)
        segment.is_loaded = True
        return segment

    @property
    def is_full(self) -> bool:
        """Whether the next frame belongs into another."""
        return self._frame_bytes >= FULL_BYTES or self.size >= _MOST_BYTES // 2

    def load(self) -> None:
        """Read the index; raises `OSError` where the file cannot be read."""
        if self.is_loaded:
            return
        content = self._content()
        self._places, self._schemas, self.damages = [], {}, 0
        for record in scan(content):
            if record is None:
                self.damages += 1
            elif record.kind == _SCHEMA:
                self._schemas[schema_id(record.payload)] = (record.offset, record.end)
            else:
                self._places.append(_place(record))
        self.size = len(content)
        self.is_loaded = True
        self._count()

    def unload(self) -> None:
        """Forget the index and close the file; what is acknowledged has been cut off before, or comes again."""
        self._acknowledged.clear()
        self._count()
        self._places, self._schemas = [], {}
        self.is_loaded = False
        self.close()

    def has_schema(self, of: int) -> bool:
        """Whether the schema with this id lies here."""
        return of in self._schemas

    def schema(self, of: int) -> bytes | None:
        """The schema with this id, where it lies here undamaged."""
        span = self._schemas.get(of)
        record = self._read(*span) if span else None
        return record.payload if record else None

    def append(self, frame: Frame, schema: Schema) -> None:
        """Put a frame on top, beneath it its schema where that is new here; or neither, and raise `OSError`."""
        added = b"" if self.has_schema(schema.id) else schema_record(schema)
        below = self.size + len(added)
        added += frame_record(frame)
        try:
            _write_all(self._descriptor, added, self.size)
        except OSError:
            self._cut(self.size)
            raise
        if below > self.size:
            self._schemas[schema.id] = (self.size, below)
        self.size += len(added)
        place = Place(frame.epoch, frame.seq, frame.schema_id, frame.time_ms, below, self.size)
        self._places.append(place)
        self._is_synced = False
        self._add(place)

    def newest_first(self) -> Iterator[Place]:
        """The frames that are not acknowledged, from the top."""
        return (place for place in reversed(self._places) if place.key not in self._acknowledged)

    def packed(self, place: Place) -> bytes | None:
        """A frame as it stands in a push; None where the file has been damaged since it was indexed."""
        record = self._read(place.offset, place.end)
        return record.payload[_FRAME_HEAD.size :] if record else None

    def acknowledge(self, keys: set[FrameKey]) -> int:
        """Forget these frames, where they are here; how many they were."""
        here = {place.key for place in self._places if place.key in keys} - self._acknowledged
        self._acknowledged |= here
        kept = len(self._places)
        while kept and self._places[kept - 1].key in self._acknowledged:
            kept -= 1
        if kept < len(self._places):
            self._cut(self._places[kept].offset)
            self._acknowledged.difference_update(place.key for place in self._places[kept:])
            del self._places[kept:]
        self._count()
        return len(here)

    def sync(self) -> None:
        """Make durable all that is in the file; raises `OSError`."""
        os.fdatasync(self._open())

    def take_unsynced(self) -> int:
        """A descriptor of its own for fdatasync, or -1 where nothing waits for one."""
        if self._is_synced or not self.frames:
            return -1
        self._is_synced = True
        return os.dup(self._descriptor)

    def remove(self) -> None:
        """Delete the file; raises `OSError` where it cannot be."""
        self.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _add(self, place: Place) -> None:
        """What `_count` would find with this one on top, without another look at all the others."""
        self.frames += 1
        self._frame_bytes += place.end - place.offset
        is_first = len(self._places) == 1
        self.newest_ms = place.time_ms if is_first else max(self.newest_ms, place.time_ms)
        self.oldest_ms = place.time_ms if is_first else min(self.oldest_ms, place.time_ms)

    def _count(self) -> None:
        self.frames = len(self._places) - len(self._acknowledged)
        self._frame_bytes = sum(place.end - place.offset for place in self._places)
        times = [place.time_ms for place in self._places]
        self.newest_ms, self.oldest_ms = max(times, default=0), min(times, default=0)

    def _cut(self, size: int) -> None:
        self._schemas = {of: span for of, span in self._schemas.items() if span[1] <= size}
        os.ftruncate(self._open(), size)
        self.size = size

    def _content(self) -> bytes:
        descriptor = self._open()
        return os.pread(descriptor, min(os.fstat(descriptor).st_size, _MOST_BYTES), 0)

    def _read(self, offset: int, end: int) -> Record | None:
        try:
            return record_at(os.pread(self._open(), end - offset, offset), 0)
        except OSError:
            return None

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        return self._descriptor
