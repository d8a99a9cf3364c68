"""Samples out of the banks, for a whole selection at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from tocsin_server.series.arrays import NEVER, Floats, Ints, Places, is_stale
from tocsin_server.series.banks import Bank
from tocsin_server.series.cycles import Cycle
from tocsin_server.series.labels import Labels
from tocsin_server.series.source import LOOKBACK_MS, Instant, Window, pack

_BLOCK_CELLS = 1 << 19
"""Four megabytes: larger arrays leave the processor's cache, and the system gives them anew, page by page."""
_FEW = 16
"""How many of the newest samples are looked at first, where a range may be short and the ring deep."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Some rows of one bank, made ready to be read often.

    Each line is looked at once, however many rows it has.
    """

    bank: Bank
    rows: Places
    lines: Places
    line_of_row: Places

    @classmethod
    def of(cls, bank: Bank, rows: Places) -> Self:
        """The rows with their distinct lines."""
        of_row = bank.lines[rows]
        places = np.full(len(bank.slots), -1, np.intp)
        places[of_row] = 0
        lines = np.flatnonzero(places == 0)
        places[lines] = np.arange(len(lines))
        return cls(bank, rows, lines, places[of_row])

    def take(self, places: Places) -> "Reading":
        """Some of these rows."""
        return Reading.of(self.bank, self.rows[places])

    def pieces(self) -> Sequence["Reading"]:
        """The same rows, as many at a time as make a block."""
        size = max(_BLOCK_CELLS // self.bank.depth, 1)
        if len(self.rows) <= size:
            return (self,)
        return [Reading.of(self.bank, self.rows[at : at + size]) for at in range(0, len(self.rows), size)]

    def instant(self, at_ms: int) -> Instant:
        """See `Source`."""
        bank, lines = self.bank, self.lines
        slots = bank.slots[lines]
        times = bank.times[lines, slots]
        late = np.flatnonzero(times > at_ms)
        if len(late):
            rings = bank.times[lines[late]]
            slots[late] = np.where(rings <= at_ms, rings, NEVER).argmax(axis=1)
            times[late] = bank.times[lines[late], slots[late]]
        fresh = (times <= at_ms) & (times > at_ms - LOOKBACK_MS)
        values = bank.values[self.rows, slots[self.line_of_row]]
        return Instant(values, times[self.line_of_row], fresh[self.line_of_row] & ~is_stale(values))

    def window(self, start_ms: int, end_ms: int) -> Window:
        """See `Source`. Instants are in order from the right, so counting them says where the window lies."""
        bank = self.bank
        slots, times = self._recent(start_ms)
        newer = np.count_nonzero(times > end_ms, axis=1)
        count = np.maximum(np.count_nonzero(times > start_ms, axis=1) - newer, 0)
        width = int(count.max(initial=0))
        first = times.shape[1] - newer - count
        if (first != times.shape[1] - width).any():
            columns = np.minimum(first[:, None] + np.arange(width), times.shape[1] - 1)
            slots, times = (
                np.take_along_axis(slots, columns, axis=1),
                np.take_along_axis(times, columns, axis=1),
            )
        else:
            slots, times = slots[:, first.max(initial=0) :], times[:, first.max(initial=0) :]
        cells = (self.rows * bank.depth)[:, None] + slots[self.line_of_row]
        values = bank.values.reshape(-1).take(cells)
        return _without_stale(values, times[self.line_of_row], count[self.line_of_row])

    def cycle(self, start_ms: int, end_ms: int) -> Cycle | None:
        """The range where it lies; None where most of the rings lies outside."""
        bank, lines = self.bank, self.lines
        if not self._reaches(start_ms, bank.depth // 2):
            return None
        newest = bank.slots[lines]
        rings = bank.times[lines]
        inside = rings > start_ms
        newer: Ints | int = 0
        if (bank.times[lines, newest] > end_ms).any():
            is_newer = rings > end_ms
            inside &= ~is_newer
            newer = np.count_nonzero(is_newer, axis=1)
        count = np.count_nonzero(inside, axis=1)
        first = (newest - newer - count + 1) % bank.depth
        return Cycle(bank, self.rows, self.line_of_row, rings, inside, first, count)

    def _reaches(self, start_ms: int, count: int) -> bool:
        """Whether so many of the newest samples of a line are not all that lies behind `start`."""
        slots = (self.bank.slots[self.lines] - count + 1) % self.bank.depth
        return bool((self.bank.times[self.lines, slots] > start_ms).any())

    def _recent(self, start_ms: int) -> tuple[Ints, Ints]:
        """Slots and instants of each line, oldest first, as many as lie behind `start`, and some more."""
        bank, count = self.bank, min(_FEW, self.bank.depth)
        while count < bank.depth and self._reaches(start_ms, count):
            count = min(2 * count, bank.depth)
        slots = (bank.slots[self.lines][:, None] - np.arange(count)[::-1]) % bank.depth
        return slots, bank.times[self.lines[:, None], slots]


@dataclass(frozen=True, eq=False)
class HeadSelection:
    """Rows of the head; `readings` follow each other in the order of `labels`."""

    labels: Labels
    readings: tuple[Reading, ...]

    @cached_property
    def blocks(self) -> tuple["HeadSelection", ...]:
        """See `Selection`."""
        pieces = [piece for reading in self.readings for piece in reading.pieces()]
        ends = np.cumsum([len(piece.rows) for piece in pieces]).tolist()
        return tuple(
            HeadSelection(self.labels.take(slice(end - len(piece.rows), end)), (piece,))
            for piece, end in zip(pieces, ends, strict=True)
        )

    def take(self, places: Places) -> "HeadSelection":
        """Some of the rows; `places` ascend."""
        readings: list[Reading] = []
        start = 0
        for reading in self.readings:
            first, last = np.searchsorted(places, (start, start + len(reading.rows)))
            if last > first:
                readings.append(reading.take(places[first:last] - start))
            start += len(reading.rows)
        return HeadSelection(self.labels.take(places), tuple(readings))

    def instant(self, at_ms: int) -> Instant:
        """See `Source`."""
        parts = [reading.instant(at_ms) for reading in self.readings]
        if len(parts) == 1:
            return parts[0]
        return Instant(
            np.concatenate([np.zeros(0), *(part.values for part in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(part.times for part in parts)]),
            np.concatenate([np.zeros(0, np.bool_), *(part.present for part in parts)]),
        )

    def cycle(self, start_ms: int, end_ms: int) -> Cycle | None:
        """The range where it lies, of one bank alone, and None where that is of no use."""
        return self.readings[0].cycle(start_ms, end_ms) if len(self.readings) == 1 else None

    def window(self, start_ms: int, end_ms: int) -> Window:
        """See `Source`."""
        parts = [reading.window(start_ms, end_ms) for reading in self.readings]
        return parts[0] if len(parts) == 1 else _below_each_other(parts, len(self.labels))


def _without_stale(values: Floats, times: Ints, count: Ints) -> Window:
    """Close the gaps that stale markers leave; few rows have any."""
    marked = is_stale(values)
    mixed = np.flatnonzero(marked.any(axis=1))
    if len(mixed):
        within = np.arange(values.shape[1]) < count[mixed, None]
        packed = pack(values[mixed], times[mixed], within & ~marked[mixed])
        width = packed.values.shape[1]
        values[mixed, :width] = packed.values
        times[mixed, :width] = packed.times
        count[mixed] = packed.count
    return Window(values, times, count)


def _below_each_other(parts: Sequence[Window], rows: int) -> Window:
    """Windows of different widths as one."""
    width = max((part.values.shape[1] for part in parts), default=0)
    values, times, count = np.zeros((rows, width)), np.zeros((rows, width), np.int64), np.zeros(rows, np.int64)
    start = 0
    for part in parts:
        end = start + len(part.count)
        values[start:end, : part.values.shape[1]] = part.values
        times[start:end, : part.times.shape[1]] = part.times
        count[start:end] = part.count
        start = end
    return Window(values, times, count)
