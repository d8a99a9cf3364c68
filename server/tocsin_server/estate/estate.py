"""The estate as a picture in memory, for whoever cannot wait for the database: pushes, rounds, lists.

A picture never changes; `reload` swaps in a new one when the tables have changed, so any thread may look at
any time. It is at most as old as the last reload: that is how soon a revoked agent is refused.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import TextClause, text
from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.storage.engine import Storage


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """A client."""

    id: int
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A host in service."""

    id: int
    client_id: int
    client: str
    """The client's slug."""
    site_id: int
    site: str
    """The site's slug."""
    name: str
    kind: HostKind
    job: str
    os: str
    enrolled_ms: int
    prober_id: int | None = None
    """The host whose agent probes this one, a device; nothing for a host with an agent of its own."""
    interval_s: int | None = None
    """How often its frames come, where that is not how often agents push."""
    parents: tuple[str, ...] = ()
    """The names of what it is reached through."""


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent, revoked ones too: theirs is another answer than a stranger's."""

    id: str
    client_id: int
    host_id: int
    public_key: bytes
    revoked: bool
    version: str
    cloned: bool = False
    """Two hosts speak with its key, and neither is heard."""
    former_key: bytes | None = None
    former_until_ms: int = 0

    def keys(self, now_ms: int) -> tuple[bytes, ...]:
        """The public keys that are accepted now, its newest first."""
        if self.former_key is None or now_ms >= self.former_until_ms:
            return (self.public_key,)
        return self.public_key, self.former_key

    def accepted_until_ms(self, key: bytes) -> int | None:
        """When one of these is no longer accepted; nothing for its newest."""
        return None if key == self.public_key else self.former_until_ms


_CLIENTS = text("SELECT id, slug, name FROM client ORDER BY id")
_HOSTS = text(
    "SELECT host.id, host.client_id, client.slug, host.site_id, site.slug, host.name, host.kind, host.job,"
    " host.os, host.enrolled_ms, host.prober_id, host.interval_s"
    " FROM host JOIN client ON client.id = host.client_id JOIN site ON site.id = host.site_id"
    " WHERE host.retired_ms IS NULL AND host.id > :after ORDER BY host.id"
)
_PARENTS = text(
    "SELECT child.id, parent.name FROM host_parent JOIN host child ON child.id = host_parent.host_id"
    " JOIN host parent ON parent.id = host_parent.parent_id AND parent.client_id = child.client_id"
    " WHERE parent.retired_ms IS NULL AND child.retired_ms IS NULL ORDER BY child.id, parent.name"
)
_AGENTS = text(
    "SELECT id, client_id, host_id, public_key, revoked_ms IS NOT NULL, version, cloned_ms IS NOT NULL,"
    " former_key, former_until_ms FROM agent WHERE host_id > :after"
    " ORDER BY enrolled_ms, id"
)

_Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Picture:
    """All of it at one moment."""

    clients: dict[int, ClientFacts]
    hosts: dict[int, HostFacts]
    hosts_by_name: dict[tuple[int, str], HostFacts]
    agents: dict[str, AgentFacts]
    agents_by_host: dict[int, AgentFacts]
    """The newest of each host that is not revoked."""
    cloned: frozenset[int]
    """Hosts whose agent is in quarantine."""
    devices: dict[tuple[int, str], HostFacts]
    """By the host whose agent probes it, and its name."""
    host_list: list[HostFacts]


class Estate:
    """What is watched, as of the last `reload`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._reloading = threading.Lock()
        self._rows: tuple[_Rows, ...] = ([], [], [], [])
        self._picture = _draw([], [], [], [])
        self.generation = 0
        """Grows with every change; whoever has derived something can tell by it that it is out of date."""

    def reload(self) -> bool:
        """Look at the tables; whether anything has changed.

        The rows are read plainly and compared as they are: 10,000 hosts take some 30 ms, a new picture
        another 80.
        """
        with self._reloading:  # or who read first could draw last
            rows = self._storage.read(_read)
            if rows == self._rows:
                return False
            self._show(_draw(*rows), rows)
            return True

    def admit(self) -> None:
        """Take up those that have enrolled since the last look, and read nothing else of the tables."""
        with self._reloading:
            clients, hosts, agents, parents = self._rows
            newest = max([0, *(row[0] for row in hosts), *(row[2] for row in agents)])
            new_hosts, new_agents = self._storage.read(partial(_read_after, newest))
            if not new_hosts:
                return
            come = [_host(row, ()) for row in new_hosts]
            if all(host.client_id in self._picture.clients and host.prober_id is None for host in come):
                picture = _joined(self._picture, come, list(map(_agent, new_agents)))
                self._show(picture, (clients, hosts + new_hosts, agents + new_agents, parents))
                return
        self.reload()

    def _show(self, picture: _Picture, rows: tuple[_Rows, ...]) -> None:
        self._picture = picture
        self._rows = rows
        self.generation += 1

    def clients(self) -> list[ClientFacts]:
        return list(self._picture.clients.values())

    def client(self, client_id: int) -> ClientFacts | None:
        return self._picture.clients.get(client_id)

    def hosts(self) -> list[HostFacts]:
        """Every host in service."""
        return self._picture.host_list

    def host(self, host_id: int) -> HostFacts | None:
        return self._picture.hosts.get(host_id)

    def host_named(self, client_id: int, name: str) -> HostFacts | None:
        return self._picture.hosts_by_name.get((client_id, name))

    def agent(self, agent_id: str) -> AgentFacts | None:
        return self._picture.agents.get(agent_id)

    def agent_of(self, host_id: int) -> AgentFacts | None:
        """Who pushes for a host now."""
        return self._picture.agents_by_host.get(host_id)

    def cloned(self) -> frozenset[int]:
        """The hosts whose agent is in quarantine."""
        return self._picture.cloned

    def device_of(self, agent_host_id: int, name: str) -> HostFacts | None:
        """The device of that name which this host's agent probes; never another client's."""
        return self._picture.devices.get((agent_host_id, name))

    def has_devices(self, agent_host_id: int) -> bool:
        """Whether this host's agent probes any device."""
        return any(prober_id == agent_host_id for prober_id, _ in self._picture.devices)


