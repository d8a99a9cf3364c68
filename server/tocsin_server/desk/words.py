"""The words by which a ticket is found: folded, so that neither case nor accents nor width matter.

What is folded here is the same on every database, and their own rules have no say: a line of words has letters,
digits and single spaces. Beside what people say it holds marked words, which nobody can type, for a mark is a
letter of Unicode's private use area: whose the ticket is, its number, that it is open, and each word that was
said among technicians only. So a question about one client's open tickets is answered from the index alone.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from tocsin_server.errors import Unprocessable

MAX_WORDS = 2000
"""How many words of a ticket are found again: the first."""
MAX_LETTERS = 64
"""How much of a word is looked at."""
MAX_ASKED = 12
_PREFIX_LETTERS = 2
"""A single letter begins too many words to be looked for as a beginning."""

_CLIENT, _NUMBER, _OPEN, _INTERNAL = "\ue000", "\ue001", "\ue002", "\ue003"
_HASH = re.compile(r"#([0-9]{1,18})", re.ASCII)
_REMEDY = "look for words of title, host or comments, or for a number as #42"


class Said(NamedTuple):
    """A text of a ticket; what is not `public` is found by those only who may read it."""

    text: str
    public: bool


class Token(NamedTuple):
    """What stands in a line of words; a `beginning` is that of any word."""

    text: str
    beginning: bool = False


Term = tuple[Token, ...]
"""One of these has to be there."""


_NOBODYS: Term = (Token(_CLIENT),)
"""It stands in no line."""


class _Letters(dict[int, str]):
    """What becomes of each letter that was met: itself, a gap, or nothing where it only marks another."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        category = unicodedata.category(letter)
        kept = letter if letter.isalnum() else "" if category[0] == "M" or category == "Cf" else " "
        self[code] = kept
        return kept


_LETTERS = _Letters()


def words(text: str) -> list[str]:
    """The words of a text, folded, in their order: Unicode's compatibility caseless match, without accents."""
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold()
    return [word[:MAX_LETTERS] for word in folded.translate(_LETTERS).split()]


def line(tokens: Iterable[str]) -> str:
    """A line of words, each once; what is too much of them is left out."""
    return " ".join([*dict.fromkeys(tokens)][:MAX_WORDS])


def marks(ticket_id: int, client_id: int, *, is_open: bool) -> list[str]:
    """The marked words of a ticket."""
    return [f"{_CLIENT}{client_id}", f"{_NUMBER}{ticket_id}", *([_OPEN] if is_open else ())]


def said(texts: Iterable[Said]) -> Iterator[str]:
    """The words of texts, marked where they are not public."""
    for text in texts:
        mark = "" if text.public else _INTERNAL
        yield from (f"{mark}{word}" for word in words(text.text))


def without_marks(had: str) -> list[str]:
    """The words of a line that people have said."""
    return [word for word in had.split(" ") if word[0] not in (_CLIENT, _NUMBER, _OPEN)]


def terms(
    question: str, *, clients: Collection[int] | None, is_open: bool = False, is_public: bool = False
) -> list[Term]:
    """What all has to be there: of these clients, or of all where that is None.

    Raises `Unprocessable` where the question has no word, or too many. With `is_public` words that were said
    among technicians are not looked at.
    """
    asked = [*dict.fromkeys(_asked(question))]
    if not asked:
        raise Unprocessable(f"there is no word in {question[:40]!r}", remedy=_REMEDY)
    if len(asked) > MAX_ASKED:
        raise Unprocessable(f"these are {len(asked)} words", remedy=f"look for at most {MAX_ASKED}")
    found = [_term(word, is_last=word == asked[-1], is_public=is_public) for word in asked]
    if is_open:
        found.append((Token(_OPEN),))
    if clients is not None:
        found.append(tuple(Token(f"{_CLIENT}{client}") for client in sorted(clients)) or _NOBODYS)
    return found


def narrows(term: Term) -> bool:
    """Whether it asks whose a ticket is, for its number, or that it is open: few are left of all."""
    return all(token.text[0] in (_CLIENT, _NUMBER, _OPEN) for token in term)


def _asked(question: str) -> Iterator[str]:
    """Words, and numbers with their hash."""
    for part in question.split():
        if number := _HASH.fullmatch(part):
            yield f"#{int(number[1])}"
        else:
            yield from words(part)


def _term(word: str, *, is_last: bool, is_public: bool) -> Term:
    """Who types is not done with the last word: it may be the beginning of one."""
    if word[0] == "#":
        return (Token(f"{_NUMBER}{word[1:]}"),)
    begins = is_last and len(word) >= _PREFIX_LETTERS
    marked = () if is_public else (Token(f"{_INTERNAL}{word}", begins),)
    number = (Token(f"{_NUMBER}{int(word)}"),) if word.isascii() and word.isdigit() else ()
    return (Token(word, begins), *marked, *number)
