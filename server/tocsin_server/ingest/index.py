"""Where in the journal each host's frames are, in memory: 8 bytes a push, 16 while its segment is written.

A place is one number, segment and offset, so places ascend in the order of writing. Plain arrays, because a
tuple a push would be 200 bytes: 1,000 hosts make 2 million pushes in 6 hours. What is known of a segment that
is written no more is laid together, host by host, and goes when the segment goes. The journal's thread adds;
any thread may ask.
"""

import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from tocsin_server.ingest.records import Mark
from tocsin_server.series.arrays import Bools, Ints

_OFFSET_BITS = 32
Instant = tuple[int, int]
"""When the newest frame of a push was taken, and the push's place."""


def place(segment: int, offset: int) -> int:
    """Where a record is, as one number."""
    return segment << _OFFSET_BITS | offset


def segment_and_offset(where: int) -> tuple[int, int]:
    """The reverse."""
    return where >> _OFFSET_BITS, where & ((1 << _OFFSET_BITS) - 1)


class _HostPlaces:
    """A host's pushes in the segment that is being written."""

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
        places, last_ms = np.array(self.places), np.array(self.last_ms)
        return places[_may_lie(last_ms, self.longest_ms, start_ms, end_ms)]

    def since(self, start_ms: int) -> Iterator[Instant]:
        return _since(np.array(self.last_ms), np.array(self.places), start_ms)


class _Narrow:
    """Numbers as what each is above the least of them: 4 bytes, where that suffices."""

    __slots__ = ("_above", "_least")

    def __init__(self, numbers: Ints) -> None:
        self._least = int(numbers.min())
        above = numbers - self._least
        self._above = above.astype(np.min_scalar_type(above.max()))

    def between(self, begin: int, end: int) -> Ints:
        return self._above[begin:end].astype(np.int64) + self._least


class _Laid:
    """The pushes of one segment, host by host: those of the host `hosts[i]` are `ends[i - 1]` to `ends[i]`."""

    __slots__ = ("_ends", "_hosts", "_last_ms", "_longest_ms", "_places")

    def __init__(self, hosts: Mapping[int, _HostPlaces]) -> None:
        ordered = sorted(hosts.items())
        self._hosts = np.array([host_id for host_id, _ in ordered], np.int64)
        self._ends = np.cumsum([len(host.places) for _, host in ordered])
        self._longest_ms = np.array([host.longest_ms for _, host in ordered], np.int64)
        self._places = _Narrow(np.concatenate([np.asarray(host.places) for _, host in ordered]))
        self._last_ms = _Narrow(np.concatenate([np.asarray(host.last_ms) for _, host in ordered]))

    def between(self, host_id: int, start_ms: int, end_ms: int) -> Ints:
        at = int(np.searchsorted(self._hosts, host_id))
        if at == len(self._hosts) or self._hosts[at] != host_id:
            return np.zeros(0, np.int64)
        cut = int(self._ends[at - 1]) if at else 0, int(self._ends[at])
        last_ms, longest_ms = self._last_ms.between(*cut), int(self._longest_ms[at])
        return self._places.between(*cut)[_may_lie(last_ms, longest_ms, start_ms, end_ms)]

    def since(self, start_ms: int) -> Iterator[Instant]:
        everything = 0, int(self._ends[-1])
        return _since(self._last_ms.between(*everything), self._places.between(*everything), start_ms)


class Index:
    """Host → the places of its pushes; schema → its newest place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._laid: dict[int, _Laid] = {}
        self._written = 0
        """The segment that is being written."""
        self._hosts: dict[int, _HostPlaces] = {}
        """What is known of it."""
        self._schemas: dict[int, int] = {}

    def add(self, where: int, marks: Iterable[Mark]) -> None:
        """A push with these frames is there, behind all that there is."""
        spans: dict[int, tuple[int, int]] = {}
        for mark in marks:
            first_ms, last_ms = spans.get(mark.host_id, (mark.first_ms, mark.last_ms))
            spans[mark.host_id] = (min(first_ms, mark.first_ms), max(last_ms, mark.last_ms))
        segment, _ = segment_and_offset(where)
        with self._lock:
            if segment != self._written:
                self._turn_to(segment)
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
            found = [laid.between(host_id, start_ms, end_ms) for laid in self._laid.values()]
            host = self._hosts.get(host_id)
            if host is not None:
                found.append(host.between(start_ms, end_ms))
        return [where for places in found for where in places.tolist()]

    def places_since(self, start_ms: int) -> list[int]:
        """Every push with something this new, by the time of its newest frame."""
        with self._lock:
            found = [instant for laid in self._laid.values() for instant in laid.since(start_ms)]
            found += [instant for host in self._hosts.values() for instant in host.since(start_ms)]
        return list(dict.fromkeys(where for _, where in sorted(found)))

    def forget_before(self, segment: int) -> None:
        """The segments before this one have been deleted."""
        where = place(segment, 0)
        with self._lock:
            for number in [number for number in self._laid if number < segment]:
                del self._laid[number]
            if self._written < segment:
                self._hosts = {}
            for schema_id in [known for known, at in self._schemas.items() if at < where]:
                del self._schemas[schema_id]

    def _turn_to(self, segment: int) -> None:
        """Lay together what is known of the one before."""
        if self._hosts:
            self._laid[self._written] = _Laid(self._hosts)
        self._written, self._hosts = segment, {}


def _may_lie(last_ms: Ints, longest_ms: int, start_ms: int, end_ms: int) -> Bools:
    """Which of a host's pushes may have a frame in this time."""
    return (last_ms >= start_ms) & (last_ms <= end_ms + longest_ms)


def _since(last_ms: Ints, places: Ints, start_ms: int) -> Iterator[Instant]:
    wanted = last_ms >= start_ms
    return zip(last_ms[wanted].tolist(), places[wanted].tolist(), strict=True)
