"""Who looks at a ticket now, and who writes on it: in memory, for as long as their consoles say so.

A console says it every few seconds; one that has fallen silent is forgotten after `TTL_S`. Everybody who hears
of the ticket's client is told when it changes, by the event `looking`. Bounded: of one console the tickets that
it named last, and of a ticket so many consoles.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from tocsin_protocol.events import LookersChanged
from tocsin_protocol.lookers import Looker
from tocsin_server.clock import Clock

TTL_S = 30.0
MOST_TICKETS = 5
"""Of one console."""
MOST_CONSOLES = 50
"""Of one ticket; who comes after those is not told of."""

Tell = Callable[[LookersChanged], object]


class Place(NamedTuple):
    """A ticket, and whose it is."""

    ticket_id: int
    client_id: int
    client: str
    """The slug."""


class Console(NamedTuple):
    """Where somebody is signed in."""

    digest: str
    login: str


class _Look(NamedTuple):
    login: str
    writing: str
    until_s: float


class Lookers:
    """All of them. Called from any thread; `tell` must not wait."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[int, Place] = {}
        self._looks: dict[int, dict[str, _Look]] = {}
        """By ticket and console."""
        self._tickets: dict[str, OrderedDict[int, None]] = {}
        """By console, the one named last at the end."""

    def place(self, ticket_id: int) -> Place | None:
        """What is known of a ticket that somebody looks at."""
        return self._places.get(ticket_id)

    def looks(self, place: Place, console: Console, writing: str) -> list[Looker]:
        """A console says that it shows a ticket, and what is being written on it; who does now."""
        until_s = self._clock.monotonic() + TTL_S
        with self._lock:
            before = self._of(place.ticket_id)
            looks = self._looks.setdefault(place.ticket_id, {})
            if console.digest in looks or len(looks) < MOST_CONSOLES:
                self._places[place.ticket_id] = place
                looks[console.digest] = _Look(console.login, writing, until_s)
                self._note(place.ticket_id, console)
            return self._told(place, before)

    def leaves(self, place: Place, console: Console) -> list[Looker]:
        """A console shows it no more; who does still."""
        with self._lock:
            before = self._of(place.ticket_id)
            self._drop(place.ticket_id, console.digest)
            return self._told(place, before)

    def sweep(self) -> None:
        """Forget the consoles that have fallen silent. A job comes here every so often."""
        now_s = self._clock.monotonic()
        with self._lock:
            for ticket_id, looks in list(self._looks.items()):
                place, before = self._places[ticket_id], self._of(ticket_id)
                for digest in [digest for digest, look in looks.items() if look.until_s <= now_s]:
                    self._drop(ticket_id, digest)
                self._told(place, before)

    def _note(self, ticket_id: int, console: Console) -> None:
        """Keep which tickets a console has named; of too many the first is let go."""
        named = self._tickets.setdefault(console.digest, OrderedDict())
        named[ticket_id] = None
        named.move_to_end(ticket_id)
        if len(named) > MOST_TICKETS:
            oldest = next(iter(named))
            place, before = self._places[oldest], self._of(oldest)
            self._drop(oldest, console.digest)
            self._told(place, before)

    def _drop(self, ticket_id: int, digest: str) -> None:
        looks, named = self._looks.get(ticket_id, {}), self._tickets.get(digest, OrderedDict())
        looks.pop(digest, None)
        named.pop(ticket_id, None)
        if not looks:
            self._looks.pop(ticket_id, None)
            self._places.pop(ticket_id, None)
        if not named:
            self._tickets.pop(digest, None)

    def _of(self, ticket_id: int) -> list[Looker]:
        """One entry a person, who writes where any console of theirs does; by login."""
        writing: dict[str, str] = {}
        for look in self._looks.get(ticket_id, {}).values():
            writing[look.login] = writing.get(look.login) or look.writing
        return [Looker(login=login, writing=what) for login, what in sorted(writing.items())]

    def _told(self, place: Place, before: list[Looker]) -> list[Looker]:
        now = self._of(place.ticket_id)
        if now != before:
            self._tell(LookersChanged(ticket_id=place.ticket_id, client=place.client, lookers=now))
        return now
