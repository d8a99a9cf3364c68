"""Which rows a selector means, remembered for as long as no series of its metric comes or goes.

Labels are put together for a whole metric at once: the labels that hosts send from the sets' columns, the
target's from the owners'. Then matchers are asked, each distinct value once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np

from tocsin_server.series.arrays import Codes, Places
from tocsin_server.series.banks import Bank
from tocsin_server.series.labels import NAME, Labels
from tocsin_server.series.matchers import Matcher, Matchers
from tocsin_server.series.readings import HeadSelection, Reading
from tocsin_server.series.rings import STAMPED, Rings

_LIMIT = 1024
"""How many selectors are remembered, the latest asked: a bound for what people type, rules have fewer."""


class Selections:
    """The selectors that were asked, with the generation at which each answer was good."""

    def __init__(self, rings: Rings) -> None:
        self._rings = rings
        self._catalogue = rings.catalogue
        self._remembered: OrderedDict[tuple[str | None, Matchers], tuple[int, HeadSelection]] = OrderedDict()

    def select(self, name: str | None, matchers: Matchers) -> HeadSelection:
        """See `Source`."""
        key = (name, matchers)
        generation = self._generation(name)
        known = self._remembered.get(key)
        if known is not None and known[0] == generation:
            self._remembered.move_to_end(key)
            return known[1]
        selection = self._select(name, matchers)
        self._remembered[key] = generation, selection
        self._remembered.move_to_end(key)
        if len(self._remembered) > _LIMIT:
            self._remembered.popitem(last=False)
        return selection

    def clear(self) -> None:
        """Make every selection again."""
        self._remembered.clear()

    def describe(self, parts: Sequence[tuple[Bank, Places]]) -> Labels:
        """The labels of some rows, one bank after the other."""
        owners = _chain([bank.owners[bank.lines[rows]] for bank, rows in parts])
        metrics = _chain([bank.metrics[rows] for bank, rows in parts])
        sets = _chain([bank.sets[rows] for bank, rows in parts])
        columns = {NAME: metrics}
        for label in self._catalogue.label_names(np.unique(metrics).tolist()):
            columns[label] = self._catalogue.sets.codes(label, sets)
        whose = self._rings.owners
        for place, label in enumerate(STAMPED):
            stamped = whose.targets[owners, place]
            # A host's own label of that name was moved aside, a recording rule has no target: one of both is 0.
            columns[label] = columns[label] + stamped if label in columns else stamped
        return Labels(self._catalogue.symbols, whose.clients[owners], whose.hosts[owners], columns)

    def _generation(self, name: str | None) -> int:
        if name is None:
            return self._rings.generation
        code = self._catalogue.symbols.find(name)
        return 0 if code is None else self._rings.generations.get(code, 0)

    def _select(self, name: str | None, matchers: Matchers) -> HeadSelection:
        if name is None:
            whole = self._whole(self._named(matchers))
        elif matchers:
            whole = self.select(name, ())
        else:
            code = self._catalogue.symbols.find(name)
            return self._whole([] if code is None else [code])
        wanted = np.ones(len(whole.labels), np.bool_)
        for matcher in matchers:
            wanted &= matcher.passing(whole.labels.column(matcher.name), self._catalogue.symbols)
        return whole if wanted.all() else whole.take(np.flatnonzero(wanted))

    def _whole(self, metrics: Sequence[int]) -> HeadSelection:
        codes = np.array(metrics, np.int32)
        found = [(bank, bank.rows_of(codes)) for bank in self._rings.banks.values()]
        parts = [(bank, rows) for bank, rows in found if len(rows)]
        return HeadSelection(self.describe(parts), tuple(Reading.of(bank, rows) for bank, rows in parts))

    def _named(self, matchers: Iterable[Matcher]) -> list[int]:
        """The metrics whose name passes; those that have no series any more do no harm."""
        by_name = [matcher for matcher in matchers if matcher.name == NAME]
        word = self._catalogue.symbols.word
        return [
            code for code in self._rings.generations if all(matcher.matches(word(code)) for matcher in by_name)
        ]


def _chain(codes: Sequence[Codes]) -> Codes:
    return np.concatenate(codes) if codes else np.zeros(0, np.int32)
