"""What rules stand on: a source of series that also takes what rules yield."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np

from tocsin_server.series.arrays import Floats
from tocsin_server.series.source import Source

Portion = tuple[Sequence[Mapping[str, str]], Floats]
"""Labels and values of one client's rows."""


class Ground(Source, Protocol):
    """The head, or the tape of a unit test."""

    def record(
        self,
        key: str,
        name: str,
        client_id: int,
        labels: Sequence[Mapping[str, str]],
        values: Floats,
        at_ms: int,
    ) -> None:
        """Take what the rule of this key yields for a client; what it no longer yields turns stale."""
        ...


class Yield:
    """The series of one name that a rule yields; remembers of which clients, to say when there are none."""

    def __init__(self, key: str, name: str) -> None:
        self.key = key
        self._name = name
        self._clients: set[int] = set()

    def record(
        self, ground: Ground, portions: Mapping[int, Portion], at_ms: int, *, spared: Collection[int] = ()
    ) -> None:
        """Record each client's rows, and for the others that there are none; the spared stay as they are."""
        nothing: Portion = ([], np.empty(0))
        self._clients |= portions.keys()
        for client_id in self._clients.difference(spared):
            labels, values = portions.get(client_id, nothing)
            ground.record(self.key, self._name, client_id, labels, values, at_ms)
