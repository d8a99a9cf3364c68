"""The series that somebody asks for, out of the days that they lie in, as `FixedSource.from_series` takes them.

Of each hour samples are read where they are kept, else its roll-up; a question in steps of five minutes or
more, with no window that would hold too few of them, is answered from roll-ups where there are any. What an
answer holds is counted before anything is read, from what stands beside the chunks; of a chunk only the columns
that are wanted are put together. What is damaged is passed over, and logged: it costs what it covers. A series
that a host has sent for the last time in one hour is stale from the beginning of the next that the host has.

Hosts are described with the labels that they have now, as the head describes them.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import structlog

from tocsin_server.errors import Unavailable
from tocsin_server.series.arrays import Floats, Ints, Places, stale
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.history.chunks import unpack_chunk
from tocsin_server.series.history.dayfile import DAY_MS, DayFile, Grain, Key, Listed
from tocsin_server.series.history.days import day_paths
from tocsin_server.series.history.entries import unpack_entries
from tocsin_server.series.history.errors import Damaged, TooManySamples
from tocsin_server.series.history.rollups import BUCKET_MS, Facet, unpack_rollup
from tocsin_server.series.history.stretches import HOUR_MS
from tocsin_server.series.labels import NAME
from tocsin_server.series.matchers import Matchers, matches_all
from tocsin_server.series.schema import SeriesEntry, own_labels

_log = structlog.get_logger()

MAX_SAMPLES = 20_000_000
"""Of one answer: 160 MB, and as much again for their times."""
FEWEST_IN_A_WINDOW = 4
_REMEMBERED_SERIES = 200_000

_Identity = tuple[tuple[str, str], ...]
_Parts = dict[tuple[int, _Identity], list[tuple[Ints, Floats]]]


class Watched(NamedTuple):
    """A host, and the labels that the server gives all its series."""

    host_id: int
    target: Mapping[str, str]


class Wanted(NamedTuple):
    """Series of a name, or of any, that pass all matchers."""

    name: str | None
    matchers: Matchers = ()


@dataclass(frozen=True, slots=True)
class Question:
    """Which series, and from when to when, both included."""

    client_id: int
    hosts: Sequence[Watched]
    wanted: Sequence[Wanted]
    start_ms: int
    end_ms: int
    step_ms: int = 0
    """How far apart the moments are that are to be drawn; 0 for every sample."""
    window_ms: int = 0
    """The shortest range that is looked at from each of them; 0 for none."""
    facet: Facet = Facet.TYPICAL

    @property
    def is_coarse(self) -> bool:
        """Whether roll-ups are as good as samples."""
        return self.step_ms >= BUCKET_MS and (
            not self.window_ms or self.window_ms >= FEWEST_IN_A_WINDOW * BUCKET_MS
        )


class Series(NamedTuple):
    """What a chunk has of what is wanted: columns, and what each is."""

    columns: Places
    entries: Sequence[SeriesEntry]
    identities: Sequence[_Identity]


class Piece(NamedTuple):
    """One chunk and what it has of what is wanted."""

    listed: Listed
    every: Sequence[SeriesEntry]
    found: Series


class Heard(NamedTuple):
    """When a host has sent, ascending; where only roll-ups are left, the ends of their buckets."""

    moments: Ints
    buckets: Ints


class Covered(NamedTuple):
    """From the first hour to the end of the last that there is of a host; hours between may be missing."""

    from_ms: int
    to_ms: int
    rolled_until_ms: int
    """When the last hour is over of which only the roll-up is left; 0 where there is none."""


class Archive:
    """Reads a folder of days; any number of threads may, beside the writer."""

    def __init__(self, folder: Path, *, most_samples: int = MAX_SAMPLES) -> None:
        self._folder = folder
        self.most_samples = most_samples
        self._entries: dict[bytes, tuple[SeriesEntry, ...]] = {}
        self._lock = threading.Lock()

    def series(self, question: Question) -> list[FixedSeries]:
        """All series with something in this time; raises `TooManySamples` where there is more than is given."""
        parts: _Parts = defaultdict(list)
        last: dict[int, Sequence[_Identity]] = {}
        room = self.most_samples
        for day in self._days(question):
            for piece in self._pieces(day, question):
                room -= len(piece.found.columns) * piece.listed.instants
                if room < 0:
                    raise TooManySamples(
                        f"that is more than {self.most_samples} samples",
                        remedy="ask for fewer series, a shorter time or longer steps",
                    )
                host_id, found = piece.listed.key.host_id, piece.found
                _end(last.get(host_id, ()), piece, question, parts)
                last[host_id] = found.identities
                if len(found.columns):
                    _collect(day, piece, question, parts)
        return [(question.client_id, host, dict(key), *_joined(rows)) for (host, key), rows in parts.items()]

    def heard(self, client_id: int, host: Watched, start_ms: int, end_ms: int) -> Heard:
        """When a host has sent something: what `up` is drawn from."""
        question = Question(client_id, [host], [], start_ms, end_ms)
        found: dict[Grain, list[Ints]] = {grain: [np.zeros(0, np.int64)] for grain in Grain}
        for day in self._days(question):
            for listed in _hours(day, question, host.host_id):
                times, _ = _read(day, listed, (), np.zeros(0, np.intp), question)
                found[listed.key.grain].append(times[(times >= start_ms) & (times <= end_ms)])
        return Heard(np.concatenate(found[Grain.SAMPLES]), np.concatenate(found[Grain.ROLLUP]))

    def counted(self, question: Question) -> dict[SeriesEntry, dict[int, int]]:
        """For each series, whatever its host: how many samples each host may have of it. Reads no chunk."""
        counts: dict[SeriesEntry, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for day in self._days(question):
            for listed, _, found in self._pieces(day, question):
                for entry in found.entries:
                    counts[entry][listed.key.host_id] += listed.instants
        return counts

    def covered(self, question: Question) -> dict[int, Covered]:
        """Of which part of this time each host has anything; who has nothing is left out. Reads no chunk."""
        keys: dict[int, list[Key]] = defaultdict(list)
        for day in self._days(question):
            for host in question.hosts:
                keys[host.host_id] += [listed.key for listed in _hours(day, question, host.host_id)]
        return {host_id: _covered(of_host, question) for host_id, of_host in keys.items() if of_host}

    def _days(self, question: Question) -> Iterator[DayFile]:
        """The files with something of this time, oldest first, each closed when the next is asked for."""
        paths = day_paths(self._folder) if self._folder.is_dir() else []
        for day_ms, path in paths:
            if question.start_ms - HOUR_MS <= day_ms + DAY_MS and day_ms <= question.end_ms:
                day = _opened(path)
                if day is not None:
                    with day:
                        yield day

    def _pieces(self, day: DayFile, question: Question) -> Iterator[Piece]:
        """The chunks of a day, with what each has of what is wanted, be it nothing."""
        for host in question.hosts:
            known: dict[bytes, Series] = {}
            for listed in _hours(day, question, host.host_id):
                try:
                    every = self._entries_of(day, listed.digest)
                except Damaged as damage:
                    _tell(damage, day.path)
                    continue
                if listed.digest not in known:
                    known[listed.digest] = _found(every, host, question)
                yield Piece(listed, every, known[listed.digest])

    def _entries_of(self, day: DayFile, digest: bytes) -> tuple[SeriesEntry, ...]:
        entries = self._entries.get(digest)
        if entries is None:
            entries = unpack_entries(digest, day.get_entries(digest))
            with self._lock:
                if sum(map(len, self._entries.values())) + len(entries) > _REMEMBERED_SERIES:
                    self._entries.clear()
                self._entries[digest] = entries
        return entries


def _opened(path: Path) -> DayFile | None:
    """The file, unless it is damaged or was deleted meanwhile."""
    try:
        return DayFile(path, read_only=True)
    except Damaged as damage:
        _tell(damage, path)
    except Unavailable:
        if path.exists():
            raise
    return None


def _hours(day: DayFile, question: Question, host_id: int) -> list[Listed]:
    """Of each hour samples or roll-up, as the question likes it better."""
    first_ms, last_ms = question.start_ms - HOUR_MS, question.end_ms
    try:
        samples, rollups = (
            {
                listed.key.hour_ms: listed
                for listed in day.listed(grain, question.client_id, host_id, first_ms, last_ms)
            }
            for grain in Grain
        )
    except Damaged as damage:
        _tell(damage, day.path)
        return []
    chosen = samples | rollups if question.is_coarse else rollups | samples
    return [chosen[hour_ms] for hour_ms in sorted(chosen)]


def _covered(keys: Sequence[Key], question: Question) -> Covered:
    """By its hours, ascending."""
    rolled = [key.hour_ms + HOUR_MS for key in keys if key.grain is Grain.ROLLUP]
    from_ms = max(keys[0].hour_ms, question.start_ms)
    return Covered(from_ms, keys[-1].hour_ms + HOUR_MS, max(rolled, default=0))


def _found(every: Sequence[SeriesEntry], host: Watched, question: Question) -> Series:
    columns, identities = [], []
    for column, entry in enumerate(every):
        if any(wanted.name in (None, entry.name) for wanted in question.wanted):
            labels = {NAME: entry.name, **dict(own_labels(entry)), **host.target}
            if any(_is_meant(wanted, entry, labels) for wanted in question.wanted):
                columns.append(column)
                identities.append(tuple(labels.items()))
    return Series(np.array(columns, np.intp), [every[column] for column in columns], identities)


def _is_meant(wanted: Wanted, entry: SeriesEntry, labels: Mapping[str, str]) -> bool:
    return wanted.name in (None, entry.name) and matches_all(wanted.matchers, labels)


def _end(before: Sequence[_Identity], piece: Piece, question: Question, parts: _Parts) -> None:
    """Mark as stale, as this hour begins, the series that the host had in its hour before."""
    _, _, host_id, hour_ms = piece.listed.key
    if before is not piece.found.identities and question.start_ms <= hour_ms <= question.end_ms:
        for identity in set(before).difference(piece.found.identities):
            if (host_id, identity) in parts:
                parts[host_id, identity].append((np.array([hour_ms]), stale(1)))


def _collect(day: DayFile, piece: Piece, question: Question, parts: _Parts) -> None:
    times, values = _read(day, piece.listed, piece.every, piece.found.columns, question)
    begin, end = np.searchsorted(times, [question.start_ms, question.end_ms + 1]).tolist()
    if begin == end:
        return
    for identity, row in zip(piece.found.identities, values, strict=True):
        parts[piece.listed.key.host_id, identity].append((times[begin:end], row[begin:end]))


def _read(
    day: DayFile, listed: Listed, every: Sequence[SeriesEntry], columns: Places, question: Question
) -> tuple[Ints, Floats]:
    """Times and columns of a chunk; nothing where it is damaged."""
    try:
        return _unpacked(day, listed, every, columns, question.facet)
    except Damaged as damage:
        _tell(damage, day.path)
        return np.zeros(0, np.int64), np.zeros((len(columns), 0))


def _unpacked(
    day: DayFile, listed: Listed, every: Sequence[SeriesEntry], columns: Places, facet: Facet
) -> tuple[Ints, Floats]:
    row = day.get(listed.key)
    if row is None:
        raise Damaged(f"{day.path.name} has lost what it lists")
    if listed.key.grain is Grain.SAMPLES:
        times, values = unpack_chunk(row.content, columns)
    else:
        times, values = unpack_rollup(row.content, every, columns, facet)
    if len(times) != listed.instants:
        raise Damaged(f"a chunk of {len(times)} instants is listed with {listed.instants}")
    return times, values


def _joined(rows: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """Hours one after the other; where a roll-up's end is the first instant of the next hour, the roll-up."""
    times = np.concatenate([times for times, _ in rows])
    values = np.concatenate([values for _, values in rows])
    if (np.diff(times) > 0).all():
        return times, values
    times, first = np.unique(times, return_index=True)
    return times, values[first]


def _tell(damage: Damaged, path: Path) -> None:
    _log.warning(str(damage), action="history_passed_over", file=path.name)
