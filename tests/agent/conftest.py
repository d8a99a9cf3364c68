"""What the agent's tests are played with: a clock that moves when it is told, and frames of the host atlas."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.agent.scripted import ScriptedServer

from tocsin_agent.frames import Frame, Schema, pack_frame, pack_schema
from tocsin_agent.push import Clock
from tocsin_protocol.vocabulary import SeriesKind

NOON_MS = 1_760_000_000_000


class HandClock:
    """Time that stands still until it is moved, and chance that always gives the highest number."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.clock = Clock(lambda: self.seconds, self.now_ms, lambda _, high: high)

    def now_ms(self) -> int:
        return NOON_MS + int((self.seconds - 1000) * 1000)

    def move(self, seconds: float) -> None:
        self.seconds += seconds


def schema_of(*names: str) -> Schema:
    return pack_schema([((name, ()), SeriesKind.GAUGE) for name in names])


LOAD = schema_of("node_load1", "node_load5")


def frame_of(seq: int, *, epoch: int = 1, schema: Schema = LOAD, time_ms: int | None = None) -> Frame:
    at = NOON_MS + seq * 10_000 if time_ms is None else time_ms
    return pack_frame(epoch=epoch, seq=seq, schema=schema, time_ms=at, values=[float(seq), 0.5])


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer(tls=tmp_path) as scripted:
        yield scripted
