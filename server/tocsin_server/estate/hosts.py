"""Hosts leave here; they come by `enrolment`. Devices come and leave by `declared`."""

from sqlmodel import Session, col, select, update

from tocsin_server.errors import Conflict, NotFound
from tocsin_server.estate.store import Agent, Client, Host


def retire_host(session: Session, client: Client, name: str, now_ms: int) -> Host:
    """Take a host out of service and refuse its agents from now on. Its name is free again."""
    host = live_host(session, client.id, name)
    if host is None:
        raise NotFound(
            f"{client.slug} has no host {name!r} in service",
            remedy="the console lists the hosts of each client",
        )
    if host.prober_id is not None:
        raise Conflict(
            f"{client.slug}'s {name!r} is a declared device",
            remedy="take it out of its file in config/probes, and the server retires it",
        )
    host.retired_ms = now_ms
    session.add(host)
    session.exec(
        update(Agent)
        .where(col(Agent.host_id) == host.id, col(Agent.revoked_ms).is_(None))
        .values(revoked_ms=now_ms)
    )
    session.flush()
    return host


def live_host(session: Session, client_id: int | None, name: str) -> Host | None:
    """The client's host of that name, if it is in service."""
    return session.exec(
        select(Host).where(Host.client_id == client_id, Host.name == name, col(Host.retired_ms).is_(None))
    ).one_or_none()


def client_of(session: Session, host_id: int) -> int | None:
    """The id of a host's client, be the host retired; nothing where there has never been one."""
    host = session.get(Host, host_id)
    return None if host is None else host.client_id
