"""A host's hours of history as frames again, for whoever plays them to a head."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.series.arrays import stale
from tocsin_server.series.history.reader import Archive, Covered, Question, Wanted, Watched
from tocsin_server.series.labels import NAME
from tocsin_server.series.schema import Schema, SeriesEntry


class Replay:
    """Reads the series of these metric names; all of them where "" is among the names."""

    def __init__(self, archive: Archive, names: Collection[str]) -> None:
        self._archive = archive
        self._wanted = [Wanted(None)] if "" in names else [Wanted(name) for name in sorted(names)]
        self._schemas: dict[tuple[SeriesEntry, ...], Schema] = {}
        self.found: set[str] = set()
        """The names of all metrics that have been met."""

    def covered(self, hosts: Sequence[HostFacts], start_ms: int, end_ms: int) -> dict[int, Covered]:
        """Of which part of this time there is anything, by host."""
        clients: dict[int, list[Watched]] = {}
        for host in hosts:
            clients.setdefault(host.client_id, []).append(_watched(host))
        covered: dict[int, Covered] = {}
        for client_id, watched in clients.items():
            covered |= self._archive.covered(Question(client_id, watched, [], start_ms, end_ms))
        return covered

    def newest_ms(self, hosts: Sequence[HostFacts], start_ms: int, end_ms: int) -> int:
        """When any of them was heard last in this time; its beginning where none was."""
        heard = (self._archive.heard(host.client_id, _watched(host), start_ms, end_ms) for host in hosts)
        return max(int(times.max(initial=start_ms)) for each in heard for times in each)

    def frame(self, host: HostFacts, start_ms: int, end_ms: int) -> HostFrame | None:
        """All that a host has sent in this time, both ends included, as one frame; stale where it has not.

        Where only roll-ups are left, the mean of each five minutes, of a counter the highest, at their end.
        Raises `TooManySamples`.
        """
        watched = _watched(host)
        heard = self._archive.heard(host.client_id, watched, start_ms, end_ms)
        times = np.union1d(heard.moments, heard.buckets).astype(np.int64)
        if not len(times):
            return None
        question = Question(host.client_id, [watched], self._wanted, start_ms, end_ms)
        series = self._archive.series(question)
        schema = self._schema([_entry(labels, watched.target) for _, _, labels, _, _ in series])
        matrix = stale((len(times), len(series)))
        for column, (*_, at_ms, values) in enumerate(series):
            places = np.searchsorted(times, at_ms)
            # A series that ends is marked so as an hour begins, and this time may have no instant after that.
            inside = places < len(times)
            matrix[places[inside], column] = np.asarray(values)[inside]
        return HostFrame(host.id, schema, times.tolist(), matrix)

    def _schema(self, entries: Sequence[SeriesEntry]) -> Schema:
        """The same for the same series: hosts alike share what is worked out of it."""
        key = tuple(entries)
        known = self._schemas.get(key)
        if known is None:
            known = self._schemas[key] = Schema(len(self._schemas) + 1, "", key)
            self.found |= {entry.name for entry in entries}
        return known


def _watched(host: HostFacts) -> Watched:
    return Watched(host.id, {"instance": host.name, "job": host.job, "site": host.site})


def _entry(labels: Mapping[str, str], target: Mapping[str, str]) -> SeriesEntry:
    own = sorted((name, text) for name, text in labels.items() if name != NAME and name not in target)
    return SeriesEntry(labels[NAME], SeriesKind.UNTYPED, tuple(own))
