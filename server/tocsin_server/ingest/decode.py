"""A push's body, decoded strictly: every limit of the contract is checked before anything is believed.

Order matters. The compressed size is capped by the edge, the inflated size while it inflates, and msgspec
looks at an array's announced length before it makes room for it (measured: a body that announces 16 million
entries is refused within a kilobyte). So no body makes the server hold more than `MAX_INFLATED_BYTES` and
what stands in it.

    bytes that are no zlib stream or no msgpack     Refused        400
    more than a push may carry                      TooLarge       413
    another version, or content that makes no sense Unprocessable  422
"""

import functools
import re
import zlib
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.errors import Refused, TooLarge, Unprocessable
from tocsin_server.series.arrays import Floats
from tocsin_server.series.schema import Schema, SeriesEntry

FUTURE_TOLERANCE_MS = 5000
_SPOOL_MS = wire.SPOOL_HOURS * 3_600_000
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999: what a date can say."""
_REMEMBERED_ENTRIES = 1 << 17

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)

_Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
_Millis = Annotated[int, Meta(ge=0, le=_LAST_MS)]


class PushedFrame(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """One frame as it stands in a push."""

    epoch: _Number
    seq: _Number
    schema_id: Annotated[int, Meta(ge=0)]
    times_ms: Annotated[list[_Millis], Meta(min_length=1, max_length=wire.MAX_TIMES_PER_FRAME)]
    matrix: bytes

    def samples(self, series: int) -> Floats:
        """The matrix `[times, series]`; its size must be exact."""
        rows = len(self.times_ms)
        if len(self.matrix) != rows * series * 8:
            raise Unprocessable(
                f"frame {self.epoch}/{self.seq} holds {len(self.matrix)} bytes of samples,"
                f" {rows} × {series} series need {rows * series * 8}"
            )
        return np.frombuffer(self.matrix, dtype="<f8").reshape(rows, series)


class Push(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """What an agent sends at once."""

    version: Annotated[int, Meta(ge=wire.VERSION, le=wire.VERSION)]
    now_ms: _Millis
    schemas: Annotated[list[bytes], Meta(max_length=wire.MAX_FRAMES_PER_PUSH)]
    frames: Annotated[list[PushedFrame], Meta(max_length=wire.MAX_FRAMES_PER_PUSH)]


class _SeriesSaid(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    name: str
    kind: SeriesKind
    words: Annotated[list[str], Meta(max_length=2 * wire.MAX_LABELS_PER_SERIES)]


class _SchemaSaid(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    host: Annotated[str, Meta(max_length=wire.MAX_NAME_BYTES)]
    series: Annotated[list[_SeriesSaid], Meta(min_length=1, max_length=wire.MAX_SERIES_PER_SCHEMA)]


class ToldSchema(NamedTuple):
    """A schema as an agent has told it, and its bytes (deflated) for the journal."""

    schema: Schema
    deflated: bytes


_push_decoder = msgspec.msgpack.Decoder(Push)
_schema_decoder = msgspec.msgpack.Decoder(_SchemaSaid)


def decode_push(body: bytes) -> Push:
    """The push in this body; raises a `Refused` kind for any other bytes."""
    inflated = inflate(body)
    try:
        return _push_decoder.decode(inflated)
    except msgspec.ValidationError as error:
        raise _explain(inflated, error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the push is no msgpack ({error})") from error


def inflate(body: bytes) -> bytes:
    """Inflate within the cap; exactly one whole zlib stream is accepted."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(body, wire.MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise Refused(f"the body cannot be inflated ({error})") from error
    if stream.unconsumed_tail:
        raise TooLarge(f"a push holds at most {wire.MAX_INFLATED_BYTES} bytes inflated", remedy="split it")
    if not stream.eof:
        raise Refused(f"the body is cut off after {len(body)} bytes")
    if stream.unused_data:
        raise Refused(f"{len(stream.unused_data)} bytes follow the compressed body")
    return inflated


