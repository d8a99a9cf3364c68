"""Loopback ports that a test may give away before somebody listens on them.

What the system calls free may be anybody's a moment later: another test's server's, or a client's own end. So
each process hands out ports of a stretch that is its own for as long as it lives, below those that the system
gives.
"""

import itertools
import os
import socket
from collections.abc import Iterator

_PORTS = range(10_000, 32_000)
_STRETCH = 200


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other process is given."""
    for port in itertools.islice(_OURS, _STRETCH):
        bound = _taken(port)
        if bound is not None:
            bound.close()
            return port
    raise AssertionError(f"all of this process's {_STRETCH} ports are in use")


def stretch(process: int) -> Iterator[int]:
    """Round and round the ports of one process. Its claim to them is the first, which stays bound meanwhile."""
    firsts = _PORTS[::_STRETCH]
    for number in range(len(firsts)):
        first = firsts[(process + number) % len(firsts)]
        claim = _taken(first)
        if claim is not None:
            with claim:
                yield from itertools.cycle(range(first + 1, first + _STRETCH))
    raise AssertionError("other processes have claimed all ports")


_OURS = stretch(os.getpid())


def _taken(port: int) -> socket.socket | None:
    """Bound to it; nothing where somebody else is."""
    bound = socket.socket()
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        return None
    return bound
