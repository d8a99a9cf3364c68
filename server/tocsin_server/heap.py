"""The heap of the C library."""

import ctypes

_M_ARENA_MAX = -8  # malloc.h


def keep_one() -> None:
    """One for all threads, where that library is glibc; before there is a second thread.

    It would give each thread a heap of its own, and what one frees no other can use: what rounds and the
    closing of hours leave free grew by some 50 MiB an hour with 1,000 hosts. Only one thread at a time runs
    Python anyway.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
