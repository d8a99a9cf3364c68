"""What one console hears of what is published: of the clients that its person sees, as a page shows it to them.

of a client     who sees that client
of no client    the provider's own people; with a message, who sees all clients
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlmodel import Session

from tocsin_protocol.events import LookersChanged, TicketChanged
from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_server.access.scope import Scope
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.queue import ticket_counts, ticket_rows
from tocsin_server.estate.estate import Estate
from tocsin_server.http.broker import Event, spoken
from tocsin_server.http.scoped import asked_soon
from tocsin_server.storage.engine import Storage


class Hearing:
    """Puts events into words for a scope."""

    def __init__(self, storage: Storage, estate: Estate, terms: Callable[[], Terms]) -> None:
        self._storage = storage
        self._terms = terms
        self._estate = estate

    async def words(self, scope: Scope, events: Sequence[Event]) -> bytes:
        """What is said of these events; nothing where none is heard."""
        if scope.is_everywhere:
            return b"".join(event.text for event in events)
        slugs = {client.slug for client in self._estate.clients() if scope.sees(client.id)}
        heard = [event for event in events if is_heard(event, scope, slugs)]
        ids = {event.message.ticket.id for event in heard if isinstance(event.message, TicketChanged)}
        if not ids:
            return b"".join(event.text for event in heard)

        def ask(session: Session, scope: Scope) -> tuple[dict[int, TicketRow], TicketCounts]:
            return ticket_rows(session, scope, ids, self._terms()), ticket_counts(session, scope)

        rows, counts = await asked_soon(self._storage, scope, ask)
        return b"".join(_told(event, rows, counts) for event in heard)


def is_heard(event: Event, scope: Scope, slugs: set[str]) -> bool:
    """Whether who sees these clients hears of it."""
    if isinstance(event.message, LookersChanged) and not scope.is_inside:
        return False  # who works on what is no client's to know
    if event.client is not None:
        return event.client in slugs and (event.message is not None or scope.is_inside)
    return scope.is_everywhere or (scope.is_inside and event.message is None)


def _told(event: Event, rows: Mapping[int, TicketRow], counts: TicketCounts) -> bytes:
    """A ticket as a page would show it now; nothing of one that is not seen any more."""
    if not isinstance(event.message, TicketChanged):
        return event.text
    row = rows.get(event.message.ticket.id)
    if row is None:
        return b""
    return spoken(event.id, event.name, msgspec.structs.replace(event.message, ticket=row, counts=counts))
