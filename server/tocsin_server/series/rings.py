"""Where all feeds keep their samples: the banks, who owns a line, and when series came or went."""

from collections.abc import Iterable, Mapping

import numpy as np

from tocsin_server.series.arrays import Codes, Ints, grown
from tocsin_server.series.banks import Bank
from tocsin_server.series.depths import Depths
from tocsin_server.series.labels import NO_HOST
from tocsin_server.series.layouts import Catalogue
from tocsin_server.series.numbers import Numbers

STAMPED = ("instance", "job", "site")
"""The target labels, which the server says of every series of a host."""


class Owners:
    """Whose a feed is: client, host and the codes of its target labels, by the owner's number."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.clients: Ints = np.zeros(0, np.int64)
        self.hosts: Ints = np.zeros(0, np.int64)
        self.targets: Codes = np.zeros((0, len(STAMPED)), np.int32)
        self._catalogue = catalogue
        self._numbers = Numbers()

    def add(self, client_id: int, host_id: int | None, target: Mapping[str, str]) -> int:
        """A new owner; a recording rule has neither a host nor a target."""
        owner = int(self._numbers.take(1)[0])
        self.clients = grown(self.clients, self._numbers.limit)
        self.hosts = grown(self.hosts, self._numbers.limit)
        self.targets = grown(self.targets, self._numbers.limit)
        self.clients[owner] = client_id
        self.hosts[owner] = NO_HOST if host_id is None else host_id
        code = self._catalogue.symbols.code
        self.targets[owner] = [code(target.get(name, "")) for name in STAMPED]
        return owner

    def drop(self, owner: int) -> None:
        """The number is free; nothing may be owned by it."""
        self._numbers.give(np.array([owner], np.intp))


class Rings:
    """`generation` counts when series come, go or move; `generations` says by metric code when last."""

    def __init__(self, catalogue: Catalogue, *, interval_s: float) -> None:
        self.catalogue = catalogue
        self.depths = Depths(interval_s=interval_s)
        self.owners = Owners(catalogue)
        self.banks: dict[int, Bank] = {}
        self.generations: dict[int, int] = {}
        self.generation = 0

    def __len__(self) -> int:
        """How many series there are."""
        return sum(len(bank) for bank in self.banks.values())

    def bank(self, depth: int) -> Bank:
        """The bank of that depth."""
        bank = self.banks.get(depth)
        if bank is None:
            bank = self.banks[depth] = Bank(depth)
        return bank

    def depths_of(self, metrics: Codes, pace_ms: float) -> Ints:
        """How deep each of these series is to be kept; each distinct metric is asked once."""
        distinct, inverse = np.unique(metrics, return_inverse=True)
        word = self.catalogue.symbols.word
        asked = [self.depths.depth(word(code), pace_ms) for code in distinct.tolist()]
        return np.array(asked, np.int64)[inverse]

    def touch(self, metrics: Codes) -> None:
        """Series of these metrics have come, gone or moved."""
        codes: Iterable[int] = np.unique(metrics).tolist()
        for code in codes:
            self.generation += 1
            self.generations[code] = self.generation
