"""Whose rows somebody sees: every question about clients' rows, and every change of one, is told a `Scope`.

There is none by default, and an empty one has no rows. What is outside of it is told as what is not there.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, true


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
        """The condition that a row is in it, by the column that says whose the row is."""
        return true() if self.is_everywhere else client_id.in_(sorted(self.clients))

    @property
    def setting(self) -> str:
        """How row-level security is told of it (`storage/postgres.py`)."""
        return "all" if self.is_everywhere else ",".join(map(str, sorted(self.clients)))


EVERYWHERE = Scope(frozenset(), is_everywhere=True, is_inside=True)
"""For the server's own work, its operator's commands, and who works for all clients."""
NOWHERE = Scope(frozenset())
