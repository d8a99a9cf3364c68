"""One segment file that is being written: what `append` has returned from is on the disk.

After an error a segment is not written again. After a failed fdatasync it must not be: the kernel has dropped
the dirty pages and called them clean, so a second fdatasync would report success for bytes that never reached
the disk. A new segment costs next to nothing, so there is no other case.
"""

import contextlib
import os
from pathlib import Path

from tocsin_server.durable import sync


class Disk:
    """The calls that can fail when a disk does; tests pass one that fails on demand."""

    def pwrite(self, descriptor: int, content: memoryview, offset: int) -> int:
        return os.pwrite(descriptor, content, offset)

    def fdatasync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)


class SegmentFile:
    """The journal's open end."""

    def __init__(self, path: Path, *, disk: Disk) -> None:
        self.path = path
        self.size = 0
        self._disk = disk
        self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)

    @classmethod
    def create(cls, path: Path, content: bytes, *, disk: Disk) -> "SegmentFile":
        """A new segment that survives a power cut with this in it; where that fails, nothing is left behind."""
        segment = cls(path, disk=disk)
        try:
            segment.append(content)
            sync(path.parent)
        except OSError:
            segment.discard()
            raise
        return segment

    def append(self, content: bytes) -> int:
        """Write, and return the offset once it is durable. After an `OSError`, let go of the segment."""
        begin = self.size
        try:
            self._write(content, begin)
            self._disk.fdatasync(self._descriptor)
        except OSError:
            self._cut(begin)
            raise
        self.size = begin + len(content)
        return begin

    def close(self) -> None:
        os.close(self._descriptor)

    def discard(self) -> None:
        """Close, and remove the file."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _write(self, content: bytes, offset: int) -> None:
        left = memoryview(content)
        while left:
            written = self._disk.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written

    def _cut(self, size: int) -> None:
        """Best effort: a replay tells what a failed cut leaves behind from what was stored later."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, size)


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment is."""
    return folder / f"{number:08d}.seg"


def number_of(path: Path) -> int:
    """The number in a segment's name."""
    return int(path.stem)


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(path for path in folder.glob("*.seg") if path.stem.isdecimal())


def keep_what_is_left(folder: Path, *, disk: Disk) -> None:
    """Make durable what an earlier server has left; raises `OSError`.

    One that was killed between a write and its sync leaves records that a replay reads from memory and takes
    for stored: a frame of theirs that is pushed again is acked without being written. Only the newest segment
    can have such records, since every start does this before it opens another.
    """
    for path in segment_paths(folder)[-1:]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            disk.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    for each in (folder, folder.parent):
        sync(each)
