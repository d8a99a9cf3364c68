"""A push, from its bytes to its answer: who is it, what does it say, is it new, is it durable, who must know.

    session → HMAC → still in service? → room? → decode → marks → journal → inbox

Nothing of a body is believed, or even inflated, before its HMAC is verified. An agent is heard as soon as its
push is understood: a server whose disk is full must not declare its clients' hosts dead.
"""

from collections.abc import Sequence

import msgspec

from tocsin_protocol import wire
from tocsin_server.clock import Clock
from tocsin_server.errors import Conflict, Forbidden, Overloaded, Refused
from tocsin_server.estate.estate import AgentFacts, Estate
from tocsin_server.health import Health
from tocsin_server.ingest.decode import FUTURE_TOLERANCE_MS, Push, PushedFrame, decode_push, settled_times, tell
from tocsin_server.ingest.doorkeeper import Doorkeeper
from tocsin_server.ingest.group import Arrival
from tocsin_server.ingest.inbox import HostFrame, Inbox
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.presence import Presence
from tocsin_server.ingest.records import Mark
from tocsin_server.ingest.sessions import Session, Sessions

LATE_MS = 60_000
"""A frame older than this when it comes has waited in a spool."""


class Receiver:
    """The heart of ingest; runs in the event loop and never waits but for the journal."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        estate: Estate,
        journal: Journal,
        inbox: Inbox,
        presence: Presence,
        health: Health,
        clock: Clock,
        interval_s: int,
    ) -> None:
        self._door = Doorkeeper(sessions=sessions, estate=estate, clock=clock)
        self._journal = journal
        self._inbox = inbox
        self._presence = presence
        self._health = health
        self._clock = clock
        self._interval_s = interval_s
        self._count = {
            outcome: health.frames.labels(outcome)
            for outcome in ("stored", "repeated", "refused", "late", "clamped")
        }

    async def push(self, body: bytes, *, session_id: str, mac: str) -> bytes:
        """Store a push and return the answer's body; raises a `Refused` kind or `Unavailable`."""
        caller = self._door.authenticated(body, domain=wire.PUSH_DOMAIN, session_id=session_id, mac=mac)
        session, agent = caller.session, caller.agent
        if self._inbox.is_full():
            raise Overloaded(f"{len(self._inbox)} frames are waiting to be judged")
        received_ms = self._clock.now_ms()
        try:
            push = decode_push(body)
            frames = self._understood(push, session, agent, received_ms)
        except Refused:
            self._count["refused"].inc()
            raise
        self._presence.heard(agent.host_id, at_ms=received_ms, skew_ms=push.now_ms - received_ms)
        marks = [_mark(at, push.frames[at], frame) for at, frame in enumerate(frames)]
        schemas = {mark.schema_id: session.schemas[mark.schema_id].deflated for mark in marks}
        fresh = await self._journal.append(Arrival(agent.id, received_ms, marks, schemas, body))
        new = [frames[at] for at in fresh]
        self._inbox.put(new)
        self._tally(body, push, new, received_ms)
        return msgspec.msgpack.encode(
            {"acked": len(frames), "interval_s": self._interval_s, "now_ms": self._clock.now_ms()}
        )

    def _understood(self, push: Push, session: Session, agent: AgentFacts, received_ms: int) -> list[HostFrame]:
        for packed in push.schemas:
            told = tell(packed)
            if told.schema.host:
                raise Forbidden(
                    f"{told.schema.host!r} is not declared under the site of agent {agent.id}",
                    remedy="declare the device first",
                )
            session.tell(told)
        return [self._host_frame(frame, push, session, agent, received_ms) for frame in push.frames]

    def _host_frame(
        self, frame: PushedFrame, push: Push, session: Session, agent: AgentFacts, received_ms: int
    ) -> HostFrame:
        told = session.schemas.get(frame.schema_id)
        if told is None:
            raise Conflict(
                f"schema {frame.schema_id:016x} is not known in this session", remedy="send the schemas again"
            )
        times = settled_times(frame.times_ms, now_ms=push.now_ms, received_ms=received_ms)
        return HostFrame(agent.host_id, told.schema, times, frame.samples(len(told.schema.series)))

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