def tell(packed: bytes) -> ToldSchema:
    """A schema from its packed bytes, with what the journal needs of it."""
    return ToldSchema(decode_schema(packed), zlib.compress(packed, 1))


def decode_schema(packed: bytes) -> Schema:
    """The schema in these bytes; every name, label and count is checked."""
    try:
        said = _schema_decoder.decode(packed)
    except msgspec.ValidationError as error:
        raise Unprocessable(f"a schema makes no sense: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"a schema is no msgpack ({error})") from error
    series = tuple(_entry(one.name, one.kind, tuple(one.words)) for one in said.series)
    if len(set(series)) != len(series):
        twice = next(entry for entry in series if series.count(entry) > 1)
        raise Unprocessable(f"a schema has {twice.name}{dict(twice.labels)} twice")
    return Schema(wire.schema_id(packed), said.host, series)


def settled_times(times_ms: Sequence[int], *, now_ms: int, received_ms: int) -> list[int]:
    """The times with those in the future moved to what they probably were.

    `now_ms` is the sender's clock as it sent: a clock that is ahead is ahead in its times too, so the lead is
    taken off. Where that gives no believable time, the sample is as old as its receipt.
    """
    limit_ms = received_ms + FUTURE_TOLERANCE_MS
    if max(times_ms) <= limit_ms:
        return list(times_ms)
    lead_ms = now_ms - received_ms
    return [time if time <= limit_ms else _back(time - lead_ms, received_ms) for time in times_ms]


def _back(time_ms: int, received_ms: int) -> int:
    return time_ms if received_ms - _SPOOL_MS <= time_ms <= received_ms else received_ms


@functools.lru_cache(_REMEMBERED_ENTRIES)
def _entry(name: str, kind: SeriesKind, words: tuple[str, ...]) -> SeriesEntry:
    """One series, checked. Remembered: hosts of a kind send the same, and then they share it."""
    if len(name) > wire.MAX_NAME_BYTES or not _METRIC.fullmatch(name):
        raise Unprocessable(f"{name[:60]!r} is no metric name")
    if len(words) % 2:
        raise Unprocessable(f"a label of {name} has no value")
    names, values = words[::2], words[1::2]
    if list(names) != sorted(set(names)):
        raise Unprocessable(f"the labels of {name} must be sorted by name, each there once")
    for label, value in zip(names, values, strict=True):
        _check_label(name, label, value)
    # To Prometheus an empty label is an absent one.
    labels = tuple((label, value) for label, value in zip(names, values, strict=True) if value)
    return SeriesEntry(name, kind, labels)


def _check_label(name: str, label: str, value: str) -> None:
    if len(label) > wire.MAX_NAME_BYTES or not _LABEL.fullmatch(label):
        raise Unprocessable(f"{label[:60]!r} of {name} is no label name")
    if len(value) > wire.MAX_LABEL_VALUE_BYTES or len(value.encode()) > wire.MAX_LABEL_VALUE_BYTES:
        raise Unprocessable(
            f"{label} of {name} is longer than {wire.MAX_LABEL_VALUE_BYTES} bytes: {value[:60]!r}…"
        )


def _explain(inflated: bytes, error: msgspec.ValidationError) -> Refused:
    """Another version is told apart from nonsense: its remedy is another."""
    version = _version(inflated)
    if version is not None and version != wire.VERSION:
        return Unprocessable(
            f"the push has version {version}, this server speaks {wire.VERSION}",
            remedy="update whichever of agent and server is older",
        )
    if "of length <=" in str(error) and ("`$[2]`" in str(error) or "`$[3]`" in str(error)):
        return TooLarge(f"a push carries at most {wire.MAX_FRAMES_PER_PUSH} frames", remedy="split it")
    return Unprocessable(f"the push makes no sense: {error}")


def _version(inflated: bytes) -> int | None:
    """What stands first in a short array, where it is a small number."""
    is_array = len(inflated) >= 2 and 0x90 < inflated[0] <= 0x9F
    return inflated[1] if is_array and inflated[1] < 0x80 else None
