"""What hosts have sent, as series for PromQL: written hours out of history, the rest out of the journal.

`up`, which no host sends, is drawn from when it has pushed: 1 at each frame, 0 from when it was silent.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from tocsin_server.estate.estate import HostFacts
from tocsin_server.http.looks import Span
from tocsin_server.http.needs import Frame, Journal
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.rollups import BUCKET_MS
from tocsin_server.series.history.stretches import HOUR_MS
from tocsin_server.series.labels import NAME
from tocsin_server.series.schema import Schema, own_labels
from tocsin_server.series.up import UP, up_from

HOUR_FRAMES = 30
"""An hour of history takes as long to read as so many frames of the journal."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Journal and history as one; from any thread."""

    journal: Journal
    archive: Archive
    interval_ms: int
    """How often agents push."""

    def series(
        self,
        host: HostFacts,
        names: Collection[str],
        spans: Iterable[Span],
        *,
        step_ms: int = 0,
        window_ms: int = 0,
    ) -> list[FixedSeries]:
        """The host's series of these metric names (all of them where "" is among the names).

        What is drawn in steps, with no range that is looked at from each shorter than a window, may come from
        roll-ups; 0 for every sample, 0 for no range.
        """
        return joined(
            [each for span in spans for each in self._of_span(host, names, span, (step_ms, window_ms))]
        )

    def frames(self, host: HostFacts, start_ms: int, end_ms: int) -> int:
        """About how many frames the time has; an hour of history counts as many as take as long to read."""
        since_ms = self.journal.owed.since_ms(host.id)
        from_ms = end_ms if since_ms is None else min(end_ms, max(start_ms, since_ms))
        frames = (end_ms - from_ms) // pace_ms(host, self.interval_ms) + 1
        return frames + (from_ms - start_ms) * HOUR_FRAMES // HOUR_MS

    def _of_span(
        self, host: HostFacts, names: Collection[str], span: Span, drawn: tuple[int, int]
    ) -> list[FixedSeries]:
        start_ms, end_ms = span
        # The journal first: what leaves it meanwhile is in history by then.
        frames = self._frames(host, span)
        watched = Watched(host.id, target_of(host))
        question = Question(
            client_id=host.client_id,
            hosts=[watched],
            wanted=[Wanted(None)] if "" in names else [Wanted(name) for name in sorted({*names} - {UP})],
            start_ms=start_ms + 1,
            end_ms=end_ms,
            step_ms=drawn[0],
            window_ms=drawn[1],
        )
        series = [*self.archive.series(question), *_series(host, frames, names, watched.target)]
        if UP in names or "" in names:
            series += self._up(host, watched, frames, span)
        return [_within(each, span) for each in series]

    def _frames(self, host: HostFacts, span: Span) -> Sequence[Frame]:
        since_ms, (start_ms, end_ms) = self.journal.owed.since_ms(host.id), span
        if since_ms is None or since_ms > end_ms:
            return []
        return self.journal.frames_of(host.id, max(since_ms, start_ms), end_ms)

    def _up(
        self, host: HostFacts, watched: Watched, frames: Sequence[Frame], span: Span
    ) -> Iterator[FixedSeries]:
        labels, (start_ms, end_ms) = {NAME: UP, **watched.target}, span
        heard = self.archive.heard(host.client_id, watched, start_ms + 1, end_ms)
        moments = np.unique(np.concatenate([heard.moments, *(frame.times_ms for frame in frames)])).astype(
            np.int64
        )
        first_ms = int(moments[0]) if len(moments) else end_ms
        for times, until_ms, pace in (
            (heard.buckets[heard.buckets <= first_ms], first_ms, BUCKET_MS),
            (moments, end_ms, pace_ms(host, self.interval_ms)),
        ):
            yield (host.client_id, host.id, labels, *up_from(times, end_ms=until_ms, interval_ms=pace))


def target_of(host: HostFacts) -> dict[str, str]:
    """The labels that the server gives all series of a host."""
    return {"instance": host.name, "job": host.job, "site": host.site}


def pace_ms(host: HostFacts, interval_ms: int) -> int:
    """How often its frames come; `interval_ms` is how often agents push."""
    return interval_ms if host.interval_s is None else host.interval_s * 1000


def joined(parts: Iterable[FixedSeries]) -> list[FixedSeries]:
    """One series for each host and set of labels; of what is there twice the first counts."""
    found: dict[tuple[int | None, frozenset[tuple[str, str]]], list[FixedSeries]] = {}
    for part in parts:
        found.setdefault((part[1], frozenset(part[2].items())), []).append(part)
    return list(map(_one, found.values()))


def _one(parts: Sequence[FixedSeries]) -> FixedSeries:
    if len(parts) == 1:
        return parts[0]
    client_id, host_id, labels, *_ = parts[0]
    times, first = np.unique(np.concatenate([part[3] for part in parts]), return_index=True)
    return client_id, host_id, labels, times, np.concatenate([part[4] for part in parts])[first]


def _within(series: FixedSeries, span: Span) -> FixedSeries:
    """Of a time that was not read nobody knows whether the host was up."""
    client_id, host_id, labels, times, values = series
    begin, end = np.searchsorted(np.asarray(times), span, side="right").tolist()
    return client_id, host_id, labels, times[begin:end], values[begin:end]


def _series(
    host: HostFacts, frames: Iterable[Frame], names: Collection[str], target: Mapping[str, str]
) -> Iterator[FixedSeries]:
    """The columns that are wanted; a series again for each run of frames of another schema."""
    for _, run in groupby(frames, key=lambda frame: frame.schema.id):
        sent = list(run)  # thousands, and mostly of one schema
        wanted = list(_columns(sent[0].schema, names))
        columns = [column for column, _ in wanted]
        times = np.concatenate([np.asarray(frame.times_ms, np.int64) for frame in sent])
        samples = np.concatenate([frame.matrix[:, columns] for frame in sent])
        times, first = np.unique(times, return_index=True)
        for place, (_, labels) in enumerate(wanted):
            yield host.client_id, host.id, {**dict(labels), **target}, times, samples[first, place]


def _columns(schema: Schema, names: Collection[str]) -> Iterator[tuple[int, tuple[tuple[str, str], ...]]]:
    for column, entry in enumerate(schema.series):
        if entry.name in names or "" in names:
            yield column, ((NAME, entry.name), *own_labels(entry))
