"""Which frames have been stored: per agent and run, the set of sequence numbers as intervals.

A set and never a high-water mark: fresh frames overtake a backlog that is drained from its new end, so the
numbers come in any order. Intervals keep it small: a healthy run is one of them, however long it lasts.

A run is forgotten once nothing of it has come for longer than a spool may be old. What one agent can make
the server remember is bounded: an agent that leaves thousands of gaps is refused (`has_room`), and of
thousands of runs the ones longest unheard are forgotten, which costs nobody but that agent anything.
"""

from bisect import bisect_left, bisect_right
from typing import Any

import msgspec

from tocsin_protocol.wire import SPOOL_HOURS

REMEMBER_MS = (SPOOL_HOURS + 24) * 3_600_000
MAX_INTERVALS_PER_RUN = 4096
MAX_RUNS_PER_AGENT = 4096


class _Run:
    """The numbers of one run of an agent: intervals `[starts[i], ends[i])`, apart and ascending."""

    __slots__ = ("ends", "last_ms", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.last_ms = 0

    def holds(self, seq: int) -> bool:
        before = bisect_right(self.starts, seq)
        return before > 0 and seq < self.ends[before - 1]

    def cover(self, start: int, end: int) -> None:
        """Add `[start, end)`, joining whatever it overlaps or touches."""
        low = bisect_left(self.ends, start)
        high = bisect_right(self.starts, end)
        if low < high:
            start = min(start, self.starts[low])
            end = max(end, self.ends[high - 1])
        self.starts[low:high] = [start]
        self.ends[low:high] = [end]


class _PackedRun(msgspec.Struct, array_like=True):
    epoch: int
    last_ms: int
    starts: list[int]
    ends: list[int]


_decoder = msgspec.msgpack.Decoder(dict[str, list[_PackedRun]])


class Received:
    """The frames that have been stored. Not thread-safe: the journal owns it."""

    def __init__(self) -> None:
        self._agents: dict[str, dict[int, _Run]] = {}

    def holds(self, agent: str, epoch: int, seq: int) -> bool:
        """Whether this frame has been stored."""
        run = self._agents.get(agent, {}).get(epoch)
        return run is not None and run.holds(seq)

    def has_room(self, agent: str, epoch: int) -> bool:
        """Whether this run may leave one more gap."""
        run = self._agents.get(agent, {}).get(epoch)
        return run is None or len(run.starts) < MAX_INTERVALS_PER_RUN

    def add(self, agent: str, epoch: int, seq: int, *, at_ms: int) -> None:
        """This frame has been stored."""
        run = self._run(agent, epoch)
        run.cover(seq, seq + 1)
        run.last_ms = max(run.last_ms, at_ms)

    def forget(self, now_ms: int) -> None:
        """Drop the runs of which nothing has come for longer than a spool may be old."""
        for agent, runs in list(self._agents.items()):
            for epoch in [e for e, run in runs.items() if run.last_ms < now_ms - REMEMBER_MS]:
                del runs[epoch]
            if not runs:
                del self._agents[agent]

    def intervals(self, agent: str, epoch: int) -> list[tuple[int, int]]:
        """The stored numbers of a run as half-open intervals."""
        run = self._agents.get(agent, {}).get(epoch)
        return [] if run is None else list(zip(run.starts, run.ends, strict=True))

    def pack(self) -> bytes:
        """All of it, for `merge`."""
        packed: dict[str, list[Any]] = {
            agent: [_PackedRun(epoch, run.last_ms, run.starts, run.ends) for epoch, run in runs.items()]
            for agent, runs in self._agents.items()
        }
        return msgspec.msgpack.encode(packed)

    def merge(self, packed: bytes) -> None:
        """Add what was packed; what is known already stays as it is."""
        for agent, runs in _decoder.decode(packed).items():
            for said in runs:
                run = self._run(agent, said.epoch)
                run.last_ms = max(run.last_ms, said.last_ms)
                for start, end in zip(said.starts, said.ends, strict=True):
                    run.cover(start, end)

    def _run(self, agent: str, epoch: int) -> _Run:
        runs = self._agents.setdefault(agent, {})
        run = runs.get(epoch)
        if run is None:
            if len(runs) >= MAX_RUNS_PER_AGENT:
                del runs[min(runs, key=lambda known: runs[known].last_ms)]
            run = runs[epoch] = _Run()
        return run
