"""Numbers of rows: handed out from 0 upwards, those that were given back first."""

import numpy as np

from tocsin_server.series.arrays import Places


class Numbers:
    """`limit` is one more than the highest number ever handed out: how many rows an array needs."""

    def __init__(self) -> None:
        self.limit = 0
        self._returned: list[int] = []

    def __len__(self) -> int:
        """How many are handed out."""
        return self.limit - len(self._returned)

    def take(self, count: int) -> Places:
        """So many numbers that nobody holds."""
        kept = max(0, len(self._returned) - count)
        again = self._returned[kept:]
        del self._returned[kept:]
        fresh = range(self.limit, self.limit + count - len(again))
        self.limit = fresh.stop
        return np.array([*again, *fresh], np.intp)

    def give(self, numbers: Places) -> None:
        """These are free again."""
        self._returned.extend(numbers.tolist())
