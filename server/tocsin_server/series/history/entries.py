"""The names, kinds and labels of a chunk's series, stored once for all hours of a day that have the same.

    entries   version (1) · inflated bytes (4) · deflated msgpack [[name, kind, [label, value, …]], …]

They are known by a hash of what they say, and read again only where the bytes still have it: so whatever is
read was written.
"""

import hashlib
import struct
import zlib
from collections.abc import Sequence

import msgspec

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.history.errors import Damaged
from tocsin_server.series.history.stretches import MAX_SERIES
from tocsin_server.series.schema import SeriesEntry

_VERSION = 1
_HEAD = struct.Struct("<BI")
MAX_BYTES = 64 << 20
_DIGEST_BYTES = 16


class _Said(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    name: str
    kind: SeriesKind
    words: list[str]


_decoder = msgspec.msgpack.Decoder(list[_Said])


def pack_entries(series: Sequence[SeriesEntry]) -> tuple[bytes, bytes]:
    """Hash and bytes."""
    said = [_Said(entry.name, entry.kind, [word for pair in entry.labels for word in pair]) for entry in series]
    packed = msgspec.msgpack.encode(said)
    if len(packed) > MAX_BYTES:
        raise ValueError(f"the names of {len(series)} series take {len(packed)} bytes")
    return _digest(packed), _HEAD.pack(_VERSION, len(packed)) + zlib.compress(packed)


def unpack_entries(digest: bytes, content: bytes) -> tuple[SeriesEntry, ...]:
    """The series; raises `Damaged` for bytes that do not have this hash."""
    packed = _inflated(content)
    if _digest(packed) != digest:
        raise Damaged("the names of a chunk's series are not those that were written")
    try:
        said = _decoder.decode(packed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"the names of a chunk's series cannot be read ({error})") from error
    if len(said) > MAX_SERIES or any(len(one.words) % 2 for one in said):
        raise Damaged("the names of a chunk's series make no sense")
    return tuple(_entry(one) for one in said)


def _entry(said: _Said) -> SeriesEntry:
    words = said.words
    return SeriesEntry(said.name, said.kind, tuple(zip(words[::2], words[1::2], strict=True)))


def _digest(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).digest()


def _inflated(content: bytes) -> bytes:
    if len(content) < _HEAD.size or content[0] != _VERSION:
        raise Damaged("the names of a chunk's series are in no version that there is")
    _, size = _HEAD.unpack_from(content)
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(content[_HEAD.size :], min(size, MAX_BYTES) + 1)
    except zlib.error as error:
        raise Damaged(f"the names of a chunk's series cannot be inflated ({error})") from error
    if len(packed) != size or not stream.eof or stream.unused_data:
        raise Damaged(f"the names of a chunk's series do not take the {size} bytes that it says")
    return packed
