"""An agent that is proven to be cloned is shut out until it is released: durably, before anybody is answered.

Both are refused. The server cannot tell which of them is the host that was enrolled, and what either says
would be mixed into one host's readings.
"""

import asyncio
from functools import partial

import structlog
from sqlmodel import Session

from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.clock import Clock
from tocsin_server.estate.agents import quarantine
from tocsin_server.estate.estate import AgentFacts, Estate, HostFacts
from tocsin_server.ingest.clones import Conversation
from tocsin_server.ingest.doorkeeper import Caller, Cloned
from tocsin_server.ingest.origin import told
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()


class Quarantine:
    """Follows who speaks for each agent. The event loop's."""

    def __init__(self, *, storage: Storage, estate: Estate, clock: Clock, interval_s: float) -> None:
        self._storage = storage
        self._estate = estate
        self._clock = clock
        self._interval_s = interval_s
        self._of_agent: dict[str, Conversation] = {}

    async def admit(self, caller: Caller) -> None:
        """A push has been verified; raises `Cloned` where it proves a clone, which is durable then."""
        agent, session = caller.agent.id, caller.session
        before = self._of_agent.get(agent, _NOBODY)
        now = before.after(
            session.id, session.origin, now_s=self._clock.monotonic(), interval_s=self._interval_s
        )
        if now is before:
            return
        self._of_agent[agent] = now
        if now.clones:
            await self._shut_out(caller, told(now.clones))

    async def _shut_out(self, caller: Caller, evidence: str) -> None:
        """Where the database cannot be written, this push is answered 503, and the next proves it again."""
        agent, host = caller.agent, caller.host
        act = partial(_shut_out, agent=agent, host=host, evidence=evidence, now_ms=self._clock.now_ms())
        is_news = await self._storage.write_soon(act)
        await asyncio.to_thread(self._estate.reload)
        self._of_agent.pop(agent.id, None)
        if is_news:
            _log.warning(
                f"two hosts speak for {host.client}'s {host.name}: {evidence}; both are refused",
                action="agent_cloned",
                client=host.client,
                host=host.name,
                agent=agent.id,
            )
        raise Cloned.of(host)


def _shut_out(session: Session, *, agent: AgentFacts, host: HostFacts, evidence: str, now_ms: int) -> bool:
    """Whether that is new."""
    is_news = quarantine(session, agent_id=agent.id, evidence=evidence, now_ms=now_ms)
    if is_news:
        deed = Deed(
            Act.AGENT_CLONED,
            agent.id,
            by=Actor(Party.SERVER, "quarantine"),
            at_ms=now_ms,
            client_id=host.client_id,
            details={"host": host.name, "evidence": evidence},
        )
        record(session, deed)
    return is_news


_NOBODY = Conversation()
