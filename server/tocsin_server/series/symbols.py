"""Label names and values as small integers, so that labels are compared, grouped and joined in numpy.

Code 0 is the empty word: a label that is missing and one that is empty are the same thing in Prometheus.
Sets of labels are interned too: `{device="eth0"}` is one number, however many hosts and metrics carry it.
"""

from collections.abc import Iterable

import numpy as np

from tocsin_server.series.arrays import Codes, grown


class Symbols:
    """Words and their codes. Codes only ever grow; a new `Symbols` is how words are forgotten."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0}
        self._words: list[str] = [""]

    def __len__(self) -> int:
        return len(self._words)

    def code(self, word: str) -> int:
        """The code of a word, given on first sight."""
        code = self._codes.get(word)
        if code is None:
            code = self._codes[word] = len(self._words)
            self._words.append(word)
        return code

    def find(self, word: str) -> int | None:
        """The code of a word that has one."""
        return self._codes.get(word)

    def word(self, code: int) -> str:
        """The word of a code."""
        return self._words[code]


class LabelSets:
    """Sets of labels and their numbers, and for each label name the codes that all sets give it.

    Number 0 is the empty set.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._numbers: dict[tuple[tuple[str, int], ...], int] = {}
        self._sets: list[tuple[tuple[str, int], ...]] = []
        self._columns: dict[str, Codes] = {}
        self.number(())

    def __len__(self) -> int:
        return len(self._sets)

    def number(self, labels: Iterable[tuple[str, str]]) -> int:
        """The number of a set, given on first sight. A label with an empty value is none."""
        pairs = tuple(sorted((name, self._symbols.code(value)) for name, value in labels if value))
        number = self._numbers.get(pairs)
        if number is None:
            number = self._numbers[pairs] = len(self._sets)
            self._sets.append(pairs)
            for name, code in pairs:
                column = self._columns[name] = self._column(name)
                column[number] = code
        return number

    def labels(self, number: int) -> list[tuple[str, str]]:
        """The set of a number."""
        word = self._symbols.word
        return [(name, word(code)) for name, code in self._sets[number]]

    def codes(self, name: str, numbers: Codes) -> Codes:
        """What each of these sets says of one label, 0 for nothing."""
        self._columns[name] = self._column(name)
        return self._columns[name][numbers]

    def _column(self, name: str) -> Codes:
        return grown(self._columns.get(name, np.zeros(0, np.int32)), len(self._sets))
