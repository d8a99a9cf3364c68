"""Frames that are stored and wait for the judge: filled by the event loop, emptied by the judge thread.

What is in here is durable already, so nothing is ever dropped: whoever takes pushes asks `is_full` first and
sends the agent away to come again.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin_server.series.arrays import Floats
from tocsin_server.series.schema import Schema

MAX_WAITING_BYTES = 256 << 20
"""Of matrices: a few minutes of 10,000 hosts, should the judge ever stand still."""


@dataclass(frozen=True, slots=True)
class HostFrame:
    """One host's samples: `matrix` is `[times, series]`."""

    host_id: int
    schema: Schema
    times_ms: list[int]
    matrix: Floats


class Inbox:
    """Stored frames in the order in which they were stored."""

    def __init__(self, *, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._frames: list[HostFrame] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def is_full(self) -> bool:
        """Whether no further push should be taken now."""
        return self._bytes >= self._max_bytes

    def put(self, frames: Iterable[HostFrame]) -> None:
        """Add frames that are durable."""
        with self._lock:
            for frame in frames:
                self._frames.append(frame)
                self._bytes += frame.matrix.nbytes

    def drain(self) -> list[HostFrame]:
        """Take all that waits."""
        with self._lock:
            frames, self._frames, self._bytes = self._frames, [], 0
        return frames
