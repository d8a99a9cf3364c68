"""The heap of the C library."""

import ctypes

_M_ARENA_MAX = -8  # malloc.h
_LIBRARY = ctypes.CDLL(None)


def keep_one() -> None:
    """One for all threads, where that library is glibc; before there is a second thread.

    It would give each thread a heap of its own, and what one frees no other can use. Only one thread at a time
    runs Python anyway.
    """
    mallopt = getattr(_LIBRARY, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """To the system, whatever is free, after work that is seldom and large.

    glibc gives back by itself only what is free at the end of its heap, and from a size on that grows with what
    was freed.
    """
    malloc_trim = getattr(_LIBRARY, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
