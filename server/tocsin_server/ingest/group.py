"""Pushes on their way to the disk: what arrives, what waits, and the one write that carries a group of them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tocsin_server.errors import TocsinError
from tocsin_server.ingest.records import Mark


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified push: its frames' marks, its body as it came, and the schemas (deflated) that they use."""

    agent: str
    received_ms: int
    marks: Sequence[Mark]
    schemas: Mapping[int, bytes]
    body: bytes


@dataclass(slots=True, eq=False)
class Waiting:
    """A push on its way to the disk."""

    arrival: Arrival
    stored: "asyncio.Future[Sequence[int]]"
    fresh: Sequence[Mark] = ()
    refusal: TocsinError | None = None


@dataclass(slots=True)
class End:
    """The segment that is being written, as the event loop knows it."""

    number: int
    marker: bytes
    opened_ms: int
    size: int = 0
    told: set[int] = field(default_factory=set)
    """The schemas that stand in it."""


@dataclass(slots=True)
class Write:
    """One group's bytes, with what will be known once they are durable; offsets are within the bytes."""

    end: End
    head: bytes
    """What the segment begins with, where this write opens it."""
    waiting: list[Waiting]
    loop: asyncio.AbstractEventLoop
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    schemas: list[tuple[int, int]] = field(default_factory=list)
    pushes: list[tuple[int, Waiting]] = field(default_factory=list)

    def add(self, record: bytes) -> int:
        offset = self.size
        self.pieces.append(record)
        self.size += len(record)
        return offset
