"""The head: the recent samples of every series, as the running server's rules see them.

    catalogue   which series a frame's columns are, as keys that all hosts share
    rings       banks of samples, as deep as rules ask, and whose they are
    feeds       a host, a host's `up` or a recording rule writes frames into its seats in the banks
    selections  which rows a selector means

Series of one depth share a bank; times stand once a host; a frame is one scatter a bank. Not thread-safe:
whoever touches it holds `lock`.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tocsin_server.series.arrays import NEVER, Floats, Ints, stale
from tocsin_server.series.feeds import Feed
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.forgetting import Forgetting
from tocsin_server.series.labels import NAME
from tocsin_server.series.layouts import Catalogue, Layout
from tocsin_server.series.matchers import Matcher
from tocsin_server.series.readings import HeadSelection
from tocsin_server.series.rings import Rings
from tocsin_server.series.samples import Sample, last_samples
from tocsin_server.series.schema import Schema
from tocsin_server.series.selections import Selections
from tocsin_server.series.source import Instant, Window
from tocsin_server.series.symbols import Symbols
from tocsin_server.series.up import UP


class _Host:
    """A host's own feed and what the server says of it; `sent_ms` is the newest instant it sent itself."""

    def __init__(self, rings: Rings, identity: tuple[int, dict[str, str]], owner: int) -> None:
        self.identity = identity
        self.own = Feed(rings, owner)
        self.beats = Feed(rings, owner)
        self.sent_ms: int | None = None


