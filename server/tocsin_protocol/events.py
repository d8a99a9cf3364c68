"""What the server tells by itself, as server-sent events."""

from tocsin_protocol.hosts import HostRow
from tocsin_protocol.lookers import Looker
from tocsin_protocol.messages import Message
from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_protocol.vocabulary import TicketEventKind


class TicketChanged(Message, frozen=True, kw_only=True):
    """SSE event `ticket`: the row as it is now, and what has just happened to it."""

    ticket: TicketRow
    happened: TicketEventKind
    counts: TicketCounts


class HostChanged(Message, frozen=True, kw_only=True):
    """SSE event `host`: a host was enrolled, fell silent, came back or was retired."""

    host: HostRow


class LookersChanged(Message, frozen=True, kw_only=True):
    """SSE event `looking`: who looks at a ticket now. Only the provider's own people hear of it."""

    ticket_id: int
    client: str
    lookers: list[Looker]


EVENTS: dict[str, type[Message] | None] = {
    "ticket": TicketChanged,
    "host": HostChanged,
    "looking": LookersChanged,
    "rules": None,  # what judges or withholds has changed, such as a rule file or a silence: ask for the status
    "reset": None,  # events were missed (the server restarted): take a new snapshot
}
"""The names of the server-sent events and what each carries; a comment line every 15 s keeps the line open."""
