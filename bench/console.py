"""The console in a real pty of 120 × 36: process start to first frame, and key to paint on a queue that lives.

The first frame is timed without a server, as a technician sees it. For the keys the server is a fake in the
console's own process, so what it costs is in the figures: BENCH_TICKETS tickets, BENCH_CHANGES changes a
second. There is no peer that shows tickets; k9s and lazygit, which set the manner, show other things.
"""

import asyncio
import fcntl
import os
import pty
import random
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec
from tests.tui import scene
from tests.tui.fake import FakeServer

from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_protocol.vocabulary import TicketEventKind

TICKETS = int(os.environ.get("BENCH_TICKETS", "100000"))
CHANGES = int(os.environ.get("BENCH_CHANGES", "100"))
STARTS = 10
KEYS = 200
_URL = "http://127.0.0.1:9"  # nobody listens at the discard port
_FRAME = "● live".encode()


class Terminal:
    """A program in a pty."""

    def __init__(self, *command: str) -> None:
        self.started = time.perf_counter()
        self.written = 0
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment.pop("SSH_CONNECTION", None)
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=child,
            stdout=child,
            stderr=child,
            env=environment,
            start_new_session=True,
        )
        os.close(child)

    def wait_for(self, words: bytes, *, seconds: float = 60.0) -> float:
        """The moment at which the words have come."""
        seen = b""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            seen = seen[-200:] + self._read(0.05)
            if words in seen:
                return time.perf_counter()
        raise AssertionError(f"{words!r} did not come within {seconds:.0f} s")

    def write(self, key: bytes) -> None:
        os.write(self._fd, key)

    def listen(self, seconds: float) -> int:
        """How many bytes are written meanwhile."""
        before, until = self.written, time.perf_counter() + seconds
        while time.perf_counter() < until:
            self._read(0.05)
        return self.written - before

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def end(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._fd)

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        piece = os.read(self._fd, 65536) if ready else b""
        self.written += len(piece)
        return piece


def main() -> None:
    """Time both and print them."""
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder) / "session"
        token.write_text("tok\n")
        starts = [_first_frame(token) for _ in range(STARTS)]
    print(f"process start → first frame   {_spread(starts)}   budget: median ≤ 1000 ms")
    _keys()


def _first_frame(token: Path) -> float:
    terminal = Terminal("-m", "tocsin_tui", "--url", _URL, "--token-file", str(token))
    try:
        return terminal.wait_for(b"Queue") - terminal.started
    finally:
        terminal.end()


def _keys() -> None:
    terminal = Terminal("-m", "bench.console", "child")
    try:
        terminal.wait_for(_FRAME)
        terminal.listen(5)
        took = [_key(terminal, key) for key in [b"j"] * (KEYS // 2) + [b"\x1b[6~"] * 20 + [b"k"] * (KEYS // 2)]
        print(f"key → paint, {TICKETS:,} tickets, {CHANGES} changes a second")
        print(f"                              {_spread(took)}   budget: p99 ≤ 50 ms")
        print(f"resident                      {terminal.memory_mb():.0f} MB, tickets and fake server included")
        print(f"written while nobody types    {terminal.listen(10) / 10 / 1000:.1f} kB/s")
    finally:
        terminal.end()


def _key(terminal: Terminal, key: bytes) -> float:
    terminal.listen(random.uniform(0.01, 0.06))  # a hand, not a clock in step with the console's own
    pressed = time.perf_counter()
    terminal.write(key)
    return terminal.wait_for(b">", seconds=5) - pressed  # the cursor's mark, on its new row


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"median {statistics.median(ordered) * 1000:6.1f} ms   p99 {p99 * 1000:6.1f} ms"


class LivelyServer(FakeServer):
    """Many tickets, of which some change all the time once somebody listens."""

    def __init__(self) -> None:
        super().__init__(_rows(random.Random(7)))
        self._counted = super().counts()
        self._changes: asyncio.Task[None] | None = None

    def counts(self) -> TicketCounts:
        return self._counted  # counting all of them at each change would be all that is timed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events") and self._changes is None:
            self._changes = asyncio.create_task(self._change())
        return await super().handle_async_request(request)

    async def _change(self) -> None:
        chance = random.Random(11)
        while True:
            await asyncio.sleep(0.1)
            for _ in range(CHANGES // 10):
                row = self.details[chance.randrange(1, TICKETS)].ticket
                owner = chance.choice((None, "alice", "bob"))
                changed = msgspec.structs.replace(row, version=row.version + 1, owner=owner)
                self.happen(changed, TicketEventKind.TAKEN)


def _rows(chance: random.Random) -> list[TicketRow]:
    return [
        scene.a_ticket(
            id_,
            priority=chance.choice((2, 3, 3, 4)),
            client=chance.choice(("acme", "nord", "kiel", "oslo")),
            host=f"host-{id_ % 911}",
            opened_at=scene.ago(id_ % 20_000),
        )
        for id_ in range(1, TICKETS + 1)
    ]


def _child() -> None:
    """The console with its server in one process."""
    from tocsin_tui.app import Console  # noqa: PLC0415 - only the child shows a screen
    from tocsin_tui.config import Settings  # noqa: PLC0415

    server = LivelyServer()
    Console(_URL, token=server.token, settings=Settings(bell=False), transport=server).run()


if __name__ == "__main__":
    _child() if sys.argv[1:] == ["child"] else main()
