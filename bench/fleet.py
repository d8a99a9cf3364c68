"""A simulated agent that is told when to push what, over a client of httpx: for benchmarks and fault loops.

Its half of the conversation is `tocsin_fleet`'s, which is written from `wire.py` alone and shares no code with
`tocsin_agent`, so a mistake that agent and server make together shows here.
"""

import time
from collections.abc import Sequence

import httpx

from tocsin_fleet.agent import Agent, Answer, Request
from tocsin_fleet.frames import Entry, PushFrame, pack_schema, push_body
from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind

__all__ = ["PushFrame", "SimulatedAgent", "pack_schema", "push_body", "wide_schema"]


def wide_schema(count: int) -> bytes:
    """A schema of `count` series such as a host sends."""
    entries: list[Entry] = [
        (f"node_bench_{i % 30}_total", SeriesKind.COUNTER, {"device": f"dev{i // 30}"}) for i in range(count)
    ]
    return pack_schema(entries)


class SimulatedAgent(Agent):
    """One enrolled host: `enrol()` once, then `push()` as often as you like."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        super().__init__(name)
        self.http = http

    def enrol(self, invitation: str) -> None:
        request = self.enrolment(wire.decode_invitation(invitation))
        self.enrolled(request, self._ask(request))

    def hello(self) -> None:
        greeting = self.greeting(now_ms=time.time_ns() // 1_000_000)
        self.greeted(greeting, self._ask(greeting.request))

    def frame(self, schema: bytes, values: Sequence[float], *, time_ms: int | None = None) -> PushFrame:
        """The next frame of this run."""
        at = time.time_ns() // 1_000_000 if time_ms is None else time_ms
        return PushFrame(self.take_seq(), schema, at, values)

    def push(self, frames: Sequence[PushFrame]) -> int:
        """Push, saying hello and telling schemas as needed; the last HTTP status."""
        if not self.session:
            self.hello()
        status = self._push(frames)
        if status == 401:
            self.hello()
            status = self._push(frames)
        if status == 409:
            self.is_told = False
            status = self._push(frames)
        return status

    def _push(self, frames: Sequence[PushFrame]) -> int:
        now_ms = time.time_ns() // 1_000_000
        body = push_body(self.epoch, frames, now_ms=now_ms, schemas=not self.is_told)
        status = self.http.post(wire.PUSH_PATH, content=body, headers=self.headers(body)).status_code
        self.is_told = self.is_told or status == 200
        return status

    def _ask(self, request: Request) -> Answer:
        answer = self.http.post(request.path, content=request.body, headers=request.headers)
        answer.raise_for_status()
        return Answer(answer.status_code, answer.headers, answer.content)
