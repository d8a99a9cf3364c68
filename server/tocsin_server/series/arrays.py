"""Names for the arrays that samples travel in, and the one test that tells a stale marker from a value."""

import numpy as np
from numpy.typing import NDArray

from tocsin_protocol.wire import STALE_BITS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]

NEVER = -(1 << 62)
"""A time before every window: the time of a cell that was never written."""


def stale(size: int | tuple[int, ...]) -> Floats:
    """An array of stale markers, made from the bits: arithmetic would quieten the NaN."""
    return np.full(size, STALE_BITS, dtype=np.int64).view(np.float64)


def is_stale(values: Floats) -> Bools:
    """Where a value is the stale marker; an ordinary NaN is a value like any other."""
    bits = values.view(np.int64)
    return np.asarray(bits == STALE_BITS)
