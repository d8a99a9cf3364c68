"""Stories of tickets in lines such as `06-05 10:00 created 2`: Paris, in 2026."""

from tests.server.sla.calendars import at
from tests.server.sla.contracts import contract

from tocsin_server.sla.clock import Clock, clocks
from tocsin_server.sla.events import By, Event, EventKind

_PRIORITY = (EventKind.CREATED, EventKind.PRIORITY)
_BY = (EventKind.COMMENT, EventKind.SOLVED, EventKind.TAKEN)


def moment(text: str) -> int:
    """`06-05 10:00` in milliseconds."""
    return at(f"2026-{text.replace(' ', 'T')}")


def events(*lines: str) -> list[Event]:
    """A story; each event's id is its place in it. A `!` behind a comment says that it is internal."""
    return [_event(number, line) for number, line in enumerate(lines, 1)]


def _event(number: int, line: str) -> Event:
    day, hour, word, *rest = line.split(maxsplit=3)
    kind, argument = EventKind(word), "".join(rest)
    at_ms = moment(f"{day} {hour}")
    if kind in _PRIORITY:
        priority, _, item = argument.partition(" ")
        return Event(
            number, at_ms, kind, item or ("server" if kind is EventKind.CREATED else ""), int(priority)
        )
    if kind in _BY:
        by = By(argument.removesuffix("!") or By.TECHNICIAN)
        return Event(number, at_ms, kind, by=by, is_public=not argument.endswith("!"))
    if kind is EventKind.ABSORBED:
        ticket, _, created = argument.partition(" ")
        return Event(number, at_ms, kind, ticket, created_ms=moment(created))
    return Event(number, at_ms, kind, argument)


def stand(now: str, *lines: str) -> tuple[Clock, ...]:
    """All clocks of a story."""
    return clocks(events(*lines), contract(), moment(now))


def one(found: tuple[Clock, ...], kind: str, agreement: str = "", number: int = 0) -> Clock:
    """The only clock of a kind, an agreement and a round."""
    (clock,) = (
        each
        for each in found
        if each.target.kind == kind and agreement in ("", each.agreement.name) and number in (0, each.round)
    )
    return clock
