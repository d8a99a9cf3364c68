"""Who asks within a session: the holder of its key, as long as the agent and its host are in service.

Pushes and questions come in here alike. Nothing of a body is believed, or even decoded, before this has
let it in.
"""

import hmac
from dataclasses import dataclass
from typing import Self

import msgspec

from tocsin_protocol import wire
from tocsin_server.clock import Clock
from tocsin_server.errors import Forbidden, Unauthenticated
from tocsin_server.estate.estate import AgentFacts, Estate, HostFacts
from tocsin_server.ingest.sessions import Session, Sessions


class Cloned(Forbidden):
    """Two hosts speak with this agent's key; neither is heard until an operator has told them apart."""

    kind = wire.CLONED

    @classmethod
    def of(cls, host: HostFacts) -> Self:
        """The refusal, for both of them."""
        return cls(
            f"two hosts run with the key of {host.client}'s {host.name}",
            remedy="on the copy, stop the agent, delete its state folder and enrol it anew;"
            f" then, on the server, tocsin-server agent release {host.client} {host.name}",
        )


class KeyedAnswer(msgspec.Struct, frozen=True):
    """A body, and the HMAC that goes into its header."""

    body: bytes
    mac: str


@dataclass(frozen=True, slots=True)
class Caller:
    """An agent that has been let in."""

    session: Session
    agent: AgentFacts
    host: HostFacts
    """The agent's own."""

    def answer(self, said: object, *, domain: bytes, request: bytes) -> KeyedAnswer:
        """An answer that belongs to this request and no other; `domain` is the answer's."""
        body = msgspec.msgpack.encode(said)
        message = wire.answer_message(domain, self.session.id, request, body)
        return KeyedAnswer(body, hmac.digest(self.session.key, message, "sha256").hex())


class Doorkeeper:
    """Knows the sessions and the estate; keeps nothing of its own."""

    def __init__(self, *, sessions: Sessions, estate: Estate, clock: Clock) -> None:
        self._sessions = sessions
        self._estate = estate
        self._clock = clock

    def authenticated(self, body: bytes, *, domain: bytes, session_id: str, mac: str) -> Caller:
        """Who has sent this body for this purpose; raises `Unauthenticated` (401) or `Forbidden` (403)."""
        session = self._session(body, domain=domain, session_id=session_id, mac=mac)
        agent = self._estate.agent(session.agent)
        if agent is None or agent.revoked:
            raise Forbidden(f"agent {session.agent} is revoked", remedy="enrol the host again to watch it")
        host = self._estate.host(agent.host_id)
        if host is None:
            raise Forbidden(f"the host of agent {agent.id} is retired", remedy="enrol it again to watch it")
        if agent.cloned:
            raise Cloned.of(host)
        return Caller(session, agent, host)

    def _session(self, body: bytes, *, domain: bytes, session_id: str, mac: str) -> Session:
        try:
            said = bytes.fromhex(session_id)
        except ValueError:
            said = b""
        session = self._sessions.find(said)
        if session is None:
            raise Unauthenticated("there is no such session, or its hour is over", remedy="say hello")
        expected = hmac.digest(session.key, wire.session_message(domain, said, body), "sha256").hex()
        # Bytes, because compare_digest refuses text that is not ASCII by raising.
        if not hmac.compare_digest(expected.encode(), mac.encode("utf-8", "surrogateescape")):
            raise Unauthenticated("the request is not authenticated by its session's key", remedy="say hello")
        session.used_at = self._clock.monotonic()
        return session
