"""The kernel's files under /proc and /sys: opened once, read again from the start at each collection.

Reading a kept descriptor from offset 0 makes the kernel write the file anew, and saves the path walk. Paths
are plain strings everywhere in the agent: pathlib would cost each host most of a megabyte.
"""

import errno
import os
import select
from typing import NamedTuple

_CHUNK_BYTES = 1 << 16
_GONE = frozenset({errno.ENODEV, errno.ESTALE, errno.ESRCH})


class Roots(NamedTuple):
    """Where the host's faces are mounted; tests and containers have them elsewhere."""

    proc: str = "/proc"
    sys: str = "/sys"
    etc: str = "/etc"


class KernelFile:
    """One file, kept open; raises `OSError` when it cannot be read now.

    `at_once` says that the kernel hands it out whole: each file of /sys, and of /proc whatever is no list
    (`single_open` in fs/seq_file.c). Of any other only a read that gives nothing more tells the end.
    """

    __slots__ = ("_at_once", "_descriptor", "_path")

    def __init__(self, path: str, *, at_once: bool = False) -> None:
        self._path = path
        self._at_once = at_once
        self._descriptor: int | None = None

    def read(self) -> bytes:
        """Its whole content now. A descriptor whose object has gone is opened again once."""
        if self._descriptor is not None:
            try:
                return self._content(self._descriptor)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                self.close()
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._content(self._descriptor)

    def read_if_present(self) -> bytes:
        """The same; empty where this kernel has no such file."""
        try:
            return self.read()
        except FileNotFoundError:
            return b""

    def has_changed(self) -> bool:
        """Of a file that poll(2) tells of, as proc(5) says of mountinfo: since it was last asked, or opened.

        Also where nothing is known of it, because it is not open.
        """
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLPRI)
        return bool(poll.poll(0))

    def _content(self, descriptor: int) -> bytes:
        content = piece = os.pread(descriptor, _CHUNK_BYTES, 0)
        while piece and not (self._at_once and len(piece) < _CHUNK_BYTES):
            # A list is handed out a page or so per read, however much is asked for.
            piece = os.pread(descriptor, _CHUNK_BYTES, len(content))
            content += piece
        return content

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def read_once(path: str) -> bytes:
    """A file that is read seldom: opened, read whole, closed."""
    return KernelFile(path).read()


def readable(raw: bytes) -> str:
    """Bytes of the kernel as text; what is not UTF-8 stays distinguishable as `\\xNN`."""
    return raw.decode("utf-8", "backslashreplace")
