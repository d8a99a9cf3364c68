"""What the server still keeps of the samples that an expression has looked at: what was sent, and the head.

    sent       journal and history, so much at most
    head       the same and what is made here (`up`, `record:`, `ALERTS`), as far as rules look back

A time that has more than may be read is read at both its ends.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.deps import Deps
from tocsin_server.http.looks import Look, Span
from tocsin_server.http.portion import Portion
from tocsin_server.http.sent import joined
from tocsin_server.series.fixed import FixedSeries, FixedSource
from tocsin_server.series.labels import NO_HOST
from tocsin_server.series.source import LOOKBACK_MS

SHORTEST_MS = 60_000
"""What is read of an end is no shorter."""
ANY_NAME = 50
"""So many times fewer frames are read where all of a host's series are asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read: looks of one client's hosts, as evaluations in some spans of time have them."""

    client_id: int
    looks: Sequence[Look]
    hosts: Sequence[HostFacts]
    kept_ms: int
    """Nothing older is kept."""
    now_ms: int
    spans: Sequence[Span]

    @property
    def names(self) -> frozenset[str]:
        """Of metrics; "" stands for all of them."""
        return frozenset(look.selector.name or "" for look in self.looks)

    def reading(self) -> list[Span]:
        """The spans of the samples themselves, as far as they can be there, none twice."""
        seen = (look.span(*span) for look in self.looks for span in self.spans)
        clipped = ((max(start - LOOKBACK_MS, self.kept_ms), min(end, self.now_ms)) for start, end in seen)
        return list(_joined(sorted(span for span in clipped if span[0] < span[1])))


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    under_way: Span | None = None
    for span in spans:
        if under_way is not None and span[0] <= under_way[1]:
            under_way = under_way[0], max(under_way[1], span[1])
            continue
        if under_way is not None:
            yield under_way
        under_way = span
    if under_way is not None:
        yield under_way


def fitted(asked: Asked, most: int, frames: Callable[[HostFacts, int, int], int]) -> Asked | None:
    """The same over as much of its time as `most` frames are of; nothing where the shortest has more.

    `frames` says how many a host has in a time.
    """
    most = most // ANY_NAME if "" in asked.names else most
    start_ms, end_ms = asked.spans[0][0], asked.spans[-1][1]
    length_ms = end_ms - start_ms
    while sum(frames(host, *span) for host in asked.hosts for span in asked.reading()) > most:
        length_ms //= 2
        if length_ms < SHORTEST_MS:
            return None
        asked = replace(asked, spans=[(start_ms, start_ms + length_ms), (end_ms - length_ms, end_ms)])
    return asked


def source_of(deps: Deps, asked: Asked) -> FixedSource:
    """All that is kept."""
    spans = asked.reading()
    sent = [each for host in asked.hosts for each in deps.sent.series(host, asked.names, spans)]
    return FixedSource.from_series(joined([*sent, *_from_head(deps, asked)]), clients=[asked.client_id])


def _from_head(deps: Deps, asked: Asked) -> Iterator[FixedSeries]:
    hosts = {NO_HOST, *(host.id for host in asked.hosts)}
    for look in asked.looks:
        if look.selector.name is None:
            continue
        with deps.head.lock:
            portion = Portion(deps.head, [asked.client_id])
            selection = portion.select(look.selector.name, look.selector.matchers)
            window = portion.window(selection, 0, asked.now_ms)
        labels = selection.labels
        for row in np.flatnonzero(np.isin(labels.hosts, list(hosts))).tolist():
            count, host = int(window.count[row]), int(labels.hosts[row])
            yield (
                asked.client_id,
                None if host == NO_HOST else host,
                labels.row(row),
                window.times[row, :count],
                window.values[row, :count],
            )


def since_ms(source: FixedSource, looks: Iterable[Look], now_ms: int) -> int:
    """From when on there are samples for all of these; now where there are none."""
    begins = [0]
    for look in looks:
        times = source.window(source.select(look.selector.name, look.selector.matchers), 0, now_ms).times
        begins.append(int(times[times > 0].min(initial=now_ms)))
    return max(begins)
