"""The agents' sessions: in memory, for an hour at most, a few for each agent.

After a restart nobody has one: the agents are answered 401, say hello, and go on. When an agent has too many,
the one that goes is the one longest without a verified push, so that a hello that somebody repeats, whose
session nobody holds the key of, drives out no session that is in use.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from tocsin_protocol.wire import SESSION_SECONDS, session_key
from tocsin_server.clock import Clock
from tocsin_server.errors import Unprocessable
from tocsin_server.ingest.decode import ToldSchema
from tocsin_server.ingest.origin import NOWHERE, Origin

SESSIONS_PER_AGENT = 4
MAX_SCHEMAS = 64
"""Of the agent's own host, whose series come and go: it tells a new schema each time; the oldest makes room,
and 409 asks again."""
MAX_DEVICE_SCHEMAS = 16
"""Of each device that the agent probes, so that many devices never take each other's away."""
_ID_BYTES = 16


@dataclass(slots=True, eq=False)
class Session:
    """One agent's, since its hello."""

    id: bytes
    key: bytes = field(repr=False)
    agent: str
    expires_at: float
    """By the monotonic clock."""
    origin: Origin = NOWHERE
    used_at: float = 0.0
    """When a push was last verified, by the monotonic clock."""
    schemas: dict[int, ToldSchema] = field(default_factory=dict, repr=False)
    of_agent: "list[Session]" = field(default_factory=list, repr=False)
    """All that the agent has."""
    _by_host: dict[str, OrderedDict[int, None]] = field(default_factory=dict, repr=False)

    def known(self, told: ToldSchema) -> ToldSchema:
        """The same schema as an earlier session has it, which is kept once then: it tells all of them again."""
        return next(
            (each.schemas[told.schema.id] for each in self.of_agent if told.schema.id in each.schemas), told
        )

    def tell(self, told: ToldSchema) -> None:
        """The agent has told a schema; of a device, that it may speak of it has been checked."""
        schema_id, host = told.schema.id, told.schema.host
        of_host = self._by_host.setdefault(host, OrderedDict())
        self.schemas[schema_id] = told
        of_host[schema_id] = None
        of_host.move_to_end(schema_id)
        if len(of_host) > (MAX_DEVICE_SCHEMAS if host else MAX_SCHEMAS):
            oldest, _ = of_host.popitem(last=False)
            del self.schemas[oldest]


class Sessions:
    """All of them. Not thread-safe: the event loop owns it."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._by_id: dict[bytes, Session] = {}
        self._by_agent: dict[str, list[Session]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def open(
        self,
        agent: str,
        *,
        agent_ephemeral: bytes,
        nonce: bytes,
        origin: Origin = NOWHERE,
        lasts_s: int = SESSION_SECONDS,
    ) -> tuple[Session, bytes]:
        """Agree a key with an agent that has proved who it is: its session, and our ephemeral public key."""
        secret = secrets.token_bytes(32)
        ours = crypto_scalarmult_base(secret)
        key = session_key(
            _shared(secret, agent_ephemeral),
            agent_ephemeral=agent_ephemeral,
            server_ephemeral=ours,
            nonce=nonce,
        )
        self._make_room(agent)
        session = Session(
            id=secrets.token_bytes(_ID_BYTES),
            key=key,
            agent=agent,
            expires_at=self._clock.monotonic() + lasts_s,
            origin=origin,
            of_agent=self._by_agent.setdefault(agent, []),
        )
        self._by_id[session.id] = session
        session.of_agent.append(session)
        return session, ours

    def find(self, session_id: bytes) -> Session | None:
        """The session of this id, unless its hour is over."""
        session = self._by_id.get(session_id)
        if session is not None and session.expires_at <= self._clock.monotonic():
            self._drop(session)
            return None
        return session

    def _make_room(self, agent: str) -> None:
        now = self._clock.monotonic()
        has = self._by_agent.get(agent, [])
        for session in [one for one in has if one.expires_at <= now]:
            self._drop(session)
        if len(has) >= SESSIONS_PER_AGENT:
            self._drop(min(has, key=lambda session: session.used_at))

    def _drop(self, session: Session) -> None:
        del self._by_id[session.id]
        left = self._by_agent[session.agent]
        left.remove(session)
        if not left:
            del self._by_agent[session.agent]


def _shared(secret: bytes, public: bytes) -> bytes:
    try:
        return crypto_scalarmult(secret, public)
    except CryptoError as error:  # a point of low order would make the secret known to everybody
        raise Unprocessable("the ephemeral key of this hello is none") from error
