"""A push, from its bytes to its answer: who is it, what does it say, is it new, is it durable, who must know.

    session → HMAC → still in service? → of one host only? → room? → decode → whose? → marks → journal → inbox

Nothing of a body is believed, or even inflated, before its HMAC is verified. A frame is the agent's own host's,
or a device's that this agent is declared to probe. Both are heard as soon as the push is understood: a server
whose disk is full must not declare its clients' hosts dead.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tocsin_protocol import wire
from tocsin_server.clock import Clock
from tocsin_server.errors import Conflict, Overloaded, Refused
from tocsin_server.estate.estate import Estate, HostFacts
from tocsin_server.health import Health
from tocsin_server.ingest.cardinality import Cardinality, TooManySeries
from tocsin_server.ingest.decode import (
    FUTURE_TOLERANCE_MS,
    Push,
    PushedFrame,
    ToldSchema,
    decode_push,
    settled_times,
    tell,
)
from tocsin_server.ingest.doorkeeper import Caller, Doorkeeper
from tocsin_server.ingest.group import Arrival
from tocsin_server.ingest.inbox import HostFrame, Inbox
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.presence import Presence
from tocsin_server.ingest.quarantine import Quarantine
from tocsin_server.ingest.records import Mark
from tocsin_server.ingest.undeclared import Undeclared
from tocsin_server.series.schema import Schema

LATE_MS = 60_000
"""A frame older than this when it comes has waited in a spool."""
LIGHT_BYTES = 256 * 1024
"""Of schemas: decoded within 50 ms, where the largest push takes three seconds."""
MOST_HEAVY = 8
"""So many larger pushes may wait for each other; each holds 16 MiB at most."""


class Receiver:
    """The heart of ingest; runs in the event loop and never waits but for the journal, and for many schemas."""

    def __init__(
        self,
        *,
        doorkeeper: Doorkeeper,
        quarantine: Quarantine,
        cardinality: Cardinality,
        estate: Estate,
        journal: Journal,
        inbox: Inbox,
        presence: Presence,
        health: Health,
        clock: Clock,
        interval_s: int,
        probes_digest: Callable[[int], str | None],
    ) -> None:
        """`probes_digest` says of a host which version of its devices its agent should hold, if any."""
        self._door = doorkeeper
        self._quarantine = quarantine
        self._cardinality = cardinality
        self._estate = estate
        self._undeclared = Undeclared(clock)
        self._journal = journal
        self._inbox = inbox
        self._presence = presence
        self._health = health
        self._clock = clock
        self._interval_s = interval_s
        self._probes_digest = probes_digest
        # One thread, however many send much: they wait for each other, and nobody waits for them.
        self._reader = ThreadPoolExecutor(1, "tocsin-schemas")
        self._heavy = 0
        self._count = {
            outcome: health.frames.labels(outcome)
            for outcome in ("stored", "repeated", "refused", "late", "clamped")
        }

    async def push(self, body: bytes, *, session_id: str, mac: str) -> bytes:
        """Store a push and return the answer's body; raises a `Refused` kind or `Unavailable`."""
        caller = self._door.authenticated(body, domain=wire.PUSH_DOMAIN, session_id=session_id, mac=mac)
        await self._quarantine.admit(caller)
        session, agent = caller.session, caller.agent
        if self._inbox.is_full():
            raise Overloaded(f"{len(self._inbox)} frames are waiting to be judged")
        received_ms = self._clock.now_ms()
        try:
            push = decode_push(body)
            told = await self._told(push.schemas) if push.schemas else []  # nearly always there are none
            frames = self._understood(push, told, caller, received_ms)
        except Refused as refusal:
            self._count["refused"].inc()
            if isinstance(refusal, TooManySeries):
                # Nothing of it is taken, but it is not silent: that is another trouble, and another ticket.
                self._presence.heard(caller.host.id, at_ms=received_ms, skew_ms=push.now_ms - received_ms)
            raise
        self._hear(push, caller.host, frames, received_ms)
        marks = [_mark(at, push.frames[at], frame) for at, frame in enumerate(frames)]
        schemas = {mark.schema_id: session.schemas[mark.schema_id].deflated for mark in marks}
        fresh = await self._journal.append(Arrival(agent.id, received_ms, marks, schemas, body))
        new = [frames[at] for at in fresh]
        self._inbox.put(new)
        self._tally(body, push, new, received_ms)
        return self._answer(len(frames), caller.host)

    def _answer(self, acked: int, host: HostFacts) -> bytes:
        answer: dict[str, int | str] = {
            "acked": acked,
            "interval_s": self._interval_s,
            "now_ms": self._clock.now_ms(),
        }
        digest = self._probes_digest(host.id)
        if digest is not None:
            answer["probes"] = digest
        return msgspec.msgpack.encode(answer)

    async def _told(self, schemas: Sequence[bytes]) -> list[ToldSchema]:
        """What the schemas say; the event loop goes on beside that where it takes long."""
        if sum(map(len, schemas)) <= LIGHT_BYTES:
            return list(map(tell, schemas))
        if self._heavy >= MOST_HEAVY:
            raise Overloaded(f"{self._heavy} pushes with many schemas are waiting to be read")
        self._heavy += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._reader, lambda: list(map(tell, schemas)))
        finally:
            self._heavy -= 1

    def _understood(
        self, push: Push, schemas: Sequence[ToldSchema], caller: Caller, received_ms: int
    ) -> list[HostFrame]:
        for told in map(caller.session.known, schemas):
            self._cardinality.admit(self._whose(told.schema, caller), told.schema)
            caller.session.tell(told)
        return [self._host_frame(frame, push, caller, received_ms) for frame in push.frames]

    def _host_frame(self, frame: PushedFrame, push: Push, caller: Caller, received_ms: int) -> HostFrame:
        told = caller.session.schemas.get(frame.schema_id)
        if told is None:
            raise Conflict(
                f"schema {frame.schema_id:016x} is not known in this session", remedy="send the schemas again"
            )
        host = self._whose(told.schema, caller)
        times = settled_times(frame.times_ms, now_ms=push.now_ms, received_ms=received_ms)
        return HostFrame(host.id, told.schema, times, frame.samples(len(told.schema.series)))

    def _whose(self, schema: Schema, caller: Caller) -> HostFacts:
        """The host of a schema: asked of every frame, for a device may be taken away within a session."""
        if not schema.host:
            return caller.host
        device = self._estate.device_of(caller.host.id, schema.host)
        if device is None:
            raise self._undeclared.refusal(caller.agent.id, caller.host, schema.host)
        return device

    def _hear(self, push: Push, own: HostFacts, frames: Sequence[HostFrame], received_ms: int) -> None:
        """The agent is there, and each device was when its frame was taken, whatever the agent's clock says."""
        self._presence.heard(own.id, at_ms=received_ms, skew_ms=push.now_ms - received_ms)
        for pushed, frame in zip(push.frames, frames, strict=True):
            if frame.host_id != own.id:
                age_ms = max(0, push.now_ms - max(pushed.times_ms))
                self._presence.probed(frame.host_id, at_ms=received_ms - age_ms, now_ms=received_ms)

    def _tally(self, body: bytes, push: Push, new: Sequence[HostFrame], received_ms: int) -> None:
        self._health.push_bytes.inc(len(body))
        self._count["stored"].inc(len(new))
        self._health.samples.inc(sum(frame.matrix.size for frame in new))
        if len(new) < len(push.frames):
            self._count["repeated"].inc(len(push.frames) - len(new))
        late = sum(frame.times_ms[-1] < received_ms - LATE_MS for frame in new)
        if late:
            self._count["late"].inc(late)
        clamped = sum(_is_ahead(frame, received_ms) for frame in push.frames)
        if clamped:
            self._count["clamped"].inc(clamped)


def _mark(at: int, frame: PushedFrame, taken: HostFrame) -> Mark:
    return Mark(
        epoch=frame.epoch,
        seq=frame.seq,
        schema_id=frame.schema_id,
        host_id=taken.host_id,
        first_ms=min(taken.times_ms),
        last_ms=max(taken.times_ms),
        position=at,
    )


def _is_ahead(frame: PushedFrame, received_ms: int) -> bool:
    return max(frame.times_ms) > received_ms + FUTURE_TOLERANCE_MS
