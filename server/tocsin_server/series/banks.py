"""The rings of all series of one depth, in a few arrays.

Each series has a *row*: a ring of values, its metric, its set of labels and its line. All series of a host are
sampled at the same instants, so times stand once a host: in a *line*, a ring of times, whose slots are those
of its rows. A frame is one time and one scatter of values into one slot.
"""

import numpy as np

from tocsin_server.series.arrays import NEVER, Codes, Floats, Ints, Places, grown, stale
from tocsin_server.series.layouts import keys_of, metrics_of, sets_of
from tocsin_server.series.numbers import Numbers


class Bank:
    """Rows and lines of one depth. Those that were freed are used again; a free row is of metric 0."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.values: Floats = np.zeros((0, depth))
        self.metrics: Codes = np.zeros(0, np.int32)
        self.sets: Codes = np.zeros(0, np.int32)
        self.lines: Codes = np.zeros(0, np.int32)
        self.times: Ints = np.zeros((0, depth), np.int64)
        self.slots: Ints = np.zeros(0, np.int64)
        """The slot of each line's newest sample."""
        self.owners: Codes = np.zeros(0, np.int32)
        self._rows = Numbers()
        self._lines = Numbers()

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._rows)

    def add_line(self, owner: int, history: Ints) -> int:
        """A line that has seen these instants, oldest first; at most as many as it is deep."""
        line = int(self._lines.take(1)[0])
        self.times = grown(self.times, self._lines.limit)
        self.slots = grown(self.slots, self._lines.limit)
        self.owners = grown(self.owners, self._lines.limit)
        self.times[line] = NEVER
        self.times[line, self.depth - len(history) :] = history
        self.slots[line] = self.depth - 1
        self.owners[line] = owner
        return line

    def drop_line(self, line: int) -> None:
        """The line is free; its rows must be."""
        self._lines.give(np.array([line], np.intp))

    def add_rows(self, line: int, keys: Ints) -> Places:
        """A row for each key, stale throughout."""
        rows = self._rows.take(len(keys))
        limit = self._rows.limit
        self.values = grown(self.values, limit)
        self.metrics = grown(self.metrics, limit)
        self.sets = grown(self.sets, limit)
        self.lines = grown(self.lines, limit)
        self.values[rows] = stale(self.depth)
        self.metrics[rows] = metrics_of(keys)
        self.sets[rows] = sets_of(keys)
        self.lines[rows] = line
        return rows

    def drop_rows(self, rows: Places) -> None:
        """These series are forgotten."""
        self.metrics[rows] = 0
        self._rows.give(rows)

    def keys(self, rows: Places) -> Ints:
        """Which series these are."""
        return keys_of(self.metrics[rows], self.sets[rows])

    def rows_of(self, metrics: Codes) -> Places:
        """All rows of some metrics, ascending. One pass over the codes: 0.8 ms for three million series."""
        codes = self.metrics[: self._rows.limit]
        wanted = codes == metrics[0] if len(metrics) == 1 else np.isin(codes, metrics)
        return np.flatnonzero(wanted)

    def behind(self, slot: int, count: int) -> Places:
        """The slots of the last samples, newest first, where `slot` is the newest."""
        return (slot - np.arange(count)) % self.depth
