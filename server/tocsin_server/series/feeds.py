"""One writer of series that are sampled at common instants: a host, a host's `up`, or a recording rule.

A feed has a *seat* in each bank that keeps some of its series: one line and their rows. A series that leaves
the feed's layout goes on as a stale one until its ring has forgotten it; what comes back before that is the
same series still, and nothing that was worked out over the set of series is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.arrays import NEVER, Codes, Floats, Ints, Places, is_stale, stale
from tocsin_server.series.banks import Bank
from tocsin_server.series.depths import covered_ms
from tocsin_server.series.layouts import Layout, metrics_of
from tocsin_server.series.rings import Rings

_STAYS = 1 << 60
_STALE = stale(1)


@dataclass(slots=True)
class Seat:
    """A feed's part of one bank. `leaving` is the frame after which a row is forgotten, `_STAYS` for none; it
    is not there at all where all stay, as nearly always.
    """

    bank: Bank
    line: int
    slot: int
    rows: Places
    columns: Codes
    leaving: Ints | None = None

    def is_too_shallow(self, time_ms: int, pace_ms: float) -> bool:
        """Whether a frame at this instant would leave a ring that reaches less far back than it must."""
        oldest = self.bank.times[self.line, (self.slot + 2) % self.bank.depth]
        return bool(oldest > time_ms - covered_ms(self.bank.depth, pace_ms))

    def write(self, time_ms: int, values: Floats, *, advance: bool) -> None:
        """The seat's part of a frame, into the next slot or over the newest."""
        bank = self.bank
        if advance:
            self.slot = (self.slot + 1) % bank.depth
            bank.slots[self.line] = self.slot
        bank.times[self.line, self.slot] = time_ms
        bank.values[self.rows, self.slot] = values[self.columns]

    @property
    def until(self) -> Ints:
        """When each row leaves."""
        return np.full(len(self.rows), _STAYS, np.int64) if self.leaving is None else self.leaving

    def keep(self, places: Places) -> None:
        """Let go of all rows but these; whoever calls it has freed or moved them."""
        until = self.until[places]
        self.rows, self.columns = self.rows[places], self.columns[places]
        self.leave(until)

    def add(self, rows: Places, columns: Codes, until: Ints) -> None:
        """More rows."""
        until = np.concatenate([self.until, until])
        self.rows = np.concatenate([self.rows, rows])
        self.columns = np.concatenate([self.columns, columns])
        self.leave(until)

    def leave(self, until: Ints) -> None:
        """The rows leave then."""
        self.leaving = until if (until < _STAYS).any() else None

    @property
    def instants(self) -> Ints:
        """What its line has seen, oldest first."""
        times: Ints = self.bank.times[self.line, self.bank.behind(self.slot, self.bank.depth)[::-1]]
        return times[times > NEVER]

    def reach_back(self, times: Ints) -> None:
        """Let the line begin with these of the instants that are older than what it has.

        As many as there is room for: of more, some all over the time, so that windows keep their length.
        """
        bank, known = self.bank, self.instants
        older = times[times < known[0]] if len(known) else times
        free = bank.behind(self.slot, bank.depth)[len(known) :]
        if len(older) > len(free):
            older = older[np.linspace(0, len(older) - 1, len(free)).round().astype(np.intp)]
        bank.times[self.line, free[: len(older)]] = older[::-1]

    def recall(self, rows: Places, times: Ints, values: Floats) -> None:
        """Give rows their samples of these instants, where they have none; `values` are `[rows, times]`."""
        ring = self.bank.times[self.line]
        places = np.minimum(np.searchsorted(times, ring), len(times) - 1)
        slots = np.flatnonzero(times[places] == ring)
        cells = np.ix_(rows, slots)
        had = self.bank.values[cells]
        self.bank.values[cells] = np.where(is_stale(had), values[:, places[slots]], had)