class Head:
    """See the module; it implements `Source`. `interval_s` is how often hosts push."""

    def __init__(self, *, interval_s: float = 10.0) -> None:
        self.lock = threading.RLock()
        self._interval_ms = round(interval_s * 1000)
        self._catalogue = Catalogue()
        self._rings = Rings(self._catalogue, interval_s=interval_s)
        self._selections = Selections(self._rings)
        self._forgetting = Forgetting(self._rings)
        self._hosts: dict[int, _Host] = {}
        self._recorded: dict[tuple[str, int], Feed] = {}
        self._gauges: dict[tuple[str, ...], Layout] = {}
        self._hosts_of_client: Counter[int] = Counter()
        self._clients: Ints = np.zeros(0, np.int64)

    @property
    def symbols(self) -> Symbols:
        """The words of all labels; others once in a while, when those that nobody uses are forgotten."""
        return self._catalogue.symbols

    @property
    def clients(self) -> Ints:
        """The clients that have an enlisted host, ascending."""
        return self._clients

    @property
    def series_count(self) -> int:
        """How many series the head holds, stale ones among them until they are forgotten."""
        return len(self._rings)

    # -- who there is, and how far back rules look

    def require(self, windows: Mapping[str, int]) -> Mapping[str, int]:
        """Keep these ranges in milliseconds, by metric name; "" stands for every metric. See `depths`.

        Gives those that are longer than before. Samples are kept. Rings never become shallower while the server
        runs.
        """
        longer = self._rings.depths.require(windows)
        if longer:
            for feed in self._feeds():
                feed.deepen()
        return longer

    def enlist(self, host_id: int, *, client_id: int, target: Mapping[str, str]) -> None:
        """Know a host and whose it is. `target` is its `instance`, `job` and `site`.

        Under another target or client its series are others, as for Prometheus: the host starts anew.
        """
        identity = (client_id, dict(target))
        host = self._hosts.get(host_id)
        if host is not None and host.identity == identity:
            return
        self.retire(host_id)
        owner = self._rings.owners.add(client_id, host_id, target)
        self._hosts[host_id] = _Host(self._rings, identity, owner)
        self._count_host(client_id, 1)

    def is_enlisted(self, host_id: int) -> bool:
        """Whether the host is known."""
        return host_id in self._hosts

    def retire(self, host_id: int) -> None:
        """Forget a host and all its series."""
        host = self._hosts.pop(host_id, None)
        if host is None:
            return
        host.own.clear()
        host.beats.clear()
        self._rings.owners.drop(host.own.owner)
        self._count_host(host.identity[0], -1)

    # -- samples in

    def apply(self, host_id: int, schema: Schema, times_ms: Sequence[int], matrix: Floats) -> None:
        """Take a frame in: `matrix[i]` are the samples at `times_ms[i]`.

        Instants that are not newer than the host's newest are left out, what is late lies in the journal; so
        is the schema of a frame that is late throughout. A host that is not enlisted is nobody's.
        """
        host = self._hosts.get(host_id)
        if host is None or max(times_ms, default=NEVER) <= host.own.newest_ms:
            return
        feed = host.own
        if feed.layout is None or feed.layout.schema_id != schema.id:
            if self._forgetting.is_due:
                self._forget()
            feed.adopt(self._catalogue.of_schema(schema))
        for time_ms, values in zip(times_ms, matrix, strict=True):
            if time_ms > feed.newest_ms:
                feed.write(time_ms, values)
        host.sent_ms = feed.newest_ms

    def beat(self, host_id: int, *, up: bool, at_ms: int, notes: Mapping[str, float] | None = None) -> None:
        """Say of a host what the server itself knows: `up`, and other readings by metric name.

        A host that is not up has lost its series: they turn stale, as after a failed scrape.
        """
        host = self._hosts.get(host_id)
        if host is None:
            return
        noted = {UP: float(up), **(notes or {})}
        layout = self._layout_of_gauges(tuple(noted))
        if host.beats.layout is not layout:
            host.beats.adopt(layout)
        if at_ms > host.beats.newest_ms:
            host.beats.write(at_ms, np.array([*noted.values()]))
        if not up and host.sent_ms == host.own.newest_ms:
            host.own.write_stale(self._missed_ms(host.own.newest_ms, at_ms))

    def record(
        self,
        key: str,
        name: str,
        client_id: int,
        labels: Sequence[Mapping[str, str]],
        values: Floats,
        at_ms: int,
    ) -> None:
        """Take in what a recording rule yields for one client; what it no longer yields turns stale.

        `key` tells rules apart. A rule that yields nothing has to say so, until its last series is forgotten.
        """
        feed = self._recorded.get((key, client_id))
        if feed is None:
            if not labels:
                return
            owner = self._rings.owners.add(client_id, None, {})
            feed = self._recorded[key, client_id] = Feed(self._rings, owner)
        layout = self._catalogue.of_rows(name, labels)
        if feed.layout is None or not layout.is_like(feed.layout):
            feed.adopt(layout)
        if at_ms > feed.newest_ms:
            feed.write(at_ms, values)
        if feed.is_empty:
            del self._recorded[key, client_id]
            self._rings.owners.drop(feed.owner)

    def recall(self, host_id: int, series: Sequence[FixedSeries]) -> None:
        """Take in what a host has sent before, and its `up`, from where that is kept: rules look back on it.

        Samples that are here stay as they are.
        """
        host = self._hosts.get(host_id)
        if host is None:
            return
        self._recall(host.own, [each for each in series if each[2][NAME] != UP])
        self._recall(host.beats, [each for each in series if each[2][NAME] == UP])

    def _recall(self, feed: Feed, series: Sequence[FixedSeries]) -> None:
        times = np.unique(np.concatenate([np.zeros(0, np.int64), *(at for *_, at, _ in series)]))
        if not len(times):
            return
        values = stale((len(series), len(times)))
        for row, (*_, at, samples) in enumerate(series):
            values[row, np.searchsorted(times, at)] = samples
        feed.recall(self._catalogue.of_series([labels for _, _, labels, _, _ in series]), times, values)

    # -- samples out

    def newest_ms(self, host_id: int) -> int | None:
        """The instant of the newest sample that the host itself has sent."""
        host = self._hosts.get(host_id)
        return None if host is None else host.sent_ms

    def oldest_ms(self, host_id: int) -> int | None:
        """The first instant that any of a host's rings has; nothing where none has one."""
        host = self._hosts.get(host_id)
        lines = [] if host is None else [seat.instants for seat in host.own.seats()]
        return min((int(instants[0]) for instants in lines if len(instants)), default=None)

    def latest(self, host_id: int) -> list[Sample]:
        """The last sample of each of a host's series that is not stale, target labels included, by name."""
        host = self._hosts.get(host_id)
        if host is None:
            return []
        found = [sample for feed in (host.own, host.beats) for sample in last_samples(feed, self._selections)]
        return sorted(found, key=lambda sample: sample.name)

    def select(self, name: str | None, matchers: Sequence[Matcher]) -> HeadSelection:
        """See `Source`."""
        return self._selections.select(name, tuple(matchers))

    def instant(self, selection: HeadSelection, at_ms: int) -> Instant:
        """See `Source`."""
        return selection.instant(at_ms)

    def window(self, selection: HeadSelection, start_ms: int, end_ms: int) -> Window:
        """See `Source`."""
        return selection.window(start_ms, end_ms)

    # -- inside

    def _feeds(self) -> Iterator[Feed]:
        for host in self._hosts.values():
            yield host.own
            yield host.beats
        yield from self._recorded.values()

    def _forget(self) -> None:
        """Number words and sets anew; what was made of the old numbers is made again when it is needed."""
        self._forgetting.forget()
        self._selections.clear()
        self._gauges.clear()
        for feed in self._recorded.values():
            feed.layout = None

    def _layout_of_gauges(self, names: tuple[str, ...]) -> Layout:
        layout = self._gauges.get(names)
        if layout is None:
            layout = self._gauges[names] = self._catalogue.of_gauges(names)
        return layout

    def _missed_ms(self, newest_ms: int, at_ms: int) -> int:
        """When the frame after the newest should have been: by the host's clock, which may be behind ours.

        A marker by ours would make what such a host sends on its return late.
        """
        return newest_ms + max(1, min(at_ms - newest_ms, self._interval_ms))

    def _count_host(self, client_id: int, by: int) -> None:
        self._hosts_of_client[client_id] += by
        known = sorted(client for client, hosts in self._hosts_of_client.items() if hosts)
        if known != self._clients.tolist():
            self._clients = np.array(known, np.int64)
