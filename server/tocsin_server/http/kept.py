"""What the server still keeps of the samples that an expression has looked at: from the journal and the head.

    journal    what hosts have sent, for `journal_hours`, so many frames at most
    head       the same and what is made here (`up`, `record:`, `ALERTS`), as far as rules look back

A time that has more frames than may be read is read at both its ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.chartsource import series_of
from tocsin_server.http.deps import Deps
from tocsin_server.http.looks import Look, Span
from tocsin_server.http.portion import Portion
from tocsin_server.http.query import pace_ms
from tocsin_server.series.fixed import FixedSeries, FixedSource
from tocsin_server.series.labels import NO_HOST
from tocsin_server.series.source import LOOKBACK_MS

SHORTEST_MS = 60_000
"""What is read of an end is no shorter."""
ANY_NAME = 50
"""So many times fewer frames are read where all of a host's series are asked for."""

_Marks = tuple[int | None, frozenset[tuple[str, str]]]


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


def fitted(asked: Asked, most: int, interval_ms: int) -> Asked | None:
    """The same over as much of its time as `most` frames are of; nothing where the shortest has more."""
    most = most // ANY_NAME if "" in asked.names else most
    start_ms, end_ms = asked.spans[0][0], asked.spans[-1][1]
    length_ms = end_ms - start_ms
    while _frames(asked, interval_ms) > most:
        length_ms //= 2
        if length_ms < SHORTEST_MS:
            return None
        asked = replace(asked, spans=[(start_ms, start_ms + length_ms), (end_ms - length_ms, end_ms)])
    return asked


def _frames(asked: Asked, interval_ms: int) -> int:
    spans = asked.reading()
    return sum((end - start) // pace_ms(host, interval_ms) + 1 for host in asked.hosts for start, end in spans)


def source_of(deps: Deps, asked: Asked) -> FixedSource:
    """All that is kept."""
    found: dict[_Marks, list[FixedSeries]] = {}
    for series in (*_journalled(deps, asked), *_from_head(deps, asked)):
        found.setdefault((series[1], frozenset(series[2].items())), []).append(series)
    return FixedSource.from_series(map(_one, found.values()), clients=[asked.client_id])


def _one(parts: Sequence[FixedSeries]) -> FixedSeries:
    client_id, host_id, labels, *_ = parts[0]
    times, first = np.unique(np.concatenate([part[3] for part in parts]), return_index=True)
    return client_id, host_id, labels, times, np.concatenate([part[4] for part in parts])[first]


def _journalled(deps: Deps, asked: Asked) -> Iterator[FixedSeries]:
    spans, interval_ms = asked.reading(), deps.settings.interval_s * 1000
    for host in asked.hosts if spans else ():
        frames = [frame for span in spans for frame in deps.journal.frames_of(host.id, *span)]
        pace = pace_ms(host, interval_ms)
        for series in series_of(host, frames, asked.names, end_ms=spans[-1][1], interval_ms=pace):
            yield _within(series, spans)


def _within(series: FixedSeries, spans: Sequence[Span]) -> FixedSeries:
    """Of a time that was not read nobody knows whether the host was up."""
    client_id, host_id, labels, times, values = series
    moments, samples = np.asarray(times, np.int64), np.asarray(values, np.float64)
    inside = np.zeros(len(moments), np.bool_)
    for start, end in spans:
        inside |= (moments > start) & (moments <= end)
    return client_id, host_id, labels, moments[inside], samples[inside]


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
