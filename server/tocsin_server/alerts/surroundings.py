"""What holds around the alerts now: silences, what the files say, and which hosts can be reached.

A host is down when it does not push, or when it is a device and none of its probes succeeds. Only where
somebody names a parent is that asked at all.
"""

from collections.abc import Callable, Mapping, Sequence

from tocsin_server.alerts.alert import Alert, Key
from tocsin_server.alerts.flapping import Flaps
from tocsin_server.alerts.inhibition import Firing, inhibited
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.silences import Silence
from tocsin_server.alerts.suppression import Circumstances
from tocsin_server.alerts.suppressionfile import HostParents, Suppressions
from tocsin_server.alerts.topology import Parents, unreachable
from tocsin_server.estate.estate import Estate, HostFacts
from tocsin_server.promql import Expression, evaluate, parse
from tocsin_server.series.source import Source

_UP = parse("up")
_PROBED = parse("probe_success")


class Surroundings:
    """Asked once a round, in the judge's thread."""

    def __init__(
        self,
        *,
        estate: Estate,
        ground: Source,
        silences: Callable[[], Sequence[Silence]],
        said: Callable[[], Suppressions],
    ) -> None:
        self._estate = estate
        self._ground = ground
        self._silences = silences
        self._said = said
        self._parents: Parents = {}
        self._parents_of: tuple[object, ...] = ()
        """What the parents were worked out from."""

    def circumstances(self, now_ms: int, firing: Firing, flaps: Mapping[Key, Flaps]) -> Circumstances:
        """What holds now, given these alerts."""
        said = self._said()
        cut_off = self._unreachable(said.parents, now_ms)
        causes = {cause for told in cut_off.values() for cause in told}
        return Circumstances(
            now_ms,
            silences=self._silences(),
            windows=said.windows,
            inhibitions=inhibited(said.rules, firing) if said.rules and firing else {},
            unreachable=cut_off,
            host_names={cause: self._name(cause) for cause in causes},
            flaps=flaps,
        )

    def place_of(self, alert: Alert) -> Place:
        """Where it is, by the estate; its labels say nothing of that."""
        host = None if alert.host_id is None else self._estate.host(alert.host_id)
        if host is not None:
            return Place(host.client, host.site, host.name)
        client = self._estate.client(alert.client_id)
        return Place(None if client is None else client.slug)

    def _unreachable(self, declared: Sequence[HostParents], now_ms: int) -> Mapping[int, tuple[int, ...]]:
        parents = self._known_parents(declared)
        if not parents:
            return {}
        pushing, silent = self._split(_UP, now_ms)
        answering, failing = self._split(_PROBED, now_ms)
        down = silent | (failing - answering)
        return unreachable(parents, down, heard=pushing - down) if down else {}

    def _known_parents(self, declared: Sequence[HostParents]) -> Parents:
        made_of = (self._estate.generation, declared)
        if self._parents_of != made_of:
            self._parents = _parents(self._estate, declared)
            self._parents_of = made_of
        return self._parents

    def _split(self, expression: Expression, now_ms: int) -> tuple[set[int], set[int]]:
        """The hosts of rows that are not zero, and of those that are."""
        vector = evaluate(expression, self._ground, now_ms)
        hosts, is_good = vector.labels.hosts, vector.values != 0
        return set(hosts[is_good].tolist()), set(hosts[~is_good].tolist())

    def _name(self, host_id: int) -> str:
        host = self._estate.host(host_id)
        return f"host {host_id}" if host is None else host.name


def _parents(estate: Estate, declared: Sequence[HostParents]) -> Parents:
    """By id, as devices' files and those of suppressions name them together."""
    found: dict[int, set[int]] = {}
    for host in estate.hosts():
        for name in host.parents:
            _note(found, host, estate.host_named(host.client_id, name))
    clients = {client.slug: client.id for client in estate.clients()}
    for each in declared:
        client_id = clients.get(each.client, -1)
        for name in each.hosts:
            for parent in each.parents:
                _note(found, estate.host_named(client_id, name), estate.host_named(client_id, parent))
    return {host: tuple(sorted(parents)) for host, parents in found.items()}


def _note(found: dict[int, set[int]], host: HostFacts | None, parent: HostFacts | None) -> None:
    if host is not None and parent is not None and host.id != parent.id:
        found.setdefault(host.id, set()).add(parent.id)
