"""Chance, from the kernel: the module `random` would load hashes and bisection to say when to try again."""

import os

_BITS = 53


def uniform(low: float, high: float) -> float:
    """Some number in [low, high)."""
    share = (int.from_bytes(os.urandom(7)) >> (56 - _BITS)) / (1 << _BITS)
    return low + (high - low) * share


def doubled(first_s: float, times: int, *, at_most: float) -> float:
    """`first_s`, doubled so many times: what a wait by chance stays below after each failure."""
    return min(first_s * 2.0 ** min(times, 16), at_most)
