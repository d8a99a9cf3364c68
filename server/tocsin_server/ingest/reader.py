"""Frames out of the journal's files, by their places: for charts, and for the head after a start.

Reads by `pread`, so any number of threads may read while the journal's thread writes. A record that is no
longer there, or no longer whole, is left out.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Self

from tocsin_server.ingest.decode import decode_push, decode_schema, settled_times
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.index import Index, segment_and_offset
from tocsin_server.ingest.records import (
    FRAMING_BYTES,
    SEGMENT_HEAD_BYTES,
    Kind,
    Mark,
    PushRecord,
    Record,
    content_length,
    marker_of,
    record_at,
    unpack_push,
    unpack_schema,
)
from tocsin_server.ingest.segment import segment_path
from tocsin_server.series.schema import Schema

_LIKELY_BYTES = 4096
"""One read takes a usual record whole."""
_REMEMBERED_SCHEMAS = 1 << 14


class Reader:
    """Reads what an index points at."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._folder = folder
        self._index = index
        self._schema = lru_cache(_REMEMBERED_SCHEMAS)(self._read_schema)

    def frames(
        self, places: Iterable[int], *, is_wanted: Callable[[Mark], bool] = lambda _mark: True
    ) -> Iterator[HostFrame]:
        """The frames at these places that are wanted, each push's in the order of their times."""
        with _Segments(self._folder) as segments:
            for where in places:
                record = segments.read(where)
                if record is not None and record.kind == Kind.PUSH:
                    push = unpack_push(record.content)
                    wanted = [mark for mark in push.marks if is_wanted(mark)]
                    if wanted:
                        yield from self._frames(push, wanted)

    def _frames(self, push: PushRecord, marks: Iterable[Mark]) -> Iterator[HostFrame]:
        said = decode_push(push.body)
        for mark in sorted(marks, key=lambda mark: mark.first_ms):
            schema = self._schema(mark.schema_id)
            if schema is not None:
                frame = said.frames[mark.position]
                times = settled_times(frame.times_ms, now_ms=said.now_ms, received_ms=push.received_ms)
                yield HostFrame(mark.host_id, schema, times, frame.samples(len(schema.series)))

    def _read_schema(self, schema_id: int) -> Schema | None:
        where = self._index.schema_place(schema_id)
        if where is None:
            return None
        with _Segments(self._folder) as segments:
            record = segments.read(where)
        return None if record is None else decode_schema(unpack_schema(record.content))


class _Segments:
    """Segments opened for reading, each once; closed together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, tuple[int, bytes] | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open.values():
            if opened is not None:
                os.close(opened[0])

    def read(self, where: int) -> Record | None:
        number, offset = segment_and_offset(where)
        if number not in self._open:
            self._open[number] = self._opened(number)
        opened = self._open[number]
        return None if opened is None else _read(opened[0], opened[1], offset)

    def _opened(self, number: int) -> tuple[int, bytes] | None:
        """Descriptor and marker; nothing where the segment has been swept away."""
        try:
            descriptor = os.open(segment_path(self._folder, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        marker = marker_of(os.pread(descriptor, SEGMENT_HEAD_BYTES, 0))
        if marker is None:
            os.close(descriptor)
            return None
        return descriptor, marker


def _read(descriptor: int, marker: bytes, offset: int) -> Record | None:
    piece = os.pread(descriptor, _LIKELY_BYTES, offset)
    if len(piece) < FRAMING_BYTES:
        return None
    missing = FRAMING_BYTES + content_length(piece) - len(piece)
    if missing > 0:
        piece += os.pread(descriptor, missing, offset + len(piece))
    return record_at(memoryview(piece), marker, 0)
