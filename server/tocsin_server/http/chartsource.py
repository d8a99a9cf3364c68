"""What a host has sent of late as a source for PromQL: the journal's frames turned into series.

`up`, which no host sends, is drawn from when it has pushed: 1 at each frame, 0 from when it was silent.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from tocsin_protocol.wire import MISSED_PUSHES_UNTIL_SILENT
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.needs import Frame
from tocsin_server.series.arrays import Floats, Ints
from tocsin_server.series.fixed import FixedSeries, FixedSource
from tocsin_server.series.labels import NAME
from tocsin_server.series.schema import Schema, own_labels

UP = "up"


def source_of(
    host: HostFacts, frames: Sequence[Frame], names: Collection[str], *, end_ms: int, interval_ms: int
) -> FixedSource:
    """The host's series of these metric names (all of them where "" is among the names)."""
    series = series_of(host, frames, names, end_ms=end_ms, interval_ms=interval_ms)
    return FixedSource.from_series(series, clients=[host.client_id])


def series_of(
    host: HostFacts, frames: Sequence[Frame], names: Collection[str], *, end_ms: int, interval_ms: int
) -> list[FixedSeries]:
    """The same, to be put beside those of other hosts."""
    target = {"instance": host.name, "job": host.job, "site": host.site}
    series = list(_series(host, frames, names, target))
    if UP in names or "" in names:
        heard = np.unique(np.concatenate([[], *(frame.times_ms for frame in frames)]).astype(np.int64))
        times, values = up_from(heard, end_ms=end_ms, interval_ms=interval_ms)
        series.append((host.client_id, host.id, {NAME: UP, **target}, times, values))
    return series


def up_from(heard: Ints, *, end_ms: int, interval_ms: int) -> tuple[Ints, Floats]:
    """1 whenever it was heard; in a pause of three pushes or more 0, each interval, as the server writes it."""
    if not len(heard):
        return heard, np.zeros(0)
    ends = np.append(heard[1:], end_ms)
    silences = [
        np.arange(begin + (MISSED_PUSHES_UNTIL_SILENT + 1) * interval_ms, end, interval_ms)
        for begin, end in zip(heard.tolist(), ends.tolist(), strict=True)
    ]
    times = np.concatenate([heard, *silences]).astype(np.int64)
    values = np.concatenate([np.ones(len(heard)), *(np.zeros(len(silence)) for silence in silences)])
    order = np.argsort(times, kind="stable")
    return times[order], values[order]


def _series(
    host: HostFacts, frames: Iterable[Frame], names: Collection[str], target: Mapping[str, str]
) -> Iterator[FixedSeries]:
    """One series for each set of labels, though the host has sent it under several schemas."""
    pieces: dict[tuple[tuple[str, str], ...], list[tuple[Ints, Floats]]] = {}
    for _, run in groupby(frames, key=lambda frame: frame.schema.id):
        sent = list(run)  # thousands, and mostly of one schema
        wanted = list(_columns(sent[0].schema, names))
        times = np.concatenate([np.asarray(frame.times_ms, np.int64) for frame in sent])
        columns = [column for column, _ in wanted]
        samples = np.concatenate([frame.matrix[:, columns] for frame in sent])
        for place, (_, labels) in enumerate(wanted):
            pieces.setdefault(labels, []).append((times, samples[:, place]))
    for labels, parts in pieces.items():
        times = np.concatenate([times for times, _ in parts])
        values = np.concatenate([values for _, values in parts])
        times, first = np.unique(times, return_index=True)
        yield host.client_id, host.id, {**dict(labels), **target}, times, values[first]


def _columns(schema: Schema, names: Collection[str]) -> Iterator[tuple[int, tuple[tuple[str, str], ...]]]:
    for column, entry in enumerate(schema.series):
        if entry.name in names or "" in names:
            yield column, ((NAME, entry.name), *own_labels(entry))
