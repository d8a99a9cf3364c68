"""A life of a server, a few simulated agents, a technician and one real agent, recorded to the byte.

Server and agent are killed again and again: at any moment, and between a write and its sync, which strace can
hit and chance hardly ever does. All that anybody was told is written down, with the time when they were told.
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.faults.oracle import Key, PushingAgent, spooled
from tests.faults.recording import Recorded, Recorder
from tests.processes import AgentProcess, ServerProcess, until

TOML = "interval_s = 1\n"
AGENTS = 3
KILLED_BY_ITSELF_S = 10.0


@dataclass
class Told:
    """Who was told what, and when: seconds of this machine's clock."""

    prepared_s: float = 0.0
    session: str = ""
    frames: dict[Key, float] = field(default_factory=dict)
    """Acked by the server."""
    sent: set[Key] = field(default_factory=set)
    tickets: dict[int, float] = field(default_factory=dict)
    """Seen by the technician."""
    comments: dict[str, float] = field(default_factory=dict)
    """Made by the technician, and answered with 200."""
    agents: dict[str, float] = field(default_factory=dict)
    """Enrolled."""


@dataclass
class Life:
    """What was recorded."""

    server: ServerProcess
    agent_id: str
    """The real agent's."""
    server_first: dict[str, bytes | None]
    server_events: list[Recorded]
    agent_first: dict[str, bytes | None]
    agent_events: list[Recorded]
    told: Told
    agents: list[PushingAgent]


class Technician(threading.Thread):
    """Looks at the queue and comments on its tickets, for as long as she is let."""

    def __init__(self, server: ServerProcess, session: str, told: Told) -> None:
        super().__init__(daemon=True)
        self._api = server.api(session)
        self._told = told
        self._ending = threading.Event()
        self._number = 0

    def run(self) -> None:
        while not self._ending.wait(0.05):
            try:
                self._look_and_comment()
            except httpx.HTTPError:
                self._ending.wait(0.1)

    def end(self) -> None:
        self._ending.set()
        self.join()
        self._api.close()

    def _look_and_comment(self) -> None:
        tickets = [row["id"] for row in self._api.get("/tickets").raise_for_status().json()["tickets"]]
        for ticket in tickets:
            self._told.tickets.setdefault(ticket, time.time())
        if tickets:
            self._number += 1
            text = f"comment {self._number}"
            path = f"/tickets/{tickets[self._number % len(tickets)]}/comment"
            self._api.post(path, json={"text": text}).raise_for_status()
            self._told.comments[text] = time.time()


@contextmanager
def recorded_life(folder: Path, *, seed: str, rounds: int) -> Iterator[Life]:
    """Live, kill `rounds` times, and give back what was recorded; the server does not run any more."""
    chance, told = random.Random(seed), Told()
    with ExitStack() as ends:
        server = ends.enter_context(ServerProcess(folder / "server", toml=TOML))
        agent = ends.enter_context(AgentProcess(folder / "agent"))
        agent.state.mkdir()
        calls, agent_calls = Recorder(server.data), Recorder(agent.state)
        invitations = _prepare(server, calls, told)
        server.under = calls.under()
        server.start()
        agent.under = agent_calls.under()
        agent.enrol(invitations.pop(), name="atlas")
        agent_id = _enrolled(agent)
        told.agents[agent_id] = time.time()
        agent_calls.take()
        pushing = [_pushing(server, name, folder, told) for name in invitations]
        technician = Technician(server, told.session, told)
        for thread in (*pushing, technician):
            thread.start()
        for number in range(rounds):
            _live_a_round(server, calls, agent, agent_calls, told, chance, number)
        for thread in (*pushing, technician):
            thread.end()
        _deliver(agent, agent_calls)
        assert server.stop() == 0
        calls.take()
        for each in pushing:
            told.frames |= each.oracle.acked_s
            told.sent |= each.oracle.sent
        server.under = agent.under = ()
        yield Life(
            server, agent_id, calls.first, calls.events, agent_calls.first, agent_calls.events, told, pushing
        )


def _prepare(server: ServerProcess, calls: Recorder, told: Told) -> list[str]:
    server.under = calls.under()
    prepared = json.loads(server.command("prepare", "--url", server.url).stdout)
    told.prepared_s, told.session = time.time(), prepared["session"]
    calls.take()
    invitations = [prepared["invitation"]]
    for _ in range(AGENTS):
        server.under = calls.under()
        invitations.append(server.invite())
        calls.take()
    return invitations


def _pushing(server: ServerProcess, invitation: str, folder: Path, told: Told) -> PushingAgent:
    agent = PushingAgent(server, f"host-{len(told.agents)}", folder, invitation)
    told.agents[agent.agent.agent] = time.time()
    return agent


def _enrolled(agent: AgentProcess) -> str:
    said: dict[str, str] = json.loads((agent.state / "identity.json").read_text())
    return said["agent"]


def _live_a_round(
    server: ServerProcess,
    calls: Recorder,
    agent: AgentProcess,
    agent_calls: Recorder,
    told: Told,
    chance: random.Random,
    number: int,
) -> None:
    """The agent runs, the server is killed, the agent spools, is killed as well, and both start again."""
    agent.under = agent_calls.under()
    agent.start()
    if number % 2 == 1:
        _wait_for_its_end(server)
    else:
        commented = len(told.comments)
        until("the technician has commented", lambda: len(told.comments) > commented + 2)
        time.sleep(chance.uniform(0, 0.5))  # real time: the moment of the kill is what is tested
        server.kill()
    calls.take()
    time.sleep(chance.uniform(0.5, 2.5))
    agent.kill()
    agent_calls.take()
    if number == 0:
        _rotate_key(agent, agent_calls)
    # Its next run spools as well, before there is a server.
    agent.under = agent_calls.under()
    agent.start()
    server.under = calls.under(*_between_write_and_sync(chance, number + 1))
    server.start()
    time.sleep(chance.uniform(0.2, 0.6))
    agent.kill()
    agent_calls.take()


def _rotate_key(agent: AgentProcess, agent_calls: Recorder) -> None:
    """Once: a second change within a minute would be refused, and what is older than two is not accepted."""
    agent.under = agent_calls.under()
    assert agent.command("rotate-key").returncode == 0
    agent_calls.take()


def _deliver(agent: AgentProcess, agent_calls: Recorder) -> None:
    """All that earlier runs have left is stored; only then can be told what was sent twice."""
    left = spooled(agent.state)
    agent.under = agent_calls.under()
    agent.start()
    until("the agent is being recorded", agent_calls.is_recording)
    until("the spool is delivered", lambda: not spooled(agent.state) & left)
    agent.kill()
    agent_calls.take()


def _between_write_and_sync(chance: random.Random, number: int) -> list[str]:
    """Every other run is killed as a thread of it begins its sync number so and so."""
    return [f"fdatasync:signal=SIGKILL:when={chance.randint(40, 90)}"] if number % 2 == 1 else []


def _wait_for_its_end(server: ServerProcess) -> None:
    process = server.process
    assert process is not None
    until("the server is killed at a sync", lambda: process.poll() is not None, seconds=KILLED_BY_ITSELF_S)
