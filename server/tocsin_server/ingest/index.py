"""Where in the journal each host's frames are, in memory: 16 bytes a push.

A place is one number, segment and offset, so places ascend in the order of writing. Plain arrays, because a
tuple a push would be 200 bytes: 1,000 hosts make 2 million pushes in 6 hours. The journal's thread adds; any
thread may ask.
"""

import threading
from array import array
from collections.abc import Iterable

import numpy as np

from tocsin_server.ingest.records import Mark
from tocsin_server.series.arrays import Ints

_OFFSET_BITS = 32


def place(segment: int, offset: int) -> int:
    """Where a record is, as one number."""
    return segment << _OFFSET_BITS | offset


def segment_and_offset(where: int) -> tuple[int, int]:
    """The reverse."""
    return where >> _OFFSET_BITS, where & ((1 << _OFFSET_BITS) - 1)


class _HostPlaces:
    __slots__ = ("last_ms", "longest_ms", "places")

    def __init__(self) -> None:
        self.places = array("q")
        self.last_ms = array("q")
        self.longest_ms = 0
        """The longest time that one push of this host spans."""

    def add(self, where: int, first_ms: int, last_ms: int) -> None:
        self.places.append(where)
        self.last_ms.append(last_ms)
        self.longest_ms = max(self.longest_ms, last_ms - first_ms)

    def between(self, start_ms: int, end_ms: int) -> Ints:
        last_ms = np.array(self.last_ms, dtype=np.int64)
        wanted = (last_ms >= start_ms) & (last_ms <= end_ms + self.longest_ms)
        return np.array(self.places, dtype=np.int64)[wanted]

    def forget_before(self, where: int) -> None:
        gone = int(np.searchsorted(np.array(self.places, dtype=np.int64), where))
        del self.places[:gone], self.last_ms[:gone]


class Index:
    """Host → the places of its pushes; schema → its newest place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[int, _HostPlaces] = {}
        self._schemas: dict[int, int] = {}

    def add(self, where: int, marks: Iterable[Mark]) -> None:
        """A push with these frames is there."""
        spans: dict[int, tuple[int, int]] = {}
        for mark in marks:
            first_ms, last_ms = spans.get(mark.host_id, (mark.first_ms, mark.last_ms))
            spans[mark.host_id] = (min(first_ms, mark.first_ms), max(last_ms, mark.last_ms))
        with self._lock:
            for host_id, (first_ms, last_ms) in spans.items():
                host = self._hosts.get(host_id)
                if host is None:
                    host = self._hosts[host_id] = _HostPlaces()
                host.add(where, first_ms, last_ms)

    def add_schema(self, schema_id: int, where: int) -> None:
        """The schema is there too. An id is made of a schema's content, so any place of it will do."""
        self._schemas[schema_id] = where

    def schema_place(self, schema_id: int) -> int | None:
        """Where a schema was written last."""
        return self._schemas.get(schema_id)

    def places_of(self, host_id: int, start_ms: int, end_ms: int) -> list[int]:
        """The pushes with frames of a host that may lie in this time, in the order of writing."""
        with self._lock:
            host = self._hosts.get(host_id)
            return [] if host is None else [int(where) for where in host.between(start_ms, end_ms)]

    def places_since(self, start_ms: int) -> list[int]:
        """Every push with something this new, by the time of its newest frame."""
        with self._lock:
            found = [
                (last_ms, where)
                for host in self._hosts.values()
                for last_ms, where in zip(host.last_ms, host.places, strict=True)
                if last_ms >= start_ms
            ]
        return list(dict.fromkeys(where for _, where in sorted(found)))

    def forget_before(self, segment: int) -> None:
        """The segments before this one have been deleted."""
        where = place(segment, 0)
        with self._lock:
            for host_id, host in list(self._hosts.items()):
                host.forget_before(where)
                if not host.places:
                    del self._hosts[host_id]
            for schema_id in [known for known, at in self._schemas.items() if at < where]:
                del self._schemas[schema_id]
