"""Decoding believes nothing: every body is a push within the limits, or refused by a kind of `Refused`."""

import math
import struct
import tracemalloc
import zlib

import msgpack
import numpy as np
import pytest
from bench.fleet import PushFrame, pack_schema, push_body
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.errors import Refused, TooLarge, Unprocessable
from tocsin_server.ingest.decode import decode_push, decode_schema, inflate, settled_times
from tocsin_server.series.arrays import is_stale

SCHEMA = pack_schema([("node_load1", SeriesKind.GAUGE, {}), ("node_load5", SeriesKind.GAUGE, {})])
NOW = 1_700_000_000_000
GOOD = push_body(7, [PushFrame(n, SCHEMA, NOW, [1.0, float(n)]) for n in range(3)], now_ms=NOW, schemas=True)


def understood(body: bytes) -> bool:
    """Whether this is a push; any other error than a refusal fails the test."""
    try:
        push = decode_push(body)
        schemas = {schema.id: schema for schema in map(decode_schema, push.schemas)}
        for frame in push.frames:
            if frame.schema_id in schemas:
                frame.samples(len(schemas[frame.schema_id].series))
    except Refused:
        return False
    return True


def test_a_push_comes_out_as_it_went_in() -> None:
    push = decode_push(GOOD)

    assert [(frame.epoch, frame.seq, frame.times_ms) for frame in push.frames] == [
        (7, 0, [NOW]),
        (7, 1, [NOW]),
        (7, 2, [NOW]),
    ]
    assert push.frames[2].samples(2).tolist() == [[1.0, 2.0]]
    assert decode_schema(push.schemas[0]).id == wire.schema_id(SCHEMA)


def test_every_bit_pattern_of_a_float_passes_unchanged() -> None:
    values = [wire.STALE_NAN, math.nan, math.inf, -math.inf, -0.0]
    schema = pack_schema([("node_load1", SeriesKind.GAUGE, {"n": str(n)}) for n in range(5)])

    push = decode_push(push_body(1, [PushFrame(0, schema, NOW, values)], now_ms=NOW, schemas=True))

    samples = push.frames[0].samples(5)
    assert samples.tobytes() == struct.pack("<5d", *values)
    assert is_stale(np.array(samples)).tolist() == [[True, False, False, False, False]]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_push_or_refused(body: bytes) -> None:
    understood(body)
    understood(zlib.compress(body))


@given(st.integers(0, len(zlib.decompress(GOOD)) - 1), st.integers(0, 255))
def test_a_push_with_any_byte_changed_is_a_push_or_refused(at: int, byte: int) -> None:
    inflated = bytearray(zlib.decompress(GOOD))
    inflated[at] = byte

    understood(zlib.compress(bytes(inflated), 1))


@given(st.integers(0, len(GOOD) - 1))
def test_a_push_that_is_cut_off_anywhere_is_refused(length: int) -> None:
    assert not understood(GOOD[:length])


LEAVES = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary()
)
NESTED = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@settings(max_examples=share(50))
@given(NESTED, NESTED)
def test_any_values_in_any_place_are_a_push_or_refused(schema, frame) -> None:
    packed = msgpack.packb(schema)

    understood(zlib.compress(msgpack.packb([1, NOW, [packed], [frame]])))
    understood(zlib.compress(msgpack.packb([1, NOW, [SCHEMA], [[1, 1, frame, [NOW], b""]]])))


BOMBS = {
    "zeros": bytes(wire.MAX_INFLATED_BYTES + 1),
    "announces 4 billion frames": b"\x94\x01\x01\x90\xdd\xff\xff\xff\xff",
    "8 million empty schemas": b"\x94\x01\x01\xdd\x00\x7f\xff\xff" + b"\xc4\x00" * 0x7FFFFF,
    "16 million times": b"\x94\x01\x01\x90\x91\x95\x01\x01\x01\xdd\x00\xff\xff\xe0" + b"\x01" * 0xFFFFE0,
    "announces a schema of 2 GB": b"\x94\x01\x01\x91\xc6\x7f\xff\xff\xff",
    "a million arrays in each other": b"\x91" * 1_000_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_body_takes_more_memory_than_the_cap(bomb: str) -> None:
    body = zlib.compress(BOMBS[bomb], 1)
    tracemalloc.start()

    is_push = understood(body)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not is_push
    assert peak < 2 * wire.MAX_INFLATED_BYTES + (1 << 20)


def test_a_stream_that_inflates_too_far_is_too_large() -> None:
    assert len(inflate(zlib.compress(bytes(wire.MAX_INFLATED_BYTES), 1))) == wire.MAX_INFLATED_BYTES
    with pytest.raises(TooLarge):
        inflate(zlib.compress(bytes(wire.MAX_INFLATED_BYTES + 1), 1))


def schema_of(*series, host: str = "") -> bytes:
    return msgpack.packb([host, list(series)])


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (schema_of(["", 1, []]), "no metric name"),
        (schema_of(["node load", 1, []]), "no metric name"),
        (schema_of(["nodé", 1, []]), "no metric name"),
        (schema_of(["a" * 201, 1, []]), "no metric name"),
        (schema_of(["a\n", 1, []]), "no metric name"),
        (schema_of(["a", 1, ["b"]]), "no value"),
        (schema_of(["a", 1, ["b:c", "d"]]), "no label name"),
        (schema_of(["a", 1, ["b" * 201, "d"]]), "no label name"),
        (schema_of(["a", 1, ["c", "1", "b", "1"]]), "sorted"),
        (schema_of(["a", 1, ["b", "1", "b", "2"]]), "sorted"),
        (schema_of(["a", 1, ["b", "x" * 1025]]), "longer than"),
        (schema_of(["a", 1, ["b", "é" * 513]]), "longer than"),
        (schema_of(["a", 1, [w for n in range(31) for w in (f"l{n:02}", "v")]]), "length"),
        (schema_of(["a", 9, []]), "9"),  # no kind of series
        (schema_of(["a", 1, []], ["a", 1, []]), "twice"),
        (schema_of(["a", 1, []], ["a", 1, ["b", ""]]), "twice"),  # an empty label is an absent one
        (schema_of(), "length"),
        (schema_of(*[["a", 1, []]] * 5001), "length"),
    ],
    ids=range(18),
)
def test_a_schema_outside_the_limits_is_refused(packed: bytes, said: str) -> None:
    with pytest.raises(Unprocessable, match=said):
        decode_schema(packed)


def test_limits_themselves_are_within() -> None:
    words = [w for n in range(30) for w in (f"l{n:02}", "é" * 512)]

    schema = decode_schema(schema_of(["a" * 200, 2, words], *[["m", 1, ["n", str(n)]] for n in range(4999)]))

    assert len(schema.series) == wire.MAX_SERIES_PER_SCHEMA


def test_hosts_of_a_kind_share_what_their_series_are_called() -> None:
    one = decode_schema(schema_of(["node_load1", 1, ["a", "b"]]))
    other = decode_schema(schema_of(["node_load1", 1, ["a", "b"]], ["node_load5", 1, []]))

    assert one.series[0] is other.series[0]


@given(
    st.lists(st.integers(0, 2 * NOW), min_size=1, max_size=8),
    st.integers(0, 2 * NOW),
)
def test_settled_times_are_never_in_the_future(times: list[int], now_ms: int) -> None:
    settled = settled_times(times, now_ms=now_ms, received_ms=NOW)

    assert max(settled) <= NOW + 5000
    for before, after in zip(times, settled, strict=True):
        assert after == before or (before > NOW + 5000 and NOW - 72 * 3_600_000 <= after <= NOW)
