"""Which other ticket is meant, and what it is to one, as a technician types it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tocsin_protocol.tickets import TicketDetail, TicketRow, TicketTie
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, LinkKind, TicketState, Tie
from tocsin_tui.format import tie_word
from tocsin_tui.waiting import reason_of

MAX_DIGITS = 15
_THEIRS: Mapping[Tie, LinkKind] = {
    Tie.CAUSES: LinkKind.CAUSED_BY,
    Tie.DUPLICATED_BY: LinkKind.DUPLICATE_OF,
    Tie.CHILD: LinkKind.PARENT,
}
"""Links of the other ticket: what this one is to that."""
_FOR_GOOD = frozenset({Tie.RECURS, Tie.RECURS_AS})
"""What has happened and nobody can take away."""


class Found(NamedTuple):
    """What the server has found of what was typed."""

    asked: str = ""
    """What it was asked for; something else may be typed by now."""
    rows: Sequence[TicketRow] = ()
    is_cut: bool = False
    """Whether there may be more."""
    refusal: str = ""
    """Why it does not look for that."""
    problem: str = ""
    """Why it could not be asked."""


class Beside(NamedTuple):
    """A ticket that can be meant, and where its words are looked for."""

    row: TicketRow
    words: str


class Meant(NamedTuple):
    """The tickets that may be meant by words, the newest first."""

    rows: Sequence[TicketRow]
    is_cut: bool


class Untying(NamedTuple):
    """How a tie is taken away: what is asked, and of which ticket; without a kind it is unmerged."""

    ticket: int
    kind: LinkKind | None
    other: int


def kind_of(text: str) -> LinkKind:
    """The kind of link: its beginning is enough. Raises `ValueError` for one of none or of several."""
    return LinkKind(reason_of(text.strip().replace(" ", "_"), [kind.value for kind in LinkKind]))


def number_of(text: str) -> int | None:
    """The number that is typed, with its hash or without; nothing where it is something else."""
    typed = text.strip().removeprefix("#")
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= MAX_DIGITS else None


def beside(rows: Iterable[TicketRow], row: TicketRow, *, is_open: bool) -> list[Beside]:
    """Those of the client that can be tied to a ticket, the newest first; with `is_open` open ones only."""
    there = [each for each in rows if each.client == row.client and _is_eligible(each, row, is_open=is_open)]
    there.sort(key=lambda each: -each.id)
    return [Beside(each, f"{each.title} {each.host or ''}".casefold()) for each in there]


def meant(text: str, here: Iterable[Beside], row: TicketRow, found: Found, *, is_open: bool) -> Meant:
    """The tickets with these words: in title or host of those that are here, and what the server has found."""
    words = text.casefold().split()
    those = {each.row.id: each.row for each in here if words and all(word in each.words for word in words)}
    if found.asked != text:
        return Meant(list(those.values()), is_cut=False)
    those |= {each.id: each for each in found.rows if _is_eligible(each, row, is_open=is_open)}
    return Meant(sorted(those.values(), key=lambda each: -each.id), found.is_cut)


def the_one(text: str, which: Meant, row: TicketRow, found: Found, *, is_live: bool) -> tuple[int, str]:
    """The ticket that is meant by words, and its title.

    Raises `ValueError` for none or several, and while the server is still looking, unless there is none to ask.
    """
    if not text.split():
        raise ValueError("type the number of the other ticket, or words of it")
    if found.asked == text and found.refusal:
        raise ValueError(found.refusal)
    is_looking = is_live and found.asked != text
    if len(which.rows) != 1 or which.is_cut:
        raise ValueError(_counted(which, row.client, is_looking=is_looking))
    if is_looking:
        raise ValueError(f"#{which.rows[0].id} {which.rows[0].title}? the server is looking for others")
    return which.rows[0].id, which.rows[0].title


def numbered(
    number: int, known: TicketRow | None, row: TicketRow, found: Found, *, text: str
) -> tuple[int, str]:
    """The ticket that is meant by its number, and its title where it is known; raises `ValueError` likewise."""
    if number == row.id:
        raise ValueError(f"#{number} is this ticket itself")
    if known is None:
        if found.asked == text and found.refusal:
            raise ValueError(found.refusal)
        return number, ""
    if known.client != row.client:
        raise ValueError(f"#{number} is of {known.client}, and this one of {row.client}")
    return number, known.title


def untied(row: TicketRow, tie: TicketTie) -> Untying:
    """How it is taken away. What a closed ticket is to another one is asked of the other, where that can be."""
    if tie.tie in _THEIRS:
        return Untying(tie.ticket, _THEIRS[tie.tie], row.id)
    if tie.tie is Tie.MERGED_INTO:
        return Untying(row.id, None, tie.ticket)
    if tie.tie is Tie.ABSORBED:
        return Untying(tie.ticket, None, row.id)
    if tie.tie is Tie.RELATES and row.state is TicketState.CLOSED:
        return Untying(tie.ticket, LinkKind.RELATES, row.id)
    return Untying(row.id, LinkKind(tie.tie.value), tie.ticket)


def removable(detail: TicketDetail) -> list[TicketTie]:
    """The ties that can be taken away."""
    return [tie for tie in detail.ties if tie.tie not in _FOR_GOOD]


def tie_of(text: str, ties: Sequence[TicketTie]) -> TicketTie:
    """The tie that is meant: the number of the other ticket, words of the tie and its title, or both.

    Raises `ValueError` for none or several.
    """
    words = text.casefold().split()
    if not words:
        raise ValueError("type which: the number of the other ticket, or what it is")
    found = [tie for tie in ties if all(_is_of(word, tie) for word in words)]
    if len(found) == 1:
        return found[0]
    raise ValueError(f"{len(found)} ties are so: say more" if found else "none of its ties is so")


def _is_of(word: str, tie: TicketTie) -> bool:
    number = number_of(word)
    return tie.ticket == number if number is not None else word in f"{tie_word(tie.tie)} {tie.title}".casefold()


def _counted(which: Meant, client: str, *, is_looking: bool) -> str:
    looking = ", and the server is looking" if is_looking else ""
    if not which.rows:
        return f"none of {client} is so{looking}"
    more = " or more" if which.is_cut else ""
    return f"{len(which.rows)}{more} of {client} are so{looking}: type more words, or a number"


def _is_eligible(other: TicketRow, row: TicketRow, *, is_open: bool) -> bool:
    if other.client != row.client or other.id == row.id or other.merged_into is not None:
        return False
    return not is_open or other.state in OPEN_TICKET_STATES
