"""A fleet at work: every interval each host takes its readings and pushes them, spread over the interval.

Time is cut into slots of a tenth of a second. The hosts of a slot are told their readings at once; each then
delivers by itself, so one that has to wait delays no other.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from tocsin_fleet.agent import Agent, Answer, Greeting, Request
from tocsin_fleet.chance import Floats, Rows, drawn, word_of
from tocsin_fleet.counts import Counts
from tocsin_fleet.delivery import Course, Delivery, Frame, course_of, retry_after_s
from tocsin_fleet.errors import FleetError, Unreachable
from tocsin_fleet.frames import pack_push, pack_schema
from tocsin_fleet.incidents import Member, Script, scripted
from tocsin_fleet.line import Lines
from tocsin_fleet.machines import MODELS, Machines, model_of
from tocsin_fleet.readings import Readings
from tocsin_fleet.roster import Place
from tocsin_fleet.series import named
from tocsin_protocol import wire

SLOT_S = 0.1
SLOTS_A_COUNT = 10
RENEW_S = 60.0
LATEST_S = 5.0
"""A fleet that lags behind for longer, as after a machine has slept, leaves out what it has missed."""
SCRIPT_AHEAD_S = 6 * 3600.0
_FORGOTTEN = {Course.HELLO, Course.TELL_SCHEMA}


class Enrolled(NamedTuple):
    """A host that can push."""

    place: Place
    agent: Agent


class Group(NamedTuple):
    """The hosts of one model: their numbers in the fleet, by row, and what they read."""

    hosts: NDArray[np.intp]
    places: Floats
    """When in the interval each pushes, 0 to 1."""
    readings: Readings


class Fleet:
    """All hosts; `run` ends when it is cancelled, or with a `FleetError` when the server is another."""

    def __init__(
        self,
        enrolled: Sequence[Enrolled],
        lines: Lines,
        counts: Counts,
        *,
        seed: int,
        begun_ms: Sequence[int],
        has_incidents: bool = True,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval_s = float(wire.DEFAULT_INTERVAL_S)
        self._lines = lines
        self._counts = counts
        self._seed = seed
        self._begun_s = [begun / 1000 for begun in begun_ms]
        self._has_incidents = has_incidents
        self._wall, self._monotonic = wall, monotonic
        self._enrolled = enrolled
        self._words = np.array([word_of(seed, one.place.key) for one in enrolled], np.uint64)
        self._scripted_until_s = 0.0
        self._script = Script([])
        self._groups, self._rows = self._grouped()
        self._deliveries = [
            Delivery(one.agent, wire.schema_id(self._schema(host))) for host, one in enumerate(enrolled)
        ]
        self._underway: set[asyncio.Task[None]] = set()
        self._failure: FleetError | None = None
        self._chance = random.Random()  # noqa: S311 - spreads retries, keeps no secret

    async def run(self) -> None:
        """Push until cancelled; pushes that are underway are then given up."""
        slot = int(self._wall() / SLOT_S)
        try:
            while True:
                await asyncio.sleep(max(0.0, slot * SLOT_S - self._wall()))
                if self._wall() - slot * SLOT_S > LATEST_S:
                    slot = int(self._wall() / SLOT_S)
                self.turn(slot * SLOT_S)
                if self._failure is not None:
                    raise self._failure
                slot += 1
        finally:
            for task in self._underway:
                task.cancel()

    def turn(self, at_s: float) -> None:
        """What is due in the slot of an instant."""
        if at_s >= self._scripted_until_s:
            self._write_script(at_s)
        for group, rows in self._due(at_s):
            samples = group.readings.at(rows, np.full(len(rows), at_s))
            for host, row in zip(group.hosts[rows].tolist(), samples, strict=True):
                self._take(host, at_s, row.tobytes())
        if round(at_s / SLOT_S) % SLOTS_A_COUNT == 0:
            self._counts.waiting = sum(len(delivery.waiting) for delivery in self._deliveries)

    def _grouped(self) -> tuple[list[Group], list[tuple[Group, int]]]:
        by_model: defaultdict[str, list[int]] = defaultdict(list)
        for host, one in enumerate(self._enrolled):
            by_model[model_of(int(self._words[host]), one.place.kind).name].append(host)
        groups: list[Group] = []
        rows: dict[int, tuple[Group, int]] = {}
        for model in MODELS:
            members = by_model[model.name]
            hosts = np.array(members, np.intp)
            words = self._words[hosts]
            readings = Readings(Machines(model, words), hosts, self._script)
            group = Group(hosts, drawn(words, "place in the interval"), readings)
            groups.append(group)
            rows |= {host: (group, row) for row, host in enumerate(members)}
        return groups, [rows[host] for host in range(len(self._enrolled))]

    def _write_script(self, at_s: float) -> None:
        self._scripted_until_s = at_s + SCRIPT_AHEAD_S
        if not self._has_incidents:
            return
        members = [
            Member(host, one.place.client, one.place.name, one.place.kind)
            for host, one in enumerate(self._enrolled)
        ]
        self._script = Script(
            scripted(members, seed=self._seed, begun_s=self._begun_s, until_s=self._scripted_until_s)
        )
        for group in self._groups:
            group.readings.script = self._script

    def _due(self, at_s: float) -> list[tuple[Group, Rows]]:
        """Who pushes in this slot: each host at an instant of the interval that is its own."""
        slots = round(self.interval_s / SLOT_S)
        slot = round(at_s / SLOT_S) % slots
        due = []
        for group in self._groups:
            rows = np.flatnonzero((group.places * slots).astype(np.intp) == slot)
            if len(rows):
                due.append((group, rows))
        return due

    def _take(self, host: int, at_s: float, matrix: bytes) -> None:
        """A host has taken its readings: it sends them, or keeps them for later."""
        delivery = self._deliveries[host]
        frame = Frame(delivery.agent.take_seq(), round(at_s * 1000), matrix)
        if (
            delivery.is_underway
            or self._monotonic() < delivery.not_before_s
            or self._script.is_silent(host, at_s)
        ):
            delivery.keep(frame)
            return
        delivery.waiting.append(frame)
        delivery.is_underway = True
        self._start(self._deliver(host, delivery))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)

    async def _deliver(self, host: int, delivery: Delivery) -> None:
        """Send batch after batch until nothing waits, or the server does not take it."""
        try:
            while delivery.waiting and self._monotonic() >= delivery.not_before_s:
                batch = delivery.batch()
                if await self._pushed(host, delivery, batch):
                    if delivery.waiting:  # a pause, so that a thousand agents coming back are no flood
                        await asyncio.sleep(self._chance.uniform(0.5, 1.5) * self.interval_s / 10)
                else:
                    delivery.put_back(batch)
        except FleetError as error:
            self._failure = error
        finally:
            delivery.is_underway = False

    async def _pushed(self, host: int, delivery: Delivery, batch: list[Frame]) -> bool:
        """Whether nothing more has to be done about these frames."""
        try:
            async with self._lines.places:
                if delivery.needs_hello(self._monotonic()) and not await self._greeted(delivery):
                    return False
                answer = await self._lines.post(self._push(host, delivery, batch))
        except Unreachable:
            self._counts.unanswered += len(batch)
            delivery.back_off(self._monotonic(), self._chance.random())
            return False
        return self._judge(delivery, answer, len(batch))

    def _judge(self, delivery: Delivery, answer: Answer, frames: int) -> bool:
        course = course_of(answer.status)
        if course is Course.DELIVERED:
            self._counts.acked += frames
            delivery.agent.is_told = True
            delivery.delivered()
            self._obey(msgpack.unpackb(answer.body))
            return True
        self._counts.refused += frames
        # What is forgotten is told anew at once; told anew and still not known is trouble.
        was_known, delivery.agent.is_told = delivery.agent.is_told, False
        if course is Course.HELLO:
            delivery.agent.session = b""
        if course is not Course.GIVE_UP and not (was_known and course in _FORGOTTEN):
            self._wait(delivery, answer)
        return course is Course.GIVE_UP

    def _wait(self, delivery: Delivery, answer: Answer) -> None:
        """As long as an answer asks."""
        if course_of(answer.status) is Course.REVOKED:
            delivery.revoke(self._monotonic())
        else:
            asked_s = retry_after_s(answer.headers.get("retry-after", ""))
            delivery.back_off(self._monotonic(), self._chance.random(), asked_s)

    async def _greeted(self, delivery: Delivery) -> bool:
        agent = delivery.agent
        greeting: Greeting = agent.greeting(now_ms=self._now_ms())
        answer = await self._lines.post(greeting.request)
        if answer.status != 200:
            self._wait(delivery, answer)
            return False
        said = agent.greeted(greeting, answer)
        # Those that have begun together do not all come back together.
        renew_s = RENEW_S + self._chance.random() * 0.2 * said["expires_s"]
        delivery.session_ends_s = self._monotonic() + said["expires_s"] - renew_s
        self._obey(said)
        return True

    def _push(self, host: int, delivery: Delivery, batch: list[Frame]) -> Request:
        agent = delivery.agent
        schemas = [] if agent.is_told else [self._schema(host)]
        frames = [
            (agent.epoch, frame.seq, delivery.schema_id, [frame.time_ms], matrix)
            for frame, matrix in zip(batch, self._matrices(host, batch), strict=True)
        ]
        body = pack_push(frames, schemas, now_ms=self._now_ms())
        self._counts.sent += len(batch)
        return Request(wire.PUSH_PATH, body, agent.headers(body))

    def _matrices(self, host: int, batch: list[Frame]) -> list[bytes]:
        """The numbers of each frame; those that were not kept are told again."""
        if all(frame.matrix for frame in batch):
            return [frame.matrix for frame in batch]
        group, row = self._rows[host]
        at_s = np.array([frame.time_ms / 1000 for frame in batch])
        samples = group.readings.at(np.full(len(batch), row), at_s)
        return [numbers.tobytes() for numbers in samples]

    def _schema(self, host: int) -> bytes:
        """Packed anew each time it is asked for, once an hour: ten thousand would be a hundred megabytes."""
        group, _ = self._rows[host]
        return pack_schema(
            named(group.readings.series, self._enrolled[host].place.name, int(self._words[host]))
        )

    def _obey(self, said: Mapping[str, Any]) -> None:
        """Push as often as the server says."""
        self.interval_s = max(1.0, float(said["interval_s"]))

    def _now_ms(self) -> int:
        return round(self._wall() * 1000)
