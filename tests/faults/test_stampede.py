"""Five hundred agents come back in one moment, each with ten minutes of frames, to a server that was away.

Real agents spread themselves over the time they have (`tests/agent/test_push.py`); these do not, which is the
worst that can come. Each does what it is told: `Retry-After` after a 429 or 503, a hello after a 401.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.faults.oracle import FULL, SCHEMA, Key, stored_frames
from tests.processes import ServerProcess

from tocsin_fleet.agent import Agent, Answer, Request
from tocsin_fleet.delivery import Course, course_of, retry_after_s
from tocsin_fleet.frames import PushFrame, push_body
from tocsin_fleet.line import Lines, parse_address
from tocsin_protocol import wire

HOSTS = 500
BACKLOG = 60
BATCH = 32
INTERVAL_MS = 10_000
DRAINED_S = 90.0

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@dataclass
class Returning:
    """An agent with what it has kept."""

    lines: Lines
    agent: Agent
    backlog: list[PushFrame] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    def keep(self, frames: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        for age in range(frames, 0, -1):
            self.backlog.append(PushFrame(self.agent.take_seq(), SCHEMA, now_ms - age * INTERVAL_MS, FULL))

    async def enrol(self, invitation: str) -> None:
        request = self.agent.enrolment(wire.decode_invitation(invitation))
        self.agent.enrolled(request, await self._ask(request))

    async def drain(self) -> None:
        while self.backlog:
            status, wait_s = await self._push(self.backlog[-BATCH:])
            self.answers[status] += 1
            if course_of(status) is Course.DELIVERED:
                del self.backlog[-BATCH:]
            elif course_of(status) is Course.HELLO:
                self.agent.session = b""
            else:
                await asyncio.sleep(wait_s)

    async def _push(self, frames: Sequence[PushFrame]) -> tuple[int, float]:
        if not self.agent.session:
            greeting = self.agent.greeting(now_ms=time.time_ns() // 1_000_000)
            self.agent.greeted(greeting, await self._ask(greeting.request))
        body = push_body(
            self.agent.epoch, frames, now_ms=time.time_ns() // 1_000_000, schemas=not self.agent.is_told
        )
        answer = await self.lines.post(Request(wire.PUSH_PATH, body, self.agent.headers(body)))
        self.agent.is_told = self.agent.is_told or answer.status == 200
        return answer.status, retry_after_s(answer.headers.get("retry-after", ""))

    async def _ask(self, request: Request) -> Answer:
        answer = await self.lines.post(request)
        assert answer.status == 200, answer.body
        return answer


async def enrolled(lines: Lines, invitations: Sequence[str]) -> list[Returning]:
    """All of them, a few at a time."""
    agents = [Returning(lines, Agent(f"host-{number}")) for number in range(len(invitations))]
    turn = asyncio.Semaphore(20)

    async def enrol(agent: Returning, invitation: str) -> None:
        async with turn:
            await agent.enrol(invitation)
            agent.keep(1)
            await agent.drain()

    await asyncio.gather(*map(enrol, agents, invitations))
    return agents


class Watching(threading.Thread):
    """A technician who looks at her queue, again and again; `waits` are how long she waited for it."""

    def __init__(self, server: ServerProcess, session: str) -> None:
        super().__init__(daemon=True)
        self._console = server.api(session)
        self._ending = threading.Event()
        self.waits: list[float] = []
        self.refusals = 0

    def run(self) -> None:
        while not self._ending.wait(0.1):
            began = time.monotonic()
            self.refusals += self._console.get("/tickets").status_code != 200
            self.waits.append(time.monotonic() - began)

    def end(self) -> None:
        self._ending.set()
        self.join(30)
        self._console.close()


def keys_of(agents: Sequence[Returning]) -> list[Key]:
    """All frames that they have ever made."""
    return [(each.agent.agent, each.agent.epoch, seq) for each in agents for seq in range(each.agent.next_seq)]


async def test_a_stampede_of_returning_agents_is_taken_in_and_the_console_answers_meanwhile(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    with ServerProcess(tmp_path / "server", toml="interval_s = 10\n") as server:
        prepared = json.loads(
            server.command("prepare", "--url", server.url, "--demo", "--hosts", str(HOSTS)).stdout
        )
        invitations = [host["invitation"] for host in prepared["hosts"]]
        server.start()
        lines = Lines(parse_address(server.url), most=HOSTS, answer_s=DRAINED_S)
        agents = await enrolled(lines, invitations)
        lines.close()
        assert server.stop() == 0
        for agent in agents:
            agent.keep(BACKLOG)
            agent.answers.clear()
        server.start()

        watching, began = Watching(server, prepared["session"]), time.monotonic()
        watching.start()
        async with asyncio.timeout(DRAINED_S):
            await asyncio.gather(*[agent.drain() for agent in agents])
        took_s = time.monotonic() - began
        watching.end()
        lines.close()
        assert server.stop() == 0

    stored, answers = stored_frames(server.data / "journal"), sum((a.answers for a in agents), Counter[int]())
    waits = sorted(watching.waits)
    report(
        f"stampede: {HOSTS} agents with {BACKLOG} frames each, drained in {took_s:.1f} s,"
        f" answers {dict(answers)};"
        f" the console waited {waits[len(waits) // 2]:.3f} s, {waits[-1]:.3f} s at most"
    )
    assert sorted(stored) == sorted(keys_of(agents))
    assert set(answers) <= {200, 401, 429, 503}
    assert watching.refusals == 0
