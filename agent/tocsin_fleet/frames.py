"""Schemas, frames and pushes, packed as `tocsin_protocol.wire` has them."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgpack

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind

Entry = tuple[str, SeriesKind, Mapping[str, str]]
Packed = tuple[int, int, int, list[int], bytes]
"""A frame as it stands in a push: epoch, seq, schema id, times in milliseconds, matrix."""


def pack_schema(entries: Sequence[Entry], host: str = "") -> bytes:
    """A schema's bytes, as the contract has them."""
    series = [
        [name, int(kind), [word for pair in sorted(labels.items()) for word in pair]]
        for name, kind, labels in entries
    ]
    packed: bytes = msgpack.packb([host, series])
    return packed


def pack_push(frames: Sequence[Packed], schemas: Sequence[bytes], *, now_ms: int) -> bytes:
    """The body of a push."""
    return zlib.compress(msgpack.packb([wire.VERSION, now_ms, schemas, frames]), 1)


@dataclass(frozen=True)
class PushFrame:
    """One frame, ready to be packed."""

    seq: int
    schema: bytes
    time_ms: int
    values: Sequence[float]

    def packed(self, epoch: int) -> Packed:
        """As it stands in a push of this run."""
        matrix = struct.pack(f"<{len(self.values)}d", *self.values)
        return (epoch, self.seq, wire.schema_id(self.schema), [self.time_ms], matrix)


def push_body(epoch: int, frames: Sequence[PushFrame], *, now_ms: int, schemas: bool) -> bytes:
    """The body of a push; with the frames' schemas or without."""
    wanted = list({frame.schema: None for frame in frames}) if schemas else []
    return pack_push([frame.packed(epoch) for frame in frames], wanted, now_ms=now_ms)
