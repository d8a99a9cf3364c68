"""Chance that can be repeated: what is drawn is a function of who draws and what for, for many at once.

Counted, not remembered (splitmix64): nothing that is drawn depends on what was drawn before.
"""

import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SCALE = 2.0**-53


def word_of(*parts: object) -> int:
    """64 bits that stand for these parts, the same in every process."""
    said = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:8], "little")


def drawn(words: Words, what: str, step: NDArray[np.int64] | int = 0) -> Floats:
    """A number in [0, 1) for each word; another one for each purpose and step."""
    purpose = np.uint64(zlib.crc32(what.encode()) << 32)
    steps = np.asarray(step, dtype=np.int64).astype(np.uint64)
    return (_mixed(_mixed(words ^ purpose) + steps * _GOLDEN) >> np.uint64(11)).astype(np.float64) * _SCALE


def between(words: Words, what: str, low: float, high: float) -> Floats:
    """Likewise in [low, high)."""
    return low + (high - low) * drawn(words, what)


def _mixed(words: Words) -> Words:
    words = words + _GOLDEN
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))
