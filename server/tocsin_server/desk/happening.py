"""What has just happened to a ticket, for whoever tells others: consoles and measurements."""

from typing import NamedTuple

from tocsin_protocol.vocabulary import TicketEventKind


class Happening(NamedTuple):
    """One change of one ticket."""

    ticket_id: int
    kind: TicketEventKind
    detected_s: float | None = None
    """From the reading on the host to the ticket, where an alert has opened or reopened it."""
