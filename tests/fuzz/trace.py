"""What a process is busy with, where another can see it after it has died: a mapped file."""

import mmap
import struct
from pathlib import Path

_HEAD = struct.Struct("<QQ")
"""How many inputs were begun, and how many bytes the last one has."""
SIZE = 1 << 20


class Trace:
    """Written by the process that fuzzes, read by the one that watches it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)

    @property
    def count(self) -> int:
        return int(_HEAD.unpack_from(self._memory)[0])

    @property
    def last(self) -> bytes:
        """The input that was begun last."""
        size = _HEAD.unpack_from(self._memory)[1]
        return bytes(self._memory[_HEAD.size : _HEAD.size + size])

    def begin(self, given: bytes) -> None:
        """An input is about to be read."""
        given = given[: SIZE - _HEAD.size]
        self._memory[_HEAD.size : _HEAD.size + len(given)] = given
        _HEAD.pack_into(self._memory, 0, self.count + 1, len(given))
