"""Whose rows somebody sees: every question about clients' rows, and every change of one, is told a `Scope`.

There is none by default, and an empty one has no rows. What is outside of it is told as what is not there.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, true

FEW = 8
"""Of 100,000 tickets of 100 clients, a page for who sees 99 took ten times as long by the index of clients."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Some clients, or all of them, seen from the provider's side or from the client's."""

    clients: frozenset[int]
    """Their ids, where they are not all."""
    is_everywhere: bool = False
    """All clients, those that are added later too."""
    is_inside: bool = False
    """One of the provider's own: they see what is said among technicians."""

    def sees(self, client_id: int | None) -> bool:
        """Whether this client's rows are in it; what is no client's is for who sees all."""
        return self.is_everywhere or client_id in self.clients

    def within(self, client_id: ColumnElement[int]) -> ColumnElement[bool]:
        """The condition that a row is in it, by the column that says whose the row is.

        Of few clients an index of clients is asked. Of many that would be most of a table, to be sorted: the
        sum is in no index, so that what is asked for is walked in its own order, and rows of others passed by.
        """
        if self.is_everywhere:
            return true()
        column = client_id if len(self.clients) <= FEW else client_id + 0
        return column.in_(sorted(self.clients))

    @property
    def setting(self) -> str:
        """How row-level security is told of it (`storage/postgres.py`)."""
        return "all" if self.is_everywhere else ",".join(map(str, sorted(self.clients)))


EVERYWHERE = Scope(frozenset(), is_everywhere=True, is_inside=True)
"""For the server's own work, its operator's commands, and who works for all clients."""
NOWHERE = Scope(frozenset())
