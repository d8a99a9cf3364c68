"""A timeline as it is told to a client's own people.

    public     as it is
    theirs     who it was and what they said: one of the client's people, or somebody at a host
    comment    not at all: it was said among technicians
    other      that it happened and when; neither who did it, nor words, nor evidence

Entries are numbered anew, for their own numbers tell how much goes on at other clients.
"""

from collections.abc import Iterable

import msgspec

from tocsin_protocol.tickets import TicketEvent
from tocsin_protocol.vocabulary import ActorKind, TicketEventKind

_THEIRS = frozenset({ActorKind.CLIENT, ActorKind.HOST})


def events_outside(events: Iterable[TicketEvent]) -> list[TicketEvent]:
    """What is left of the entries, in their order."""
    return [_told(number, event) for number, event in enumerate(filter(_is_shown, events), 1)]


def _is_shown(event: TicketEvent) -> bool:
    return event.public or event.actor_kind in _THEIRS or event.kind is not TicketEventKind.COMMENTED


def _told(number: int, event: TicketEvent) -> TicketEvent:
    if event.public:
        return msgspec.structs.replace(event, id=number)
    if event.actor_kind in _THEIRS:
        return msgspec.structs.replace(event, id=number, data={})
    return msgspec.structs.replace(event, id=number, actor="", text="", data={})
