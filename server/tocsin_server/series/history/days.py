"""The folder of days: its one writer, and how long what is kept.

Writing an hour reads what is there, merges it and replaces it, in one transaction with its roll-up. So late
data joins the hour, an hour that is written twice is there once, and a crash leaves the old or the new. All
hours of one call and day share one transaction, hence one wait for the disk.
"""

import contextlib
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from tocsin_server.clock import milliseconds, moment
from tocsin_server.config import LEAST_DAYS
from tocsin_server.series.history.chunks import pack_chunk, unpack_chunk
from tocsin_server.series.history.dayfile import DAY_MS, DayFile, Grain, Key, Row, put_aside, remove
from tocsin_server.series.history.entries import pack_entries, unpack_entries
from tocsin_server.series.history.errors import Damaged, Newer
from tocsin_server.series.history.rollups import pack_rollup
from tocsin_server.series.history.stretches import Stretch, by_hour, united
from tocsin_server.series.schema import SeriesEntry

_log = structlog.get_logger()

_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.db", re.ASCII)
HISTORY = "history"
"""The folder's name in a data folder."""
_LATEST_MS = 253_402_300_800_000
"""The year 10,000: no file is named after it."""


class Closing(NamedTuple):
    """A host's samples of an hour that is over, or that have come late for one."""

    client_id: int
    host_id: int
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days samples and roll-ups are kept."""

    samples_days: int = 15
    rollup_days: int = 396

    def __post_init__(self) -> None:
        if min(self.samples_days, self.rollup_days) < LEAST_DAYS:
            raise ValueError(f"history is kept for {LEAST_DAYS} days at least, since data may come so late")

    def days(self, grain: Grain) -> int:
        return self.samples_days if grain is Grain.SAMPLES else self.rollup_days


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of clients, and of those that have something of their own."""

    default: Keep = Keep()
    clients: Mapping[int, Keep] = field(default_factory=dict)

    def is_past(self, end_ms: int, now_ms: int, grain: Grain, client_id: int) -> bool:
        """Whether what was over then is to be deleted now."""
        return now_ms >= end_ms + self.clients.get(client_id, self.default).days(grain) * DAY_MS

    def span(self) -> tuple[int, int]:
        """The shortest and the longest that anything is kept, in milliseconds."""
        days = [keep.days(grain) for keep in (self.default, *self.clients.values()) for grain in Grain]
        return min(days) * DAY_MS, max(days) * DAY_MS


class Days:
    """The writer; one a folder. Calls may come from any thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()

    def write(self, closings: Iterable[Closing]) -> int:
        """Store these samples; how many hours have changed. When it returns they are durable.

        After an error what was not stored can be written again, and what was stored too.
        """
        days: dict[int, list[tuple[Key, Stretch]]] = defaultdict(list)
        for client_id, host_id, stretch in closings:
            for hour_ms, part in by_hour(stretch):
                if part.series and 0 <= hour_ms < _LATEST_MS:
                    key = Key(Grain.SAMPLES, client_id, host_id, hour_ms)
                    days[hour_ms // DAY_MS * DAY_MS].append((key, part))
        with self._lock:
            return sum(self._write_day(day_ms, hours) for day_ms, hours in sorted(days.items()))

    def sweep(self, now_ms: int, retention: Retention) -> int:
        """Delete what is past; how many files have gone."""
        shortest_ms, longest_ms = retention.span()
        gone = 0
        with self._lock:
            for day_ms, path in day_paths(self._folder):
                end_ms = day_ms + DAY_MS
                if now_ms < end_ms + shortest_ms:
                    break
                if now_ms >= end_ms + longest_ms or not _left(path, end_ms, now_ms, retention):
                    remove(path)
                    gone += 1
        return gone

    def bytes(self) -> int:
        """What all files take on disk."""
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())

    def _write_day(self, day_ms: int, hours: Sequence[tuple[Key, Stretch]]) -> int:
        path = day_path(self._folder, day_ms)
        try:
            return _write_hours(path, hours)
        except Newer:
            raise
        except Damaged as damage:
            # Nothing can be written to it again, and the journal could not be emptied: it makes way.
            aside = put_aside(path)
            _log.error(str(damage), action="history_put_aside", file=path.name, to=aside.name)
            return _write_hours(path, hours)


def day_path(folder: Path, day_ms: int) -> Path:
    """Where a day is."""
    return folder / f"{moment(day_ms):%Y-%m-%d}.db"


def day_paths(folder: Path) -> list[tuple[int, Path]]:
    """The days that are there, oldest first, with when they began."""
    found = []
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            with contextlib.suppress(ValueError):  # the 45th of a month is not ours
                began = datetime.fromisoformat(f"{path.stem}T00:00+00:00")
                found.append((milliseconds(began), path))
    return sorted(found)


def _write_hours(path: Path, hours: Sequence[tuple[Key, Stretch]]) -> int:
    with DayFile(path, read_only=False) as day, day.transaction():
        return sum(_write_hour(day, key, stretch) for key, stretch in hours)


def _write_hour(day: DayFile, key: Key, stretch: Stretch) -> bool:
    """Whether anything has changed."""
    stored = day.get(key)
    if stored is None and day.has(key._replace(grain=Grain.ROLLUP)):
        _warn("data came later than its hour is kept", "history_too_late", day, key)
        return False
    whole = united([*_kept(day, key, stored), stretch])
    if whole.left_out:
        _warn(f"there is no room for {whole.left_out} series of an hour", "history_left_out", day, key)
    try:
        digest, names = pack_entries(whole.series)
    except ValueError as error:  # what one host sends must not keep others' hours from being written
        _warn(str(error), "history_refused", day, key)
        return False
    row = Row(digest, len(whole.times), pack_chunk(whole.times, whole.values))
    if row == stored:
        return False
    buckets, rollup = pack_rollup(whole)
    day.put_entries(digest, names)
    day.put(key, row)
    day.put(key._replace(grain=Grain.ROLLUP), Row(digest, buckets, rollup))
    return True


def _kept(day: DayFile, key: Key, stored: Row | None) -> list[Stretch]:
    """What is there already; a chunk that is damaged gives way."""
    if stored is None:
        return []
    try:
        return [_stretch(unpack_entries(stored.digest, day.get_entries(stored.digest)), stored.content)]
    except Damaged as damage:
        _warn(str(damage), "history_damaged", day, key)
        return []


def _stretch(series: tuple[SeriesEntry, ...], content: bytes) -> Stretch:
    times, values = unpack_chunk(content)
    if len(values) != len(series):
        raise Damaged(f"a chunk of {len(values)} series has names of {len(series)}")
    return Stretch(series, times, values)


def _left(path: Path, end_ms: int, now_ms: int, retention: Retention) -> bool:
    """Delete what is past in a file; whether anything is left. A file that cannot be read is left alone."""
    try:
        with DayFile(path, read_only=False) as day:
            holders = day.holders()
            past = [holder for holder in holders if retention.is_past(end_ms, now_ms, *holder)]
            with day.transaction():
                for grain, client_id in past:
                    day.forget(grain, client_id)
            if past and len(past) < len(holders):
                day.tidy()
    except Damaged as damage:
        _log.warning(str(damage), action="history_damaged", file=path.name)
        return True
    return len(past) < len(holders)


def _warn(said: str, action: str, day: DayFile, key: Key) -> None:
    _log.warning(said, action=action, file=day.path.name, client=key.client_id, host=key.host_id)
