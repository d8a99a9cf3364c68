"""Hosts as lists show them: what is enrolled, whether it pushes, how it is and what is open about it.

Everything here may wait for the database or for the head, so it is not for the event loop.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial

from sqlmodel import Session, col, select

from tocsin_protocol.hosts import HostRow, Vitals
from tocsin_protocol.vocabulary import HostState
from tocsin_server.access.scope import Scope
from tocsin_server.clock import Clock, moment
from tocsin_server.desk.queue import OpenTickets, open_by_host
from tocsin_server.estate.estate import Estate, HostFacts
from tocsin_server.estate.store import Client, Host, Site, known
from tocsin_server.http.needs import Presence
from tocsin_server.http.scoped import asked
from tocsin_server.http.vitals import UNKNOWN, VitalSigns
from tocsin_server.storage.engine import Storage

Load = Mapping[int, OpenTickets]


class HostRows:
    """Makes the rows."""

    def __init__(
        self, *, storage: Storage, estate: Estate, presence: Presence, vitals: VitalSigns, clock: Clock
    ) -> None:
        self._storage = storage
        self._estate = estate
        self._presence = presence
        self._vitals = vitals
        self._clock = clock

    def all(self, scope: Scope, client: str | None = None) -> list[HostRow]:
        """Every host in service that is seen, or those of the client with this slug."""
        load = asked(self._storage, scope, open_by_host)
        vitals = self._vitals.of_all()
        return [
            self._row(host, self.state(host.id), load, vitals)
            for host in self._estate.hosts()
            if scope.sees(host.client_id) and (client is None or host.client == client)
        ]

    def one(self, scope: Scope, host_id: int) -> HostRow | None:
        """One host, where it is seen."""
        return self.some(scope, [host_id]).get(host_id)

    def some(self, scope: Scope, host_ids: Iterable[int]) -> dict[int, HostRow]:
        """Those of these hosts that are seen, retired ones too: tickets still speak of them.

        What is open is asked once for all.
        """
        load = asked(self._storage, scope, open_by_host)
        vitals = self._vitals.of_all()
        found = {host_id: self._known(scope, host_id) for host_id in host_ids}
        return {
            host_id: self._row(*known, load, vitals) for host_id, known in found.items() if known is not None
        }

    def _known(self, scope: Scope, host_id: int) -> tuple[HostFacts, HostState] | None:
        host = self._estate.host(host_id)
        if host is not None:
            return (host, self.state(host_id)) if scope.sees(host.client_id) else None
        retired = asked(self._storage, scope, partial(_retired, host_id=host_id))
        return None if retired is None else (retired, HostState.RETIRED)

    def states(self, scope: Scope) -> Counter[HostState]:
        """How many hosts in service that are seen are in each state."""
        return Counter(self.state(host.id) for host in self._estate.hosts() if scope.sees(host.client_id))

    def state(self, host_id: int) -> HostState:
        """What is known of a host in service by its pushes."""
        if not self._presence.was_heard(host_id):
            return HostState.AWAITED
        is_up = self._presence.is_up(host_id, self._clock.now_ms())
        return HostState.UP if is_up else HostState.SILENT

    def _row(self, host: HostFacts, state: HostState, load: Load, vitals: Mapping[int, Vitals]) -> HostRow:
        seen_ms = self._presence.last_seen_ms(host.id)
        agent = self._estate.agent_of(host.id)
        is_open = load.get(host.id)
        return HostRow(
            id=host.id,
            name=host.name,
            client=host.client,
            site=host.site,
            kind=host.kind,
            job=host.job,
            state=state,
            last_seen=None if seen_ms is None else moment(seen_ms),
            os=host.os,
            agent_version=agent.version if agent is not None else "",
            open_tickets=is_open.count if is_open is not None else 0,
            worst_priority=is_open.worst_priority if is_open is not None else None,
            vitals=vitals.get(host.id, UNKNOWN),
            cloned=agent is not None and agent.cloned,
        )


def _retired(session: Session, scope: Scope, host_id: int) -> HostFacts | None:
    """A host that is no longer in service, from the tables."""
    row = session.exec(
        select(Host, Client.slug, Site.slug)
        .join(Client, col(Client.id) == Host.client_id)
        .join(Site, col(Site.id) == Host.site_id)
        .where(Host.id == host_id)
    ).one_or_none()
    if row is None or not scope.sees(row[0].client_id):
        return None
    host, client, site = row
    return HostFacts(
        id=known(host.id),
        client_id=host.client_id,
        client=client,
        site_id=host.site_id,
        site=site,
        name=host.name,
        kind=host.kind,
        job=host.job,
        os=host.os,
        enrolled_ms=host.enrolled_ms,
    )
