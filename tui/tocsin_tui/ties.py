"""Which other ticket is meant, and what it is to be, as a technician types it. Pure."""

from collections.abc import Iterable

from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import LinkKind
from tocsin_tui.waiting import reason_of

MAX_DIGITS = 15


def kind_of(text: str) -> LinkKind:
    """The kind of link: its beginning is enough. Raises `ValueError` for one of none or of several."""
    return LinkKind(reason_of(text.strip().replace(" ", "_"), [kind.value for kind in LinkKind]))


def other_of(text: str, rows: Iterable[TicketRow], row: TicketRow) -> tuple[int, str]:
    """The ticket that is meant, by its number or by words of its title and host; and its title, where known.

    Words are looked for among those of the same client that the console has. Raises `ValueError` for none or
    several.
    """
    there = [each for each in rows if each.client == row.client and each.id != row.id]
    typed = text.strip().removeprefix("#")
    if typed.isascii() and typed.isdecimal() and len(typed) <= MAX_DIGITS:
        known = [each.title for each in there if each.id == int(typed)]
        return int(typed), known[0] if known else ""
    words = typed.lower().split()
    found = [each for each in there if words and all(word in _words(each) for word in words)]
    if len(found) == 1:
        return found[0].id, found[0].title
    if not words:
        raise ValueError("type the number of the other ticket, or words of its title")
    named = ", ".join(f"#{each.id} {each.title}" for each in found[:3])
    raise ValueError(
        f"{len(found)} of {row.client} are so: {named}" if found else f"none of {row.client} is so"
    )


def _words(row: TicketRow) -> str:
    return f"{row.title} {row.host or ''}".lower()
