"""The labels of many rows as columns of codes, with each row's client and host beside them.

A `Labels` never changes, so whatever is worked out from it (groups, matches, labels without the name) is kept
on it by `derive` and is worked out once for as long as the set of series stays the same. What depends on other
rows too is kept while those live and no longer, lest the side that stays hold all that the other has been. The
client is no label: it stands beside them and joins every comparison of rows, so rows of two clients are never
equal.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np

from tocsin_server.series.arrays import Codes, Ints
from tocsin_server.series.symbols import Symbols

NAME = "__name__"
NO_HOST = -1

_DERIVED_LIMIT = 64
"""How much a set of rows remembers, alone and with each partner; few expressions ask one, so this is a bound
and not a tuning."""
_KEY_LIMIT = 1 << 62

T = TypeVar("T")


class Labels:
    """`n` rows: `clients` and `hosts` int64 (`NO_HOST` for none), `columns` name → int32 codes of `symbols`."""

    __slots__ = ("__weakref__", "_derived", "_derived_with", "clients", "columns", "hosts", "symbols")

    def __init__(self, symbols: Symbols, clients: Ints, hosts: Ints, columns: Mapping[str, Codes]) -> None:
        self.symbols = symbols
        self.clients = clients
        self.hosts = hosts
        self.columns = columns
        self._derived: dict[Hashable, object] = {}
        self._derived_with: WeakKeyDictionary[Labels, dict[Hashable, object]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self.clients)

    def derive(self, key: Hashable, make: Callable[[], T], *, partner: "Labels | None" = None) -> T:
        """What `make` gives, remembered under `key`, which must say all that the answer depends on.

        What depends on other rows too says so by `partner`, and must not hold it.
        """
        known = self._derived if partner is None else self._derived_with.setdefault(partner, {})
        if key in known:
            return cast("T", known[key])
        if len(known) >= _DERIVED_LIMIT:
            known.clear()
        made = make()
        known[key] = made
        return made

    def column(self, name: str) -> Codes:
        """The codes of one label; zeros where there is none of that name."""
        column = self.columns.get(name)
        return np.zeros(len(self), dtype=np.int32) if column is None else column

    def without(self, names: Collection[str]) -> "Labels":
        """The same rows, less these labels; the same object where they have none of them."""
        return self._keep(frozenset(self.columns).difference(names))

    def only(self, names: Collection[str]) -> "Labels":
        """The same rows with these labels only."""
        return self._keep(frozenset(self.columns).intersection(names))

    def _keep(self, names: frozenset[str]) -> "Labels":
        if len(names) == len(self.columns):
            return self
        kept = {name: codes for name, codes in self.columns.items() if name in names}
        return self.derive(("keep", names), lambda: self.replaced(kept))

    def replaced(self, columns: Mapping[str, Codes]) -> "Labels":
        """The same rows under other labels."""
        return Labels(self.symbols, self.clients, self.hosts, columns)

    def take(self, rows: Ints | slice) -> "Labels":
        """Some of the rows, in the order given."""
        columns = {name: codes[rows] for name, codes in self.columns.items()}
        return Labels(self.symbols, self.clients[rows], self.hosts[rows], columns)

    def row(self, index: int) -> dict[str, str]:
        """One row as a dictionary."""
        word = self.symbols.word
        return {name: word(int(codes[index])) for name, codes in self.columns.items() if codes[index]}

    def row_keys(self) -> list[tuple[int, ...]]:
        """Client, host and codes of each row: what knows it among rows of the same symbols and columns."""
        columns = [codes.tolist() for codes in self.columns.values()]
        return list(zip(self.clients.tolist(), self.hosts.tolist(), *columns, strict=True))

    def identity(self) -> Ints:
        """A number a row: equal where client and all labels are equal."""
        return self.derive("identity", lambda: signatures([self], tuple(self.columns)))

    def are_distinct(self) -> bool:
        """Whether no two rows of a client carry the same labels."""
        return self.derive("distinct", lambda: len(np.unique(self.identity())) == len(self))


def signatures(tables: Sequence[Labels], names: Iterable[str]) -> Ints:
    """A dense number for each row of all the tables in turn, equal where client and the named labels are.

    Columns are joined as the digits of one number; before it would overflow it is made dense again.
    """
    keys = _dense(np.concatenate([table.clients for table in tables]))
    limit = int(keys.max(initial=0)) + 1
    for name in names:
        codes = np.concatenate([table.column(name) for table in tables])
        radix = int(codes.max(initial=0)) + 1
        if limit * radix >= _KEY_LIMIT:
            keys = _dense(keys)
            limit = int(keys.max(initial=0)) + 1
        keys = keys * radix + codes
        limit *= radix
    return _dense(keys)


def _dense(keys: Ints) -> Ints:
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def joined(tables: Sequence[Labels]) -> Labels:
    """The rows of all the tables, one after the other."""
    names = {name: None for table in tables for name in table.columns}
    return Labels(
        tables[0].symbols,
        np.concatenate([table.clients for table in tables]),
        np.concatenate([table.hosts for table in tables]),
        {name: np.concatenate([table.column(name) for table in tables]) for name in names},
    )


def nameless(symbols: Symbols, clients: Ints) -> Labels:
    """One row a client, without labels and without a host."""
    return Labels(symbols, clients, np.full(len(clients), NO_HOST, dtype=np.int64), {})


def labels_of(symbols: Symbols, rows: Sequence[tuple[int, int | None, Mapping[str, str]]]) -> Labels:
    """Labels from plain values: client, host and labels a row; an empty value is no label."""
    names = {name: None for _, _, labels in rows for name, value in labels.items() if value}
    code = symbols.code
    columns = {
        name: np.array([code(labels.get(name, "")) for _, _, labels in rows], np.int32) for name in names
    }
    clients = np.array([client for client, _, _ in rows], np.int64)
    hosts = np.array([NO_HOST if host is None else host for _, host, _ in rows], np.int64)
    return Labels(symbols, clients, hosts, columns)