def hosts_in_service(session: Session) -> list[HostFacts]:
    """Every host, as the tables say now: for a command, which looks once."""
    return _draw(*_read(session)).host_list


def _read(session: Session) -> tuple[_Rows, ...]:
    return (
        _rows(session, _CLIENTS),
        _rows(session, _HOSTS, after=0),
        _rows(session, _AGENTS, after=0),
        _rows(session, _PARENTS),
    )


def _read_after(newest: int, session: Session) -> tuple[_Rows, _Rows]:
    """The hosts that have come after this one, and their agents: whoever enrols is a new host."""
    return _rows(session, _HOSTS, after=newest), _rows(session, _AGENTS, after=newest)


def _rows(session: Session, query: TextClause, **given: int) -> _Rows:
    return [tuple(row) for row in session.connection().execute(query, given)]


def _joined(picture: _Picture, come: list[HostFacts], agents: list[AgentFacts]) -> _Picture:
    """With new agents of known clients, and their hosts: nobody probes these, and they are behind nothing."""
    live = [agent for agent in agents if not agent.revoked]
    return replace(
        picture,
        hosts=picture.hosts | {host.id: host for host in come},
        hosts_by_name=picture.hosts_by_name | {(host.client_id, host.name): host for host in come},
        agents=picture.agents | {agent.id: agent for agent in agents},
        agents_by_host=picture.agents_by_host | {agent.host_id: agent for agent in live},
        cloned=picture.cloned | {agent.host_id for agent in live if agent.cloned},
        host_list=picture.host_list + come,
    )


def _draw(clients: _Rows, hosts: _Rows, agents: _Rows, parents: _Rows) -> _Picture:
    parents_of: dict[int, tuple[str, ...]] = {}
    for host_id, parent in parents:
        parents_of[host_id] = (*parents_of.get(host_id, ()), parent)
    host_list = [_host(row, parents_of.get(row[0], ())) for row in hosts]
    by_id = {host.id: host for host in host_list}
    agent_list = [_agent(row) for row in agents]
    return _Picture(
        clients={row[0]: ClientFacts(*row) for row in clients},
        hosts=by_id,
        hosts_by_name={(host.client_id, host.name): host for host in host_list},
        agents={agent.id: agent for agent in agent_list},
        agents_by_host={agent.host_id: agent for agent in agent_list if not agent.revoked},
        cloned=frozenset(agent.host_id for agent in agent_list if agent.cloned and not agent.revoked),
        devices=dict(_devices(by_id)),
        host_list=host_list,
    )


def _devices(hosts: dict[int, HostFacts]) -> Iterator[tuple[tuple[int, str], HostFacts]]:
    """Devices of hosts in service. Whatever the tables say, nobody probes for another client."""
    for host in hosts.values():
        prober = None if host.prober_id is None else hosts.get(host.prober_id)
        if prober is not None and prober.client_id == host.client_id:
            yield (prober.id, host.name), host


def _host(row: tuple[Any, ...], parents: tuple[str, ...]) -> HostFacts:
    host_id, client_id, client, site_id, site, name, kind, job, os, enrolled_ms, prober_id, interval_s = row
    return HostFacts(
        host_id,
        client_id,
        client,
        site_id,
        site,
        name,
        HostKind(kind),
        job,
        os,
        enrolled_ms,
        prober_id,
        interval_s,
        parents,
    )


def _agent(row: tuple[Any, ...]) -> AgentFacts:
    agent_id, client_id, host_id, public_key, revoked, version, cloned, former_key, former_until_ms = row
    return AgentFacts(
        agent_id,
        client_id,
        host_id,
        public_key,
        bool(revoked),
        version,
        bool(cloned),
        former_key,
        former_until_ms or 0,
    )
