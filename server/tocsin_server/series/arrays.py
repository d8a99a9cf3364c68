"""Names for the arrays that samples travel in, and the one test that tells a stale marker from a value."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tocsin_protocol.wire import STALE_BITS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
"""Numbers of rows: what numpy indexes with fastest."""

S = TypeVar("S", bound=np.generic)

NEVER = -(1 << 62)
"""A time before every window: the time of a cell that was never written."""


def stale(size: int | tuple[int, ...]) -> Floats:
    """An array of stale markers, made from the bits: arithmetic would quieten the NaN."""
    return np.full(size, STALE_BITS, dtype=np.int64).view(np.float64)


def is_stale(values: Floats) -> Bools:
    """Where a value is the stale marker; an ordinary NaN is a value like any other."""
    bits = values.view(np.int64)
    return np.asarray(bits == STALE_BITS)


def grown(array: NDArray[S], size: int) -> NDArray[S]:
    """The array where it has room for `size` rows, else a copy that has, zeros behind.

    Half as many again, so that growing row by row costs little; the system gives memory to touched rows only.
    """
    if len(array) >= size:
        return array
    larger = np.zeros((max(size, len(array) * 3 // 2, 16), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
