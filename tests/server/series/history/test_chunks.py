"""A chunk gives back every bit, and no other bytes pass for one."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.series.history.arrays import HOUR_MS, bits, matrices

from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.history.chunks import VERSION, pack_chunk, unpack_chunk
from tocsin_server.series.history.errors import Damaged

TIMES = HOUR_MS + np.arange(360) * 10_000


def sealed(series: int, instants: int, size: int, deflated: bytes) -> bytes:
    """A chunk with a right checksum, whatever is in it."""
    content = struct.pack("<III", series, instants, size) + deflated
    return struct.pack("<BI", VERSION, zlib.crc32(content, VERSION)) + content


@given(matrices())
@settings(max_examples=share(100), deadline=None)
def test_what_is_packed_is_unpacked_to_the_bit(drawn):
    times, values = drawn

    again_times, again = unpack_chunk(pack_chunk(times, values))

    assert again_times.tolist() == times.tolist()
    assert bits(again) == bits(values)


@given(matrices(), st.randoms(use_true_random=False))
@settings(max_examples=share(60), deadline=None)
def test_some_columns_are_read_as_all_are(drawn, chance):
    times, values = drawn
    wanted = np.array(chance.sample(range(len(values)), chance.randint(0, len(values))), np.intp)

    _, some = unpack_chunk(pack_chunk(times, values), wanted)

    assert bits(some) == bits(values[wanted])


@given(matrices(), st.data())
@settings(max_examples=share(100), deadline=None)
def test_a_byte_that_is_changed_is_noticed(drawn, data):
    chunk = bytearray(pack_chunk(*drawn))
    place = data.draw(st.integers(0, len(chunk) - 1))
    chunk[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Damaged):
        unpack_chunk(bytes(chunk))


@given(matrices(), st.data())
@settings(max_examples=share(60), deadline=None)
def test_a_chunk_that_is_cut_or_has_a_tail_is_refused(drawn, data):
    chunk = pack_chunk(*drawn)
    cut = chunk[: data.draw(st.integers(0, len(chunk) - 1))]

    for other in (cut, chunk + b"\0"):
        with pytest.raises(Damaged):
            unpack_chunk(other)


@given(st.binary(max_size=80), st.integers(0, 1 << 20), st.integers(0, 1 << 15), st.integers(0, 400))
@settings(max_examples=share(100), deadline=None)
def test_a_hostile_body_with_a_right_checksum_raises_damaged_or_is_read(body, series, instants, size):
    for deflated in (body, zlib.compress(body)):
        for counted in (size, len(body)):
            chunk = sealed(series, instants, counted, deflated)
            try:
                times, values = unpack_chunk(chunk)
            except Damaged:
                continue
            assert values.shape == (series, instants)
            assert (np.diff(times) > 0).all()


@given(matrices(most_series=3, most_instants=6), st.data())
@settings(max_examples=share(100), deadline=None)
def test_a_byte_of_the_body_changed_before_sealing_raises_damaged_or_is_read(drawn, data):
    times, values = drawn
    body = bytearray(zlib.decompress(pack_chunk(times, values)[17:]))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    chunk = sealed(*values.shape, len(body), zlib.compress(bytes(body)))

    try:
        _, again = unpack_chunk(chunk)
    except Damaged:
        return
    assert again.shape == values.shape


def test_a_bomb_is_not_inflated():
    bomb = zlib.compress(bytes(64 << 20), 1)

    for size in (100, 64 << 20):
        with pytest.raises(Damaged):
            unpack_chunk(sealed(2, 3, size, bomb))


def test_counts_beyond_the_caps_are_refused_before_anything_is_made_of_them():
    for series, instants in ((0, 1), (1, 0), (1 << 17, 1), (1, 1 << 15), (1 << 16, 1 << 14)):
        with pytest.raises(Damaged, match="no chunk holds"):
            unpack_chunk(sealed(series, instants, 10, b""))


def test_another_version_is_told():
    chunk = pack_chunk(TIMES, np.zeros((1, 360)))

    with pytest.raises(Damaged, match="version 9, this server reads 1"):
        unpack_chunk(b"\x09" + chunk[1:])


@pytest.mark.parametrize("times", [[5, 5], [5, 4], [0, 1 << 40]])
def test_instants_that_do_not_ascend_are_not_packed(times):
    with pytest.raises(ValueError, match="must ascend"):
        pack_chunk(np.array(times), np.zeros((1, 2)))


def test_nothing_is_not_packed():
    with pytest.raises(ValueError, match="no chunk holds 0 series"):
        pack_chunk(TIMES, np.zeros((0, 360)))


def test_what_never_changes_takes_next_to_nothing():
    chunk = pack_chunk(TIMES, np.full((100, 360), 16e9))

    assert len(chunk) < 300


def test_a_gap_does_not_spoil_the_form_of_a_counter():
    counter = np.cumsum(np.arange(360) % 7)[None].astype(np.float64)
    gappy = counter.copy()
    gappy[0, 100:110] = STALE_NAN

    whole, holed = pack_chunk(TIMES, counter), pack_chunk(TIMES, gappy)

    assert len(holed) < len(whole) + 60
    assert bits(unpack_chunk(holed)[1]) == bits(gappy)


@pytest.mark.parametrize("scale", [lambda whole: whole / 1000, lambda whole: whole * 0.001])
def test_thousandths_take_as_few_bytes_as_whole_numbers_however_they_were_made(scale):
    whole = np.cumsum(np.arange(360) * 7919 % 1000)[None].astype(np.float64)

    size, scaled = len(pack_chunk(TIMES, whole)), pack_chunk(TIMES, scale(whole))

    assert len(scaled) <= size + 1
    assert bits(unpack_chunk(scaled)[1]) == bits(scale(whole))


def test_a_negative_zero_stays_negative():
    values = np.array([[0.0, -0.0, 1.0, -0.0]])

    assert bits(unpack_chunk(pack_chunk(TIMES[:4], values))[1]) == bits(values)
