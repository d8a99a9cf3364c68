"""The thread that waits for the disk, so that the event loop does not; it alone holds the open segment."""

import contextlib
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from tocsin_server.errors import Misconfigured
from tocsin_server.health import Health
from tocsin_server.ingest.group import Write
from tocsin_server.ingest.segment import Disk, SegmentFile, keep_what_is_left, segment_path


class Pen:
    """Writes one group after the other; `settled` is called in the group's event loop.

    First it makes durable what an earlier server has left; raises `Misconfigured` where the disk refuses.
    """

    def __init__(
        self, folder: Path, disk: Disk, settled: Callable[[Write, int, Exception | None], None], health: Health
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._settled = settled
        self._health = health
        self._segment: SegmentFile | None = None
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._keep_what_is_left()
        self._thread = threading.Thread(target=self._write_for_ever, name="tocsin-journal", daemon=True)
        self._thread.start()

    def write(self, write: Write) -> None:
        """Write a group soon."""
        self._writes.put(write)

    def close(self) -> None:
        """End after the group under way, and let go of the segment."""
        self._writes.put(None)
        self._thread.join()
        self._let_go()

    def _keep_what_is_left(self) -> None:
        try:
            keep_what_is_left(self._folder, disk=self._disk)
        except OSError as error:
            raise Misconfigured(
                f"the journal in {self._folder} cannot be made durable ({error.strerror})",
                remedy="look at the disk; the agents keep what they have not been answered for",
            ) from error

    def _write_for_ever(self) -> None:
        while (write := self._writes.get()) is not None:
            begin, failure = 0, None
            try:
                with self._health.journal_commit.time():
                    begin = self._write(write)
            except Exception as error:  # noqa: BLE001 - the outermost loop of this thread; each waiter is told
                failure = error
                self._let_go()
            # A loop that has ended has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                write.loop.call_soon_threadsafe(self._settled, write, begin, failure)

    def _write(self, write: Write) -> int:
        content = b"".join(write.pieces)
        if not write.head and self._segment is not None:
            return self._segment.append(content)
        self._let_go()
        path = segment_path(self._folder, write.end.number)
        segment = SegmentFile.create(path, write.head, disk=self._disk)
        try:
            begin = segment.append(content)
        except OSError:
            # On a full disk every try would leave one behind.
            segment.discard()
            raise
        self._segment = segment
        return begin

    def _let_go(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
