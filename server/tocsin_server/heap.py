"""The heap of the C library."""

import ctypes

_M_ARENA_MAX = -8  # malloc.h


def keep_one() -> None:
    """One for all threads, where that library is glibc; before there is a second thread.

    It would give each thread a heap of its own, and what one frees no other can use. Only one thread at a time
    runs Python anyway.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