class Feed:
    """`newest_ms` is the instant of the last frame, `NEVER` before the first."""

    def __init__(self, rings: Rings, owner: int) -> None:
        self.newest_ms = NEVER
        self.layout: Layout | None = None
        self.owner = owner
        self._rings = rings
        self._seats: dict[int, Seat] = {}
        self._pace_ms = rings.depths.pace_ms
        self._before_newest_ms = NEVER
        self._count = 0
        self._forget_at = _STAYS

    @property
    def is_empty(self) -> bool:
        """Whether it holds no series, not even stale ones."""
        return not self._seats

    def seats(self) -> Iterator[Seat]:
        """Where its series are."""
        yield from self._seats.values()

    def kinds(self, columns: Codes) -> list[SeriesKind]:
        """What the series of these columns of a frame are."""
        return [] if self.layout is None else [SeriesKind(kind) for kind in self.layout.kinds[columns].tolist()]

    def adopt(self, layout: Layout) -> None:
        """Frames are laid out like this from now on: new series come, others begin to leave."""
        depths = self._rings.depths_of(metrics_of(layout.keys), self._pace_ms)
        for depth in sorted({*depths.tolist(), *self._seats}):
            chosen = np.flatnonzero(depths == depth)
            self._fill(self._seat(depth), layout.keys[chosen], layout.columns[chosen], nothing=layout.width)
        self.layout = layout
        self._settle()

    def write(self, time_ms: int, values: Floats) -> None:
        """A frame newer than the newest, in the order of the layout."""
        finest_ms = self._rings.depths.finest_ms
        advance = self.newest_ms - self._before_newest_ms >= finest_ms
        if advance:
            while self._pace_ms > finest_ms and self._is_too_fast(time_ms):
                self._pace_ms /= 2
                self.deepen()
            self._before_newest_ms = self.newest_ms
            self._count += 1
        self.newest_ms = time_ms
        padded = np.concatenate((values, _STALE))
        for seat in self._seats.values():
            seat.write(time_ms, padded, advance=advance)
        if self._count >= self._forget_at:
            self._forget()

    def write_stale(self, time_ms: int) -> None:
        """A frame in which every series is stale."""
        if self.layout is not None:
            self.write(time_ms, stale(self.layout.width))

    def deepen(self) -> None:
        """Move series that are to be kept deeper into deeper banks, with their samples."""
        for depth, seat in list(self._seats.items()):
            metrics = seat.bank.metrics[seat.rows]
            depths = self._rings.depths_of(metrics, self._pace_ms)
            moving = depths != depth
            for deeper in np.unique(depths[moving]).tolist():
                self._move(seat, np.flatnonzero(depths == deeper), self._seat(deeper))
            if moving.any():
                self._rings.touch(metrics[moving])
                seat.bank.drop_rows(seat.rows[moving])
                seat.keep(np.flatnonzero(~moving))
        self._settle()

    def recall(self, layout: Layout, times: Ints, values: Floats) -> None:
        """Take in what is known from elsewhere; `values` are `[columns, times]`, `times` ascend and are some.

        Samples that are here stay as they are. A series that is no longer sent is here as a stale one.
        """
        depths = self._rings.depths_of(metrics_of(layout.keys), self._pace_ms)
        seats = {depth: self._seat(depth) for depth in np.unique(depths).tolist()}
        for depth, seat in seats.items():
            chosen = np.flatnonzero(depths == depth)
            seat.reach_back(times)
            seat.recall(self._rows(seat, layout.keys[chosen]), times, values[layout.columns[chosen]])
        if self.newest_ms == NEVER:
            self.newest_ms = int(times[-1])
        self._settle()

    def clear(self) -> None:
        """Forget all series."""
        for seat in self._seats.values():
            self._rings.touch(seat.bank.metrics[seat.rows])
            seat.bank.drop_rows(seat.rows)
            seat.bank.drop_line(seat.line)
        self._seats.clear()

    def _is_too_fast(self, time_ms: int) -> bool:
        return any(seat.is_too_shallow(time_ms, self._pace_ms) for seat in self._seats.values())

    def _fill(self, seat: Seat, keys: Ints, columns: Codes, *, nothing: int) -> None:
        """Give the rows of a seat their columns; `nothing` is the column that is always stale."""
        bank = seat.bank
        _, staying, known = np.intersect1d(bank.keys(seat.rows), keys, assume_unique=True, return_indices=True)
        seat.columns = np.full(len(seat.rows), nothing, np.int32)
        seat.columns[staying] = columns[known]
        until = np.minimum(seat.until, self._count + bank.depth)
        until[staying] = _STAYS
        seat.leave(until)
        new = np.delete(np.arange(len(keys)), known)
        if len(new):
            self._add(seat, keys[new], columns[new], until=_STAYS)

    def _add(self, seat: Seat, keys: Ints, columns: Codes, *, until: int) -> None:
        """Series that the seat has not; they leave after that frame."""
        seat.add(seat.bank.add_rows(seat.line, keys), columns, np.full(len(keys), until, np.int64))
        self._rings.touch(metrics_of(keys))

    def _rows(self, seat: Seat, keys: Ints) -> Places:
        """The rows of these series in a seat; of those that it has not, new ones that are leaving."""
        new = np.setdiff1d(keys, seat.bank.keys(seat.rows))
        if len(new):
            nothing = 0 if self.layout is None else self.layout.width
            columns = np.full(len(new), nothing, np.int32)
            self._add(seat, new, columns, until=self._count + seat.bank.depth)
        known = seat.bank.keys(seat.rows)
        order = np.argsort(known)
        return seat.rows[order[np.searchsorted(known, keys, sorter=order)]]

    def _move(self, seat: Seat, places: Places, target: Seat) -> None:
        """Copy rows with their samples; they have left as many samples ago as before."""
        span = min(seat.bank.depth, target.bank.depth)
        rows = seat.rows[places]
        moved = target.bank.add_rows(target.line, seat.bank.keys(rows))
        source_slots = seat.bank.behind(seat.slot, span)
        samples = seat.bank.values[rows[:, None], source_slots]
        target.bank.values[moved[:, None], target.bank.behind(target.slot, span)] = samples
        target.add(moved, seat.columns[places], seat.until[places] + target.bank.depth - seat.bank.depth)

    def _seat(self, depth: int) -> Seat:
        seat = self._seats.get(depth)
        if seat is None:
            bank = self._rings.bank(depth)
            line = bank.add_line(self.owner, self._history(depth))
            nothing = np.zeros(0, np.intp)
            seat = Seat(bank, line, int(bank.slots[line]), nothing, nothing.astype(np.int32))
            self._seats[depth] = seat
        return seat

    def _history(self, depth: int) -> Ints:
        """The feed's last instants, oldest first, as far as its deepest seat knows them."""
        if not self._seats:
            return np.zeros(0, np.int64)
        return self._seats[max(self._seats)].instants[-depth:]

    def _forget(self) -> None:
        for seat in self._seats.values():
            gone = seat.until <= self._count
            if gone.any():
                self._rings.touch(seat.bank.metrics[seat.rows[gone]])
                seat.bank.drop_rows(seat.rows[gone])
                seat.keep(np.flatnonzero(~gone))
        self._settle()

    def _settle(self) -> None:
        """Leave banks in which no series is left, and note when the next is to be forgotten."""
        for depth, seat in list(self._seats.items()):
            if not len(seat.rows):
                seat.bank.drop_line(seat.line)
                del self._seats[depth]
        leaving = [seat.leaving for seat in self._seats.values()]
        self._forget_at = min((int(until.min()) for until in leaving if until is not None), default=_STAYS)
