"""Label names and values as small integers, so that labels are compared, grouped and joined in numpy.

Code 0 is the empty word: a label that is missing and one that is empty are the same thing in Prometheus.
Sets of labels are interned too: `{device="eth0"}` is one number, however many hosts send it.
"""

from collections.abc import Iterable


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
    """Sets of labels and their numbers; a set is a tuple of `(name, value code)`, sorted by name."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[tuple[str, int], ...], int] = {}
        self._sets: list[tuple[tuple[str, int], ...]] = []

    def __len__(self) -> int:
        return len(self._sets)

    def number(self, pairs: Iterable[tuple[str, int]]) -> int:
        """The number of a set, given on first sight. Empty values (code 0) are no labels."""
        key = tuple(sorted(pair for pair in pairs if pair[1]))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._sets)
            self._sets.append(key)
        return number

    def pairs(self, number: int) -> tuple[tuple[str, int], ...]:
        """The set of a number."""
        return self._sets[number]
