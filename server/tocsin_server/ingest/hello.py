"""An agent says hello: it proves that it holds its key, the server proves the same, and a session begins.

What cannot be believed is answered 403 and not 401, which would make the agent say hello again at once. An
unknown agent and a wrong signature get the same answer: nobody learns which agents there are.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from tocsin_protocol import wire
from tocsin_server.clock import Clock
from tocsin_server.errors import Forbidden
from tocsin_server.estate.estate import AgentFacts, Estate
from tocsin_server.estate.names import cleaned_remark
from tocsin_server.ingest.doorkeeper import Cloned
from tocsin_server.ingest.origin import Origin
from tocsin_server.ingest.sessions import Sessions
from tocsin_server.ingest.signed import SignedAnswer, Signer, decode_said, is_signed, sign_answer

_Digest = Annotated[bytes, Meta(max_length=wire.ORIGIN_BYTES)]


class _Hello(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    v: Annotated[int, Meta(ge=wire.VERSION, le=wire.VERSION)]
    agent: Annotated[str, Meta(max_length=wire.MAX_NAME_BYTES)]
    epoch: Annotated[int, Meta(ge=0)]
    version: Annotated[str, Meta(max_length=wire.MAX_NAME_BYTES)]
    ephemeral: Annotated[bytes, Meta(min_length=32, max_length=32)]
    nonce: Annotated[bytes, Meta(min_length=16, max_length=64)]
    now_ms: int
    run: _Digest = b""
    machine: _Digest = b""
    boot: _Digest = b""
    name: Annotated[str, Meta(max_length=wire.MAX_NAME_BYTES)] = ""

    def origin(self, address: str) -> Origin:
        """Where it comes from."""
        return Origin(self.epoch, self.run, self.machine, self.boot, cleaned_remark(self.name), address)


class Greeter:
    """Answers hellos."""

    def __init__(
        self, *, estate: Estate, identity: Signer, sessions: Sessions, clock: Clock, interval_s: int
    ) -> None:
        self._estate = estate
        self._identity = identity
        self._sessions = sessions
        self._clock = clock
        self._interval_s = interval_s

    def greet(self, body: bytes, *, signature: str, address: str) -> SignedAnswer:
        """Begin a session with who asks from there; raises a `Refused` kind."""
        said = decode_said(body, _Hello)
        agent = self._estate.agent(said.agent)
        now_ms = self._clock.now_ms()
        key = None if agent is None else _signed_by(agent, body, signature, now_ms)
        if agent is None or key is None:
            raise Forbidden("no agent of this server has signed this", remedy="enrol the host again")
        host = self._estate.host(agent.host_id)
        if agent.revoked or host is None:
            raise Forbidden(
                f"agent {agent.id} is revoked", remedy="its host is retired: enrol it again to watch it"
            )
        if agent.cloned:
            raise Cloned.of(host)
        lasts_s = _lasts_s(agent.accepted_until_ms(key), now_ms)
        session, ephemeral = self._sessions.open(
            agent.id,
            agent_ephemeral=said.ephemeral,
            nonce=said.nonce,
            origin=said.origin(address),
            lasts_s=lasts_s,
        )
        answer = {
            "session": session.id,
            "ephemeral": ephemeral,
            "expires_s": lasts_s,
            "interval_s": self._interval_s,
            "now_ms": now_ms,
        }
        return sign_answer(answer, domain=wire.HELLO_ANSWER_DOMAIN, request=body, signer=self._identity)


def _signed_by(agent: AgentFacts, body: bytes, signature: str, now_ms: int) -> bytes | None:
    """Which of the agent's keys in force has signed this hello."""
    for key in agent.keys(now_ms):
        if is_signed(body, domain=wire.HELLO_DOMAIN, signature=signature, public_key=key):
            return key
    return None


def _lasts_s(until_ms: int | None, now_ms: int) -> int:
    """How long a session may last, in seconds: not longer than the key that has begun it."""
    if until_ms is None:
        return wire.SESSION_SECONDS
    return min(wire.SESSION_SECONDS, max(1, (until_ms - now_ms) // 1000))
