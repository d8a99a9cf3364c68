"""What happens to an agent once it has enrolled, each by compare-and-set, in one transaction with its event."""

from dataclasses import dataclass

from sqlmodel import Session, col, select, update

from tocsin_server.errors import Conflict, NotFound, Overloaded
from tocsin_server.estate.hosts import live_host
from tocsin_server.estate.store import Agent, AgentEvent, AgentEventKind, Client

THE_SERVER, THE_AGENT = "server", "agent"
OVERLAP_MS = 24 * 3_600_000
"""How long the key before is accepted beside a new one."""
REST_MS = 60_000
"""Between two changes of one agent's key."""
MOST_EVENTS = 50


@dataclass(frozen=True, slots=True)
class Record:
    """An agent and what has happened to it, the oldest first."""

    agent: Agent
    events: list[AgentEvent]


def quarantine(session: Session, *, agent_id: str, evidence: str, now_ms: int) -> bool:
    """Hear neither of the two that speak for this agent from now on; whether that is new."""
    done = session.exec(
        update(Agent)
        .where(col(Agent.id) == agent_id, col(Agent.cloned_ms).is_(None), col(Agent.revoked_ms).is_(None))
        .values(cloned_ms=now_ms)
    )
    if done.rowcount != 1:
        return False
    _note(session, agent_id, AgentEventKind.CLONED, THE_SERVER, evidence, now_ms)
    return True


def release(session: Session, client: Client, host: str, *, by: str, now_ms: int) -> Agent:
    """Hear the agent of this host again; raises `NotFound`, or `Conflict` where it is not in quarantine."""
    agent = agent_of(session, client, host)
    done = session.exec(
        update(Agent).where(col(Agent.id) == agent.id, col(Agent.cloned_ms).is_not(None)).values(cloned_ms=None)
    )
    if done.rowcount != 1:
        raise Conflict(f"the agent of {client.slug}'s {host!r} is not in quarantine")
    _note(session, agent.id, AgentEventKind.RELEASED, by, "", now_ms)
    return agent


def change_key(session: Session, *, agent_id: str, old: bytes, new: bytes, now_ms: int) -> int:
    """Accept the new key from now on, and until when the old one as well; its `former_until_ms`.

    `old` and `new` are public keys; that both have signed has been checked. Told again it changes nothing.
    Raises `Conflict` where another key has come since, `Overloaded` for who changes it all the time.
    """
    agent = session.get_one(Agent, agent_id)
    until_ms = agent.former_until_ms
    if agent.public_key == new and until_ms is not None:
        return until_ms
    if until_ms is not None and now_ms < until_ms - OVERLAP_MS + REST_MS:
        raise Overloaded(f"agent {agent_id} has just changed its key", retry_after_s=REST_MS / 1000)
    done = session.exec(
        update(Agent)
        .where(
            col(Agent.id) == agent_id,
            col(Agent.public_key) == old,
            col(Agent.public_key) != new,
            col(Agent.revoked_ms).is_(None),
            col(Agent.cloned_ms).is_(None),
        )
        .values(public_key=new, former_key=old, former_until_ms=now_ms + OVERLAP_MS)
    )
    if done.rowcount != 1:
        raise Conflict(f"agent {agent_id} has another key by now, or is no longer in service")
    _note(session, agent_id, AgentEventKind.KEY_CHANGED, THE_AGENT, f"{shown(old)} to {shown(new)}", now_ms)
    return now_ms + OVERLAP_MS


def shown(public_key: bytes) -> str:
    """As much of a public key as people compare."""
    return public_key.hex()[:16]


def agent_of(session: Session, client: Client, name: str) -> Agent:
    """Who pushes for the host of this name; raises `NotFound`."""
    host = live_host(session, client.id, name)
    if host is None:
        raise NotFound(
            f"{client.slug} has no host {name!r} in service",
            remedy="the console lists the hosts of each client",
        )
    agent = session.exec(
        select(Agent)
        .where(Agent.host_id == host.id, col(Agent.revoked_ms).is_(None))
        .order_by(col(Agent.enrolled_ms).desc(), col(Agent.id).desc())
    ).first()
    if agent is None:
        raise NotFound(f"{client.slug}'s {name!r} has no agent: the one of its site probes it")
    return agent


def record_of(session: Session, client: Client, name: str) -> Record:
    """The agent of the host of this name, and the latest of what happened to it; raises `NotFound`."""
    agent = agent_of(session, client, name)
    latest = session.exec(
        select(AgentEvent)
        .where(AgentEvent.agent_id == agent.id)
        .order_by(col(AgentEvent.id).desc())
        .limit(MOST_EVENTS)
    ).all()
    return Record(agent, [*reversed(latest)])


def _note(session: Session, agent_id: str, kind: AgentEventKind, actor: str, text: str, now_ms: int) -> None:
    client_id = session.exec(select(Agent.client_id).where(Agent.id == agent_id)).one()
    session.add(
        AgentEvent(client_id=client_id, agent_id=agent_id, at_ms=now_ms, kind=kind, actor=actor, text=text)
    )
