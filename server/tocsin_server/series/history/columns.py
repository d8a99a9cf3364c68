"""Series as few bytes, before they are compressed: each row in the form that suits it.

    CONSTANT  one number: half of what a host sends never changes within the hour
    OFFSET    whole multiples of a power of ten, less the smallest: gauges that jump
    DELTA     each less the one before it: counters
    SLOPE     each difference less the one before it: counters that grow evenly
    BITS      the bits of each, exclusive or those before: what is no decimal number

Multiples are used only where the scale gives the very same bits again, so `-0.0`, infinities and every NaN go
as BITS. There are two scales a power, since `7 / 1000` and `7 * 0.001` are different numbers, and exporters do
either. Stale markers stand apart, a bit an instant, and do not spoil a row's form; their place is taken by
the value before. Differences are stored as the bytes that the largest of the row needs, lowest bytes first and
together, because equal bytes compress best side by side.

    body   forms [s] · scales [s] · widths [s] · bases [8, s] · gaps · for each form and width: [rows, width, n]
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin_server.series.arrays import Bools, Floats, Ints, Places, is_stale, stale
from tocsin_server.series.history.errors import Damaged

Bytes = NDArray[np.uint8]

CONSTANT, OFFSET, DELTA, SLOPE, BITS = range(5)
HAS_GAPS = 0x80
DIVIDED = np.array([1.0, 10.0, 1e2, 1e3, 1e6, 1e9])
TIMES = np.array([1e-2, 1e-3, 1e-6, 1e-9])
SCALES = len(DIVIDED) + len(TIMES)
"""A scale is a place in both, one behind the other."""
_FIRST_LOOK = 16
_EXACT = float(1 << 53)
"""Whole numbers up to here are the same in float64."""
_HEAD_BYTES = 3 + 8


class _Heads(NamedTuple):
    """What is known of each row before its differences."""

    forms: Bytes
    scales: Bytes
    widths: Bytes
    bases: Ints


def pack_columns(values: Floats) -> bytes:
    """The body of these rows, `[series, instants]`, each of at least one instant."""
    missing = is_stale(values)
    gappy = np.asarray(missing.any(axis=1) & ~missing.all(axis=1))
    filled = _filled(values, missing, gappy)
    heads, differences = _formed(filled)
    heads.forms[gappy] |= HAS_GAPS
    parts = [heads.forms, heads.scales, heads.widths, _planes(heads.bases[None], 8)]
    parts += [np.packbits(missing[gappy], axis=1)]
    for _, width, rows in _groups(heads):
        parts.append(_planes(differences[rows], width))
    return b"".join(part.tobytes() for part in parts)


def unpack_columns(body: Bytes, series: int, instants: int, wanted: Places | None = None) -> Floats:
    """The rows again, all or those wanted, in the order asked; raises `Damaged` for a body that is none."""
    heads = _heads(body, series)
    gappy = (heads.forms & HAS_GAPS) != 0
    heads = heads._replace(forms=heads.forms & ~np.uint8(HAS_GAPS))
    _check(heads)
    gap_bytes = -(-instants // 8)
    begin = series * _HEAD_BYTES
    end = begin + int(gappy.sum()) * gap_bytes
    if len(body) != end + int(heads.widths.astype(np.int64).sum()) * instants:
        raise Damaged(f"{len(body)} bytes are not those of {series} series at {instants} instants")
    bits = np.empty((series, instants), np.int64)
    mine = np.ones(series, np.bool_)
    if wanted is not None:
        mine[:] = False
        mine[wanted] = True
    at = end
    for form, width, rows in _groups(heads):
        size = len(rows) * width * instants
        stored = body[at : at + size].reshape(len(rows), width, instants)
        at += size
        kept = mine[rows]
        bits[rows[kept]] = _restored(form, _joined(stored[kept]), heads, rows[kept])
    gaps = body[begin:end].reshape(-1, gap_bytes)
    _mark(bits, gaps, np.flatnonzero(gappy), mine)
    return (bits if wanted is None else bits[wanted]).view(np.float64)


def _filled(values: Floats, missing: Bools, gappy: Bools) -> Ints:
    """The bits with gaps closed by the value before, at the beginning by the first."""
    bits = values.view(np.int64).copy()
    holes = missing[gappy]
    instants = np.arange(values.shape[1])
    before = np.maximum.accumulate(np.where(holes, -1, instants), axis=1)
    source = np.where(before < 0, np.argmin(holes, axis=1)[:, None], before)
    bits[gappy] = np.take_along_axis(bits[gappy], source, axis=1)
    return bits


def _formed(bits: Ints) -> tuple[_Heads, Ints]:
    """The form of each row, and its differences as numbers that are small without a sign."""
    count = len(bits)
    heads = _Heads(
        np.full(count, BITS, np.uint8), np.zeros(count, np.uint8), np.zeros(count, np.uint8), bits[:, 0].copy()
    )
    differences = np.zeros_like(bits)
    changing = np.flatnonzero((bits != bits[:, :1]).any(axis=1))
    heads.forms[:] = CONSTANT
    heads.forms[changing] = BITS
    differences[changing, 1:] = bits[changing, 1:] ^ bits[changing, :-1]
    for scale, rows, multiples in _decimals(bits, changing):
        forms, bases, small = _least(multiples)
        heads.forms[rows], heads.scales[rows], heads.bases[rows] = forms, scale, bases
        differences[rows] = small
    heads.widths[:] = _widths(differences)
    return heads, differences


def _decimals(bits: Ints, rows: Places) -> Iterator[tuple[int, Places, Ints]]:
    """Rows that are whole multiples at a scale, by the first that does; the multiples.

    Most scales are ruled out by the first samples.
    """
    for scale in range(SCALES):
        likely = rows[_multiples(bits[rows, :_FIRST_LOOK], scale)[1]]
        multiples, fits = _multiples(bits[likely], scale)
        yield scale, likely[fits], multiples[fits]
        rows = np.setdiff1d(rows, likely[fits], assume_unique=True)


def _multiples(bits: Ints, scale: int) -> tuple[Ints, Bools]:
    values = bits.view(np.float64)
    with np.errstate(all="ignore"):
        scaled = np.rint(_unscaled(values, scale))
        inside = np.abs(scaled) < _EXACT
    multiples = np.where(inside, scaled, 0).astype(np.int64)
    again = _scaled(multiples, np.full((len(bits), 1), scale))
    return multiples, np.asarray(inside.all(axis=1) & (again.view(np.int64) == bits).all(axis=1))


def _unscaled(values: Floats, scale: int) -> Floats:
    if scale < len(DIVIDED):
        return np.asarray(values * DIVIDED[scale])
    return np.asarray(values / TIMES[scale - len(DIVIDED)])


def _scaled(multiples: Ints, scales: Places) -> Floats:
    """What multiples mean, `scales` being `[rows, 1]`: one operation, as whoever made them had it."""
    is_divided = scales < len(DIVIDED)
    divisor = np.where(is_divided, DIVIDED[np.where(is_divided, scales, 0)], 1.0)
    factor = np.where(is_divided, 1.0, TIMES[np.where(is_divided, 0, scales - len(DIVIDED))])
    return np.asarray(multiples * factor / divisor)


def _least(multiples: Ints) -> tuple[Bytes, Ints, Ints]:
    """Of the three forms of whole numbers the one with the fewest bits in all, row by row."""
    low = multiples.min(axis=1)
    steps = np.diff(multiples, axis=1, prepend=multiples[:, :1])
    slopes = np.diff(steps, axis=1, prepend=0)
    choices = np.stack([multiples - low[:, None], _zigzag(steps), _zigzag(slopes)])
    chosen = np.log2(choices + 1.0).sum(axis=2).argmin(axis=0)
    bases = np.where(chosen == 0, low, multiples[:, 0])
    return (chosen + OFFSET).astype(np.uint8), bases, choices[chosen, np.arange(len(multiples))]


def _zigzag(numbers: Ints) -> Ints:
    return np.asarray(numbers << 1 ^ numbers >> 63)


def _widths(differences: Ints) -> Bytes:
    """How many bytes the largest of each row needs."""
    largest = np.bitwise_or.reduce(differences, axis=1).astype("<i8").view(np.uint8).reshape(-1, 8)
    return np.where(largest.any(axis=1), 8 - np.argmax(largest[:, ::-1] != 0, axis=1), 0).astype(np.uint8)


def _groups(heads: _Heads) -> Iterator[tuple[int, int, Places]]:
    """Rows of the same form and width, in the order in which they are stored."""
    keys = (heads.forms & ~np.uint8(HAS_GAPS)).astype(np.int64) * 16 + heads.widths
    for key in np.unique(keys).tolist():
        yield key // 16, key % 16, np.flatnonzero(keys == key)


def _planes(numbers: Ints, width: int) -> Bytes:
    """`[rows, width, n]`: the lowest bytes of a row together, then the next."""
    octets = np.ascontiguousarray(numbers, "<i8").view(np.uint8).reshape(*numbers.shape, 8)
    return np.ascontiguousarray(octets[..., :width].transpose(0, 2, 1))


def _joined(planes: Bytes) -> Ints:
    """The reverse of `_planes`."""
    rows, width, count = planes.shape
    octets = np.zeros((rows, count, 8), np.uint8)
    octets[..., :width] = planes.transpose(0, 2, 1)
    return np.asarray(octets.view("<i8")[..., 0], np.int64)


def _heads(body: Bytes, series: int) -> _Heads:
    if len(body) < series * _HEAD_BYTES:
        raise Damaged(f"{len(body)} bytes are too few for {series} series")
    forms, scales, widths = body[: 3 * series].reshape(3, series)
    bases = _joined(body[3 * series : _HEAD_BYTES * series].reshape(1, 8, series))[0]
    return _Heads(forms, scales, widths, bases)


def _check(heads: _Heads) -> None:
    whole = (heads.forms >= OFFSET) & (heads.forms <= SLOPE)
    sound = (heads.forms <= BITS) & (heads.widths <= 8)
    sound &= (heads.forms != CONSTANT) | (heads.widths == 0)
    sound &= (heads.scales < SCALES) & (whole | (heads.scales == 0))
    if not sound.all():
        raise Damaged(f"series {int(np.argmin(sound))} is in no form that there is")


def _restored(form: int, differences: Ints, heads: _Heads, rows: Places) -> Ints:
    """The bits of the values."""
    base = heads.bases[rows, None]
    if form == CONSTANT:
        return np.broadcast_to(base, differences.shape)
    if form == BITS:
        return np.bitwise_xor.accumulate(np.concatenate([base ^ differences[:, :1], differences[:, 1:]], 1), 1)
    if form != OFFSET:
        differences = (differences >> 1 & np.int64((1 << 63) - 1)) ^ -(differences & 1)
    for _ in range(form - OFFSET):
        differences = np.cumsum(differences, axis=1)
    return _scaled(base + differences, heads.scales[rows, None].astype(np.intp)).view(np.int64)


def _mark(bits: Ints, gaps: Bytes, gappy: Places, mine: Bools) -> None:
    """Put stale markers where they were."""
    kept = mine[gappy]
    holes = np.unpackbits(gaps[kept], axis=1, count=bits.shape[1]).astype(np.bool_)
    rows = gappy[kept]
    bits[rows] = np.where(holes, stale(1).view(np.int64), bits[rows])
