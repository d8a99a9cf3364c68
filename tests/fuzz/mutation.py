"""Texts made of texts: what a fuzzer without an eye on the code can still think of."""

import random
from collections.abc import Callable, Sequence

MOST_CHARACTERS = 8192
_ODD = (
    "\x00",
    "\r",
    "\n",
    "\t",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\ufeff",
    "é",
    "😀",
    "٣",
    "\\",
    '"',
    "'",
    "`",
    "#",
)
_PAIRS = ("()", "[]", "{}", '""', "''", "``", "-()", "#\r", "{{}}", "abs()")


class Mutator:
    """Draws texts of a target's vocabulary; the same `seed` draws the same."""

    def __init__(self, seeds: Sequence[str], words: Sequence[str], seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = seeds
        self._words = words
        self._acts: Sequence[Callable[[str], str]] = (
            self._insert,
            self._insert,
            self._delete,
            self._double,
            self._repeat,
            self._nest,
            self._splice,
            self._odd,
        )

    def text(self) -> str:
        """The next one."""
        text = self._random.choice(self._seeds) if self._random.random() < 0.8 else self._babble()
        for _ in range(self._random.choice((0, 1, 1, 2, 3, 5, 8))):
            text = self._random.choice(self._acts)(text)[:MOST_CHARACTERS]
        return text

    def _babble(self) -> str:
        space = self._random.choice(("", " "))
        return space.join(self._random.choices(self._words, k=self._random.randrange(1, 30)))

    def _slice(self, text: str) -> tuple[int, int]:
        first = self._random.randrange(len(text) + 1)
        return first, min(len(text), first + self._random.choice((1, 2, 5, 20, 100)))

    def _insert(self, text: str) -> str:
        at, _ = self._slice(text)
        return text[:at] + self._random.choice(self._words) + text[at:]

    def _delete(self, text: str) -> str:
        first, last = self._slice(text)
        return text[:first] + text[last:]

    def _double(self, text: str) -> str:
        first, last = self._slice(text)
        return text[:last] + text[first:last] + text[last:]

    def _repeat(self, text: str) -> str:
        first, last = self._slice(text)
        what = self._random.choice((text[first:last], self._random.choice(self._words)))
        return text[:first] + what * self._random.choice((3, 20, 200, 2000)) + text[last:]

    def _nest(self, text: str) -> str:
        first, last = self._slice(text)
        pair = self._random.choice(_PAIRS)
        half, times = len(pair) // 2, self._random.choice((1, 2, 10, 49, 60, 500))
        if pair == "abs()":
            half = 4
        return text[:first] + pair[:half] * times + text[first:last] + pair[half:] * times + text[last:]

    def _splice(self, text: str) -> str:
        at, _ = self._slice(text)
        other = self._random.choice(self._seeds)
        first, last = self._slice(other)
        return text[:at] + self._random.choice((other[first:], other[first:last])) + text[at:]

    def _odd(self, text: str) -> str:
        first, last = self._slice(text)
        return text[:first] + self._random.choice(_ODD) + text[last:]
