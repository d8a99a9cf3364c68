"""One host's hour as one sealed piece of bytes.

    chunk   version (1) · crc32 (4) · series (4) · instants (4) · body's bytes (4) · deflated body
    body    first instant (8) · steps in milliseconds, four planes of bytes · columns (`columns.py`)

The checksum covers all the rest. The counts are checked against the caps before anything is inflated, and
no more is inflated than they allow; a body that is shorter, longer or followed by something is refused.

zlib at level 6, because nothing is won by more: once rows are in their forms, 340 series of a real host come
to the same size with zstd at level 3, and deflating is a small part of the time.
"""

import struct
import zlib

import numpy as np

from tocsin_server.series.arrays import Floats, Ints, Places
from tocsin_server.series.history.columns import Bytes, pack_columns, unpack_columns
from tocsin_server.series.history.errors import Damaged
from tocsin_server.series.history.stretches import MAX_CELLS, MAX_INSTANTS, MAX_SERIES

VERSION = 1
LEVEL = 6
MAX_ROWS = 4 * MAX_SERIES
"""Roll-ups are chunks too, of four rows a series."""
_SEAL = struct.Struct("<BI")
_COUNTS = struct.Struct("<III")
_FIRST = struct.Struct("<q")
_EARLIEST, _LATEST = -(1 << 60), 1 << 60
_LONGEST_STEP_MS = (1 << 32) - 1


def pack_chunk(times: Ints, values: Floats) -> bytes:
    """The chunk of these samples, `[series, instants]`, at least one of each; instants ascend."""
    body = _pack_times(times) + pack_columns(np.ascontiguousarray(values))
    counted = _COUNTS.pack(*_within_caps(*values.shape), len(body))
    sealed = counted + zlib.compress(body, LEVEL)
    return _SEAL.pack(VERSION, _checksum(sealed)) + sealed


def unpack_chunk(chunk: bytes, wanted: Places | None = None) -> tuple[Ints, Floats]:
    """Instants, and all series or those wanted; raises `Damaged` for any other bytes."""
    if len(chunk) < _SEAL.size + _COUNTS.size:
        raise Damaged(f"a chunk of {len(chunk)} bytes is none")
    version, crc = _SEAL.unpack_from(chunk)
    if version != VERSION:
        raise Damaged(f"a chunk has version {version}, this server reads {VERSION}")
    sealed = memoryview(chunk)[_SEAL.size :]
    if _checksum(sealed) != crc:
        raise Damaged("the checksum of a chunk is not that of its bytes")
    series, instants, size = _COUNTS.unpack_from(sealed)
    _check_counts(series, instants, size)
    body = np.frombuffer(_inflated(sealed[_COUNTS.size :], size), np.uint8)
    columns = _times_bytes(instants)
    times = _unpack_times(body[:columns], instants)
    if wanted is not None and len(wanted) and not 0 <= wanted.min() <= wanted.max() < series:
        raise Damaged(f"a chunk of {series} series has no series {int(wanted.max())}")
    return times, unpack_columns(body[columns:], series, instants, wanted)


def _within_caps(series: int, instants: int) -> tuple[int, int]:
    if not (0 < series <= MAX_ROWS and 0 < instants <= MAX_INSTANTS and series * instants <= MAX_CELLS):
        raise ValueError(f"no chunk holds {series} series at {instants} instants")
    return series, instants


def _check_counts(series: int, instants: int, size: int) -> None:
    try:
        _within_caps(series, instants)
    except ValueError as error:
        raise Damaged(str(error)) from error
    most = _times_bytes(instants) + series * (11 + -(-instants // 8) + 8 * instants)
    if size > most:
        raise Damaged(f"a body of {size} bytes is longer than that of {series} series at {instants} instants")


def _checksum(sealed: bytes | memoryview) -> int:
    return zlib.crc32(sealed, VERSION)


def _inflated(deflated: memoryview, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(deflated, size + 1)
    except zlib.error as error:
        raise Damaged(f"a chunk cannot be inflated ({error})") from error
    if len(body) != size or not stream.eof or stream.unused_data:
        raise Damaged(f"a chunk does not hold the {size} bytes that it says")
    return body


def _times_bytes(instants: int) -> int:
    return _FIRST.size + 4 * (instants - 1)


def _pack_times(times: Ints) -> bytes:
    steps = np.diff(times)
    if len(times) and not _EARLIEST <= times[0] <= _LATEST:
        raise ValueError(f"{times[0]} is no time")
    if not ((steps > 0) & (steps <= _LONGEST_STEP_MS)).all():
        raise ValueError("instants must ascend, each there once, less than a month apart")
    planes = steps.astype("<u4").view(np.uint8).reshape(-1, 4).T
    return _FIRST.pack(int(times[0]) if len(times) else 0) + planes.tobytes()


def _unpack_times(body: Bytes, instants: int) -> Ints:
    if len(body) != _times_bytes(instants):
        raise Damaged(f"{len(body)} bytes are too few for {instants} instants")
    (first,) = _FIRST.unpack_from(body.data)
    planes = body[_FIRST.size :].reshape(4, instants - 1)
    steps = np.ascontiguousarray(planes.T).view("<u4")[:, 0].astype(np.int64)
    if not _EARLIEST <= first <= _LATEST or not (steps > 0).all():
        raise Damaged("the instants of a chunk do not ascend")
    return np.concatenate([[first], first + np.cumsum(steps)]).astype(np.int64)
