"""Tickets and hosts as they are now, for the notice thread."""

from collections.abc import Callable, Mapping, Sequence

from sqlmodel import Session

from tocsin_protocol.hosts import HostRow
from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.queue import ticket_counts, ticket_rows
from tocsin_server.http.hostrows import HostRows
from tocsin_server.storage.engine import Storage


class Pictures:
    """Tickets and hosts as they are now, for whoever tells of a change."""

    def __init__(self, storage: Storage, hosts: HostRows, terms: Callable[[], Terms]) -> None:
        self._storage = storage
        self._hosts = hosts
        self._terms = terms

    def tickets(self, ids: Sequence[int]) -> tuple[dict[int, TicketRow], TicketCounts]:
        """The rows of these tickets and the counts of all."""

        def ask(session: Session) -> tuple[dict[int, TicketRow], TicketCounts]:
            return ticket_rows(session, EVERYWHERE, ids, self._terms()), ticket_counts(session, EVERYWHERE)

        return self._storage.read(ask)

    def hosts(self, ids: Sequence[int]) -> Mapping[int, HostRow]:
        """The rows of these hosts."""
        return self._hosts.some(EVERYWHERE, ids)
