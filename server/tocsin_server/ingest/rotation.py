"""An agent gets another key: it asks within its session, with the signatures of the old key and of the new one.

Both are accepted for a day, so that an agent which crashes between the answer and its disk is not locked out;
then only the new one. It is durable before it is answered, and told twice it is changed once.
"""

import asyncio
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlmodel import Session

from tocsin_protocol import wire
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.clock import Clock
from tocsin_server.errors import Unprocessable
from tocsin_server.estate.agents import change_key
from tocsin_server.estate.estate import AgentFacts, Estate, HostFacts
from tocsin_server.estate.store import Agent
from tocsin_server.ingest.doorkeeper import Doorkeeper, KeyedAnswer
from tocsin_server.ingest.signed import decode_said, is_signed
from tocsin_server.storage.engine import Storage

_Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]


class _NewKey(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    v: Annotated[int, Meta(ge=wire.VERSION, le=wire.VERSION)]
    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    by_old: _Signature
    by_new: _Signature
    now_ms: int


class Rotation:
    """Answers `KEY_PATH`."""

    def __init__(self, *, doorkeeper: Doorkeeper, storage: Storage, estate: Estate, clock: Clock) -> None:
        self._doorkeeper = doorkeeper
        self._storage = storage
        self._estate = estate
        self._clock = clock

    async def answer(self, body: bytes, *, session_id: str, mac: str) -> KeyedAnswer:
        """For how long the old key is accepted; raises a `Refused` kind or `Unavailable`."""
        caller = self._doorkeeper.authenticated(body, domain=wire.KEY_DOMAIN, session_id=session_id, mac=mac)
        said = decode_said(body, _NewKey)
        now_ms = self._clock.now_ms()
        old = _signed_by(said, caller.agent, caller.session.id, now_ms)
        act = partial(_changed, agent=caller.agent, host=caller.host, old=old, new=said.key, now_ms=now_ms)
        until_ms = await self._storage.write_soon(act)
        # The agent signs its next hello with the new key.
        await asyncio.to_thread(self._estate.reload)
        answer = {"overlap_s": max(0, until_ms - now_ms) // 1000, "now_ms": now_ms}
        return caller.answer(answer, domain=wire.KEY_ANSWER_DOMAIN, request=body)


def _changed(
    session: Session, *, agent: AgentFacts, host: HostFacts, old: bytes, new: bytes, now_ms: int
) -> int:
    """Until when the old key is accepted; told twice it is changed, and recorded, once."""
    is_news = session.get_one(Agent, agent.id).public_key != new
    until_ms = change_key(session, agent_id=agent.id, old=old, new=new, now_ms=now_ms)
    if is_news:
        deed = Deed(
            Act.AGENT_KEY_CHANGED,
            agent.id,
            by=Actor(Party.AGENT, agent.id),
            at_ms=now_ms,
            client_id=host.client_id,
            details={"host": host.name, "old": old.hex(), "new": new.hex()},
        )
        record(session, deed)
    return until_ms


def _signed_by(said: _NewKey, agent: AgentFacts, session: bytes, now_ms: int) -> bytes:
    """The key in force that has signed the new one, which has signed itself."""
    message = wire.new_key_message(session, said.key)
    if not is_signed(message, domain=b"", signature=said.by_new.hex(), public_key=said.key):
        raise Unprocessable("the new key has not signed this")
    for key in agent.keys(now_ms):
        if is_signed(message, domain=b"", signature=said.by_old.hex(), public_key=key):
            return key
    raise Unprocessable("no key of this agent that is in force has signed the new one")
