"""A vector that keeps its absent rows: labels that do not change while no series comes or goes, values, a mask.

Because a filter only touches the mask, what depends on labels alone stays good from one evaluation to the next
and is remembered on the `Labels` (`derive`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tocsin_server.promql.operators import Operand
from tocsin_server.series.arrays import Bools, Codes, Floats, Ints
from tocsin_server.series.labels import NAME, Labels, nameless
from tocsin_server.series.source import Source
from tocsin_server.series.symbols import Symbols


@dataclass(frozen=True, slots=True)
class Dense:
    """Rows; a value without `present` means nothing.

    `unnamed` are the rows that are to lose the metric's name at the end, where names are dropped late.
    """

    labels: Labels
    values: Floats
    present: Bools
    unnamed: Bools | None = None

    def nameless(self) -> "Dense":
        """The same rows without the metric's name."""
        return Dense(self.labels.without((NAME,)), self.values, self.present)


Value = Dense | Operand
"""A vector, or a scalar: one number for all clients, or an array of one for each of `source.clients`."""


def row_per_client(source: Source, pairs: tuple[tuple[str, str], ...] = ()) -> Labels:
    """A row for each client, with these labels; the same object as long as the clients are the same."""
    return _row_per_client(source.symbols, source.clients.tobytes(), pairs)


@lru_cache(maxsize=64)
def _row_per_client(symbols: Symbols, clients: bytes, pairs: tuple[tuple[str, str], ...]) -> Labels:
    rows = nameless(symbols, np.frombuffer(clients, np.int64))
    return rows.replaced({name: np.full(len(rows), symbols.code(value), np.int32) for name, value in pairs})


def client_index(source: Source, labels: Labels) -> Ints:
    """For each row the place of its client in `source.clients`."""
    clients = source.clients
    key = ("client index", clients.tobytes())
    return labels.derive(key, lambda: np.searchsorted(clients, labels.clients).astype(np.int64))


def spread(source: Source, scalar: Operand, labels: Labels) -> Operand:
    """A scalar for each row: one number for all, or the one of the row's client."""
    return scalar[client_index(source, labels)] if isinstance(scalar, np.ndarray) else scalar


def duplicates(labels: Labels, present: Bools) -> Ints:
    """The present rows that carry the same labels as a present row before them."""
    if labels.are_distinct():
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(present)
    first = np.unique(labels.identity()[rows], return_index=True)[1]
    repeated = np.ones(len(rows), np.bool_)
    repeated[first] = False
    return rows[repeated]


def described(labels: Labels, row: int, names: Collection[str] | None = None) -> str:
    """A row's labels as Prometheus writes them in its messages."""
    pairs = labels.row(row).items()
    kept = sorted((name, value) for name, value in pairs if names is None or name in names)
    return "{" + ", ".join(f'{name}="{value}"' for name, value in kept) + "}"


def where(rows: Bools, new: Codes, old: Codes) -> Codes:
    """Codes, `new` on these rows and `old` elsewhere."""
    return np.where(rows, new, old).astype(np.int32)


def flags_of_both(flags: Bools | None, other: Bools | None, sizes: tuple[int, int]) -> Bools | None:
    """The flags of two tables, one after the other; None is nobody."""
    if flags is None and other is None:
        return None
    return np.concatenate(
        [
            np.zeros(size, np.bool_) if given is None else given
            for given, size in zip((flags, other), sizes, strict=True)
        ]
    )
