"""A collection becomes a frame: times and numbers, under a schema that names them once.

A series that is absent from a collection is sent as the staleness marker, under the schema that still names
it: so a series that comes and goes costs no new schema each time. A schema without it follows when it has
been away for a while, or when it would burst the schema.

This host and each device that is probed from it have framers of their own, which share one numbering.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import msgpack

from tocsin_agent.readings import Labels, Sample
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import MAX_SERIES_PER_SCHEMA, STALE_NAN, schema_id

_ABSENT_UNTIL_GONE = 6
"""Collections without a series until the schema forgets it: a minute at the usual interval."""

SeriesKey = tuple[str, Labels]


class Schema(NamedTuple):
    """The names of a frame's columns, packed as the contract has them."""

    id: int
    packed: bytes


class Frame(NamedTuple):
    """One instant of one host; `packed` is the frame as it stands in a push."""

    epoch: int
    seq: int
    schema_id: int
    time_ms: int
    packed: bytes


FrameKey = tuple[int, int]
"""Epoch and sequence number: what names a frame for ever."""


def pack_schema(series: Sequence[tuple[SeriesKey, SeriesKind]], *, host: str = "") -> Schema:
    """The schema of a device with these series; of the agent's own host where none is named."""
    entries = [
        (name, int(kind), [word for label in labels for word in label]) for (name, labels), kind in series
    ]
    packed: bytes = msgpack.packb((host, entries))
    return Schema(schema_id(packed), packed)


def pack_frame(*, epoch: int, seq: int, schema: Schema, time_ms: int, values: Sequence[float]) -> Frame:
    """A frame at one instant, its values in the schema's order."""
    matrix = struct.pack(f"<{len(values)}d", *values)
    packed: bytes = msgpack.packb((epoch, seq, schema.id, (time_ms,), matrix))
    return Frame(epoch, seq, schema.id, time_ms, packed)


class Framer:
    """Makes the frames of one host in one run (`epoch`); `schema` is that of the last frame.

    `numbers` is the run's numbering from 0, shared by all framers of the run whatever thread they are used by:
    a step of `itertools.count` is one step of the interpreter. `host` is empty for the agent's own.
    """

    def __init__(
        self,
        epoch: int,
        *,
        host: str = "",
        numbers: Iterator[int] | None = None,
        most_series: int = MAX_SERIES_PER_SCHEMA,
    ) -> None:
        self.schema = Schema(0, b"")
        self._epoch = epoch
        self._host = host
        self._numbers = count() if numbers is None else numbers
        self._most_series = most_series
        self._kinds: dict[SeriesKey, SeriesKind] = {}
        self._absences: dict[SeriesKey, int] = {}
        self._names: tuple[str, ...] = ()
        self._labels: tuple[Labels, ...] = ()
        self._positions: list[int] = []
        self._is_in_order = True

    def frame(self, samples: Sequence[Sample], *, time_ms: int) -> Frame:
        """The next frame. Where a series stands twice among the samples, the later one counts."""
        names, _, labels, values = zip(*samples, strict=True)
        # Nearly always the same series come in the same order: two comparisons instead of hundreds of hashes.
        is_usual = names == self._names and labels == self._labels
        if not is_usual or self._absences:
            self._settle(samples)
            self._names, self._labels = names, labels
        row = values if self._is_in_order else self._arranged(values)
        return pack_frame(
            epoch=self._epoch, seq=next(self._numbers), schema=self.schema, time_ms=time_ms, values=row
        )

    def _arranged(self, values: Sequence[float]) -> Sequence[float]:
        row = [STALE_NAN] * len(self._kinds)
        for position, value in zip(self._positions, values, strict=True):
            row[position] = value
        return row

    def _settle(self, samples: Sequence[Sample]) -> None:
        """Decide which series the schema names now, and where each sample stands in it."""
        present: dict[SeriesKey, SeriesKind] = {(sample.name, sample.labels): sample.kind for sample in samples}
        absences = {key: self._absences.get(key, 0) + 1 for key in self._kinds if key not in present}
        kept = {key: times for key, times in absences.items() if times <= _ABSENT_UNTIL_GONE}
        if len(present) + len(kept) > self._most_series:
            kept = {}
        kinds = {key: kind for key, kind in self._kinds.items() if key in present or key in kept} | present
        if kinds != self._kinds:
            self.schema = pack_schema(list(kinds.items()), host=self._host)
        self._kinds, self._absences = kinds, kept
        places = {key: position for position, key in enumerate(kinds)}
        self._positions = [places[sample.name, sample.labels] for sample in samples]
        self._is_in_order = self._positions == list(range(len(kinds)))
