"""The heap of the C library, and how often Python looks for garbage in it."""

import ctypes
import gc

_M_ARENA_MAX = -8  # malloc.h
_LIBRARY = ctypes.CDLL(None)


def keep_one() -> None:
    """One for all threads, where that library is glibc; before there is a second thread.

    It would give each thread a heap of its own, and what one frees no other can use. Only one thread at a time
    runs Python anyway.
    """
    _ask("mallopt", _M_ARENA_MAX, 1)


def settle() -> None:
    """What is here now stays, and is not looked through for garbage again.

    The default would walk all agents' sessions several times a second. Rarer than this, what is looked for
    grows to many MiB, and what is kept meanwhile lies scattered in it.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)


def give_back() -> None:
    """To the system, whatever is free, after work that is seldom and large.

    glibc gives back by itself only what is free at the end of its heap, and from a size on that grows with what
    was freed.
    """
    _ask("malloc_trim", 0)


def _ask(function: str, *arguments: int) -> None:
    """Where the C library is another there is nothing to ask."""
    its = getattr(_LIBRARY, function, None)
    if its is not None:
        its(*arguments)
