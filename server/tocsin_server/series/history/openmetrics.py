"""Any range of history as OpenMetrics text, piece by piece: for `promtool tsdb create-blocks-from openmetrics`.

The format wants all samples of a metric together. So what there is is counted first, without reading it; then
metrics are read so many at a time as fit, and one that is larger host by host.

A counter's samples end in `_total` and its family is named without; a counter of another name, or one whose
family's name is that of another metric, is told as `unknown`, for anything else would not be read.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.arrays import is_stale
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.history.errors import TooManySamples
from tocsin_server.series.history.reader import Archive, Question, Wanted
from tocsin_server.series.labels import NAME

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_TOTAL = "_total"
_LINES = 4096
"""So many samples at most are one piece of text."""
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(slots=True)
class _Metric:
    """All series of one name."""

    name: str
    kinds: set[SeriesKind] = field(default_factory=set)
    hosts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """How many samples each host may have."""

    @property
    def samples(self) -> int:
        return sum(self.hosts.values())


def exposition(archive: Archive, question: Question) -> Iterator[str]:
    """The text; raises `TooManySamples` where one metric of one host is more than is ever read at once."""
    metrics = _metrics(archive, question)
    for metric in metrics.values():
        if max(metric.hosts.values()) > archive.most_samples:
            raise TooManySamples(f"{metric.name} has more samples than can be told", remedy="ask for less time")
    return chain(_families(archive, question, metrics), ["# EOF\n"])


def escaped(value: str) -> str:
    """A label's value as it stands between quotes."""
    return value.translate(_ESCAPES)


def number(value: float) -> str:
    """A value as the format spells it."""
    if math.isnan(value):
        return "NaN"
    return repr(value) if math.isfinite(value) else "+Inf" if value > 0 else "-Inf"


def family(name: str, kinds: set[SeriesKind], names: Mapping[str, object]) -> tuple[str, str]:
    """Name and type of the family that a metric's samples are told in."""
    if kinds == {SeriesKind.COUNTER} and name.endswith(_TOTAL):
        stem = name.removesuffix(_TOTAL)
        if stem and stem not in names:
            return stem, "counter"
    return name, "gauge" if kinds == {SeriesKind.GAUGE} else "unknown"


def _metrics(archive: Archive, question: Question) -> dict[str, _Metric]:
    metrics: dict[str, _Metric] = {}
    for entry, hosts in archive.counted(question).items():
        metric = metrics.setdefault(entry.name, _Metric(entry.name))
        metric.kinds.add(entry.kind)
        for host_id, count in hosts.items():
            metric.hosts[host_id] += count
    return dict(sorted(metrics.items()))


def _families(archive: Archive, question: Question, metrics: Mapping[str, _Metric]) -> Iterator[str]:
    for batch in _batches(metrics.values(), archive.most_samples):
        if len(batch) == 1:
            (metric,) = batch
            yield _head(metric, metrics)
            for host in question.hosts:
                if host.host_id in metric.hosts:
                    yield from _told(archive.series(_about(replace(question, hosts=[host]), batch)))
            continue
        by_name: dict[str, list[FixedSeries]] = defaultdict(list)
        for one in archive.series(_about(question, batch)):
            by_name[one[2][NAME]].append(one)
        for metric in batch:
            yield _head(metric, metrics)
            yield from _told(by_name.pop(metric.name, []))


def _batches(metrics: Iterable[_Metric], most: int) -> Iterator[list[_Metric]]:
    """Metrics in their order, as many together as may be read at once."""
    batch: list[_Metric] = []
    for metric in metrics:
        if batch and sum(each.samples for each in batch) + metric.samples > most:
            yield batch
            batch = []
        batch.append(metric)
    if batch:
        yield batch


def _about(question: Question, metrics: Iterable[_Metric]) -> Question:
    """The same question, of these metrics only."""
    names = [metric.name for metric in metrics]
    wanted = [
        Wanted(name, wanted.matchers)
        for wanted in question.wanted
        for name in names
        if wanted.name in (None, name)
    ]
    return replace(question, wanted=wanted)


def _head(metric: _Metric, metrics: Mapping[str, object]) -> str:
    name, kind = family(metric.name, metric.kinds, metrics)
    return f"# TYPE {name} {kind}\n"


def _told(series: Iterable[FixedSeries]) -> Iterator[str]:
    for _, _, labels, all_times, all_values in series:
        times, values = np.asarray(all_times), np.asarray(all_values)
        pairs = ",".join(f'{name}="{escaped(labels[name])}"' for name in sorted(labels) if name != NAME)
        begin = f"{labels[NAME]}{{{pairs}}} " if pairs else f"{labels[NAME]} "
        there = ~is_stale(values)
        samples = zip(times[there].tolist(), values[there].tolist(), strict=True)
        lines = [f"{begin}{number(value)} {time / 1000:.3f}\n" for time, value in samples]
        for at in range(0, len(lines), _LINES):
            yield "".join(lines[at : at + _LINES])
